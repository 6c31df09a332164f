"""Settings, as Airflow users write them: AIRFLOW__SECTION__OPTION, its _CMD and _SECRET forms, airflow.cfg, defaults.

The names and defaults are data (`defaults.tsv`); an option that only one compatibility profile spells differently has
a second column there. Values are looked up when asked for, so that a changed environment counts at once; airflow.cfg is
read once per path.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from gnomon.service.home import airflow_home, expanded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

#: Stands in a child that runs user code; what it hides is in `gnomon.service.environment`.
USER_CODE_MARK = "GNOMON_USER_CODE"

#: Options that are secrets: user code never gets them, and lists never show them.
CONTROL_SIDE_ONLY: Final = frozenset(
    {
        ("database", "sql_alchemy_conn"),
        ("database", "sql_alchemy_conn_async"),
        ("database", "sql_alchemy_engine_args"),
        ("database", "sql_alchemy_connect_args"),
        ("database", "sql_alchemy_connect_args_async"),
        ("core", "fernet_key"),
        ("core", "simple_auth_manager_passwords_file"),
        ("api", "secret_key"),
        ("api_auth", "jwt_secret"),
        ("api_auth", "jwt_private_key_path"),
        ("celery", "broker_url"),
        ("celery", "result_backend"),
    }
)

#: Options whose value may come from a command or a secrets backend. Unknown options (of providers) may too.
SENSITIVE: Final = CONTROL_SIDE_ONLY | frozenset(
    {
        ("core", "asset_manager_kwargs"),
        ("logging", "remote_task_handler_kwargs"),
        ("secrets", "backend_kwargs"),
        ("workers", "secrets_backend_kwargs"),
        ("sentry", "sentry_dsn"),
        ("smtp", "smtp_password"),
    }
)

_MISSING: Final[Any] = object()
_TRUE = frozenset({"t", "true", "1", "yes", "y", "on"})
_FALSE = frozenset({"f", "false", "0", "no", "n", "off"})


class ConfigError(Exception):
    """A setting is missing or cannot be used; the message names the section, the option and where it was set."""


class Setting(NamedTuple):
    """A value and where it came from."""

    value: str
    source: str


class Renames(NamedTuple):
    """How options were called before: the present name of each old one, and the old ones of each present name."""

    present: dict[tuple[str, str], tuple[str, str]]
    old: dict[tuple[str, str], list[tuple[str, str]]]


_DEFAULT = "the default"
_EMPTY_DEFAULT = Setting("", _DEFAULT)


class Config:
    """Looks settings up; `conf` is the one that everybody uses."""

    #: the source of what is set nowhere
    DEFAULT = _DEFAULT

    def __init__(self) -> None:
        self._file: tuple[Path, dict[str, dict[str, str]]] | None = None
        self._defaults: dict[tuple[str, str], tuple[str | None, str | None]] | None = None
        self._names: Renames | None = None
        self._sections: frozenset[str] | None = None
        self._fetched: dict[tuple[str, str], str] = {}
        self._set: dict[tuple[str, str], str] = {}

    # ------------------------------------------------------------------------------------------- reading

    def get(self, section: str, key: str, fallback: Any = _MISSING, **_: Any) -> Any:
        """Return the value as text, or None for a known option without one.

        Args:
            section: for example `core`; case does not matter.
            key: the option.
            fallback: returned when the option is set nowhere and has no default.

        Raises:
            ConfigError: nobody knows the option, and there is no fallback.
        """
        setting = self.lookup(section, key)
        if setting is not None:
            return setting.value
        if fallback is not _MISSING:
            return fallback
        if self.present_name(section, key) in self._known():
            return None
        raise ConfigError(f"[{section}] {key} is set nowhere, and there is no such option of Airflow or Gnomon")

    def getboolean(self, section: str, key: str, fallback: Any = _MISSING) -> bool:
        """Return the value as a bool: true, t, yes, y, on, 1 and their opposites."""
        value: bool = self._typed(section, key, fallback, _to_bool, "true or false")
        return value

    def getint(self, section: str, key: str, fallback: Any = _MISSING) -> int:
        """Return the value as a whole number."""
        value: int = self._typed(section, key, fallback, int, "a whole number")
        return value

    def getfloat(self, section: str, key: str, fallback: Any = _MISSING) -> float:
        """Return the value as a number."""
        value: float = self._typed(section, key, fallback, float, "a number")
        return value

    def getjson(self, section: str, key: str, fallback: Any = _MISSING) -> Any:
        """Return the value decoded from JSON; None when it is empty."""

        def convert(text: str) -> Any:
            import json

            return json.loads(text) if text.strip() else None

        return self._typed(section, key, fallback, convert, "JSON")

    def getlist(self, section: str, key: str, fallback: Any = _MISSING, delimiter: str = ",") -> list[str]:
        """Return the value cut at commas, without empty parts."""

        def convert(text: str) -> list[str]:
            return [part for part in (raw.strip() for raw in text.split(delimiter)) if part]

        value: list[str] | None = self._typed(section, key, fallback, convert, "a list")
        return [] if value is None and fallback is _MISSING else value  # type: ignore[return-value]

    def gettimedelta(self, section: str, key: str, fallback: Any = _MISSING) -> timedelta | None:
        """Return the value, a number of seconds, as a timedelta; None when it is empty."""
        from datetime import timedelta

        def convert(text: str) -> timedelta | None:
            return timedelta(seconds=float(text)) if text.strip() else None

        value: timedelta | None = self._typed(section, key, fallback, convert, "a number of seconds")
        return value

    def getimport(self, section: str, key: str, fallback: Any = _MISSING) -> Any:
        """Return the object whose dotted path is the value; None when it is empty."""
        return self._typed(section, key, fallback, _import_path, "the path of something that can be imported")

    def profile(self) -> Literal[2, 3]:
        """Return `[core] compat`, 2 or 3."""
        value = self.getint("core", "compat")
        if value == 2:
            return 2
        if value == 3:
            return 3
        setting = self.lookup("core", "compat")
        source = setting.source if setting else _DEFAULT
        raise ConfigError(f"[core] compat: {value} is neither 2 nor 3; it comes from {source}")

    def get_mandatory_value(self, section: str, key: str, **kwargs: Any) -> str:
        """Return the value as text; it is an error when there is none."""
        value = self.get(section, key, **kwargs)
        if value is None:
            raise ConfigError(f"[{section}] {key} must be set, for example with {variable_name(section, key)}")
        return str(value)

    def has_option(self, section: str, key: str) -> bool:
        """Say whether the option is set, or has a default that is not None."""
        return self.lookup(section, key) is not None

    def has_section(self, section: str) -> bool:
        """Say whether anything is set in the section, or it has known options."""
        return bool(self.getsection(section))

    def getsection(self, section: str) -> dict[str, Any] | None:
        """Return the options of a section with whole numbers, numbers and bools converted; None if there are none."""
        found = {key: self.lookup(section, key) for key in self._keys(section.lower())}
        values = {key: _guess(setting.value) for key, setting in found.items() if setting is not None}
        return values or None

    def known_options(self, section: str) -> list[str]:
        """Return the options that a section of Airflow's own has, or had in Airflow 2."""
        return sorted({key for name, key in (*self._known(), *self._renames().present) if name == section.lower()})

    def items(self) -> Iterator[tuple[str, str, Setting]]:
        """Yield section, option and setting of everything known or set; secrets too."""
        for section in self.sections():
            for key in self._keys(section):
                setting = self.lookup(section, key)
                if setting is not None:
                    yield section, key, setting

    def sections(self) -> list[str]:
        """Return the names of all known and used sections."""
        return sorted({section for section, _ in self._known()} | set(self._from_file()))

    def default(self, section: str, key: str) -> str | None:
        """Return the default of an option, whatever is set; None if it has none."""
        return self._default((section, key))

    def is_of_providers(self, section: str) -> bool:
        """Tell whether a section is one of provider packages, or of nobody."""
        return section not in self._own_sections()

    # ------------------------------------------------------------------------------------------ changing

    def set(self, section: str, key: str, value: str) -> None:
        """Set an option for this process only; it wins over everything."""
        self._set[self.present_name(section, key)] = value

    def remove_option(self, section: str, key: str) -> None:
        """Take back what `set` did."""
        self._set.pop(self.present_name(section, key), None)

    def reload(self) -> None:
        """Forget airflow.cfg, what commands answered and what `set` changed."""
        self._file = None
        self._fetched.clear()
        self._set.clear()

    # ------------------------------------------------------------------------------------------- sources

    def lookup(self, section: str, key: str) -> Setting | None:
        """Return the value and its source: environment, then airflow.cfg, then the default; None if there is none."""
        name = self.present_name(section, key)
        if name in self._set:
            return Setting(self._set[name], "set by the program")
        if name in CONTROL_SIDE_ONLY and USER_CODE_MARK in os.environ:
            return None
        names = self.names_of(*name)
        for spelling in names:
            if (found := self._in_environment(*spelling)) is not None:
                return found
        for spelling in names:
            if (found := self._in_file(*spelling)) is not None:
                return found
        default = self._default(name)
        return None if default is None else Setting(default, _DEFAULT)

    def written(self, section: str, key: str) -> Setting | None:
        """Return what is written under exactly this name, of whichever generation; no command is run for it."""
        variable = variable_name(section, key)
        if (value := os.environ.get(variable)) is not None:
            return Setting(value, f"the environment variable {variable}")
        value = self._from_file().get(section, {}).get(key)
        return None if value is None else Setting(value, str(config_file()))

    def present_name(self, section: str, key: str) -> tuple[str, str]:
        """Return the section and option that a name of any generation stands for now."""
        name = section.lower(), key.lower()
        return self._renames().present.get(name, name)

    def names_of(self, section: str, key: str) -> list[tuple[str, str]]:
        """Return the names under which an option may be set, the present one first."""
        return [(section, key), *self._renames().old.get((section, key), ())]

    def _in_environment(self, section: str, key: str) -> Setting | None:
        variable = variable_name(section, key)
        value = os.environ.get(variable)
        if value is not None:
            return Setting(_expand(value), f"the environment variable {variable}")
        if not self._may_be_fetched((section, key)):
            return None
        for suffix, fetch in (("_CMD", self._from_command), ("_SECRET", self._from_backend)):
            value = os.environ.get(variable + suffix)
            if value is not None:
                source = f"the environment variable {variable}{suffix}"
                return Setting(_expand(fetch(section, key, value, source)), source)
        return None

    def _in_file(self, section: str, key: str) -> Setting | None:
        options = self._from_file().get(section)
        if not options:
            return None
        if key in options:
            return Setting(_expand(options[key]), str(config_file()))
        if not self._may_be_fetched((section, key)):
            return None
        for suffix, fetch in (("_cmd", self._from_command), ("_secret", self._from_backend)):
            if key + suffix in options:
                source = f"{key}{suffix} in {config_file()}"
                return Setting(_expand(fetch(section, key, options[key + suffix], source)), source)
        return None

    def _may_be_fetched(self, name: tuple[str, str]) -> bool:
        present = self._renames().present.get(name, name)
        return present in SENSITIVE or present not in self._known()

    def _from_command(self, section: str, key: str, command: str, source: str) -> str:
        import shlex
        import subprocess

        if ("command", command) not in self._fetched:
            try:
                done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
            except (OSError, ValueError) as error:
                raise ConfigError(f"[{section}] {key}: the command of {source} did not start: {error}") from error
            if done.returncode != 0:
                last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
                raise ConfigError(
                    f"[{section}] {key}: the command of {source} ended with exit code {done.returncode}: {last}"
                )
            self._fetched["command", command] = done.stdout.rstrip("\n")
        return self._fetched["command", command]

    def _from_backend(self, section: str, key: str, secret: str, source: str) -> str:
        if ("secret", secret) not in self._fetched:
            backend = self.getimport("secrets", "backend", fallback=None)
            if backend is None:
                raise ConfigError(f"[{section}] {key}: {source} needs [secrets] backend, which is not set")
            value = backend(**(self.getjson("secrets", "backend_kwargs", fallback=None) or {})).get_config(secret)
            if value is None:
                raise ConfigError(f"[{section}] {key}: the secrets backend has no {secret!r} ({source})")
            self._fetched["secret", secret] = value
        return self._fetched["secret", secret]

    def _from_file(self) -> dict[str, dict[str, str]]:
        path = config_file()
        if self._file is None or self._file[0] != path:
            self._file = (path, _read_file(path))
        return self._file[1]

    def _known(self) -> dict[tuple[str, str], tuple[str | None, str | None]]:
        if self._defaults is None:
            self._defaults = _read_defaults()
        return self._defaults

    def _own_sections(self) -> frozenset[str]:
        if self._sections is None:
            self._sections = frozenset(section for section, _ in self._known())
        return self._sections

    def _renames(self) -> Renames:
        if self._names is None:
            self._names = _read_renames()
        return self._names

    def _default(self, name: tuple[str, str]) -> str | None:
        default, second = self._known().get(name, (None, None))
        if second is not None and self.profile() == 2:
            default = second
        if default is None and name[0] not in self._own_sections():
            from gnomon.service import provider_settings

            return provider_settings.default(*name)
        if default and "{AIRFLOW_HOME}" in default:
            return default.replace("{AIRFLOW_HOME}", str(airflow_home()))
        return default

    def _typed(self, section: str, key: str, fallback: Any, convert: Callable[[str], Any], wanted: str) -> Any:
        setting = self.lookup(section, key)
        if setting is None or setting == _EMPTY_DEFAULT:
            if fallback is not _MISSING:
                return fallback
            self.get(section, key)  # which objects to an option that nobody knows
            return None
        try:
            return convert(setting.value)
        except (ValueError, ImportError, AttributeError) as error:
            shown = "the value" if self.present_name(section, key) in SENSITIVE else repr(setting.value)
            detail = "" if type(error) is ValueError else f" ({error})"
            raise ConfigError(
                f"[{section}] {key}: {shown} is not {wanted}{detail}; it comes from {setting.source}"
            ) from None

    def _keys(self, section: str) -> list[str]:
        keys = {key for name, key in self._known() if name == section}
        keys.update(key for name, key in self._set if name == section)
        if section not in self._own_sections():
            from gnomon.service import provider_settings

            keys.update(provider_settings.options(section))
        written = list(self._from_file().get(section, ()))
        prefix = variable_name(section, "")
        written += [name[len(prefix) :].lower() for name in os.environ if name.startswith(prefix)]
        for key in written:
            bare = key.removesuffix("_cmd").removesuffix("_secret")
            keys.add(bare if (section, bare) in SENSITIVE else key)
        # An old name shows up under its present one only.
        return sorted(key for key in keys if (section, key) not in self._renames().present)


conf = Config()


def profile() -> Literal[2, 3]:
    """Return the Airflow generation whose defaults count, 2 or 3: `[core] compat`.

    Raises:
        ConfigError: it is something else.
    """
    return conf.profile()


def config_file() -> Path:
    """Return the path of airflow.cfg, whether it exists or not."""
    given = os.environ.get("AIRFLOW_CONFIG")
    return expanded(given) if given else _default_file(airflow_home())


@cache
def _default_file(home: Path) -> Path:
    return home / "airflow.cfg"


def variable_name(section: str, key: str) -> str:
    """Return the environment variable of an option, for example AIRFLOW__CORE__DAGS_FOLDER."""
    return f"AIRFLOW__{section.replace('.', '_').upper()}__{key.upper()}"


def _read_defaults() -> dict[tuple[str, str], tuple[str | None, str | None]]:
    table: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    for cells in _read_table("defaults.tsv"):
        section, key, default, second = (*cells, "", "")[:4]
        table[section, key] = (None if default == "None" else default, second or None)
    return table


def _read_renames() -> Renames:
    names = Renames({}, {})
    for old_section, old_key, section, key in _read_table("renames.tsv"):
        names.present[old_section, old_key] = section, key
        names.old.setdefault((section, key), []).append((old_section, old_key))
    return names


def _read_table(name: str) -> list[list[str]]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:]]


def _read_file(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    import configparser

    parser = configparser.ConfigParser(default_section="_no_defaults_", allow_no_value=True)
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
        return {
            section.lower(): {key: value for key, value in parser.items(section) if value is not None}
            for section in parser.sections()
        }
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _expand(value: str) -> str:
    if "$" in value:
        value = os.path.expandvars(value)
    return os.path.expanduser(value) if value.startswith("~") else value


def _to_bool(text: str) -> bool:
    word = text.split("#", 1)[0].strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError


def _import_path(path: str) -> Any:
    if not path.strip():
        return None
    module, _, name = path.strip().rpartition(".")
    if not module:
        raise ValueError
    import importlib

    return getattr(importlib.import_module(module), name)


def _guess(text: str) -> str | int | float | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
