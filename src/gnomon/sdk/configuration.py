"""`conf` as DAG files and provider packages know it: the settings, with errors that they can catch."""

from __future__ import annotations

import functools
import os
from typing import Any

from gnomon.sdk.exceptions import AirflowConfigException
from gnomon.service import config
from gnomon.service.home import airflow_home


class Configuration:
    """All that `gnomon.service.config.conf` has; what is wrong with a setting is an AirflowConfigException."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(config.conf, name)
        if not callable(found):
            return found

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return found(*args, **kwargs)
            except config.ConfigError as error:
                raise AirflowConfigException(str(error)) from error

        self.__dict__[name] = call
        return call

    def as_dict(self, display_source: bool = False, display_sensitive: bool = False, **_: Any) -> dict[str, Any]:
        """Return section → option → value of all settings.

        Args:
            display_source: values are (value, where it was set).
            display_sensitive: show what is secret too; in user code that is not there at all.
        """
        found: dict[str, dict[str, Any]] = {}
        for section, key, setting in config.conf.items():
            hidden = not display_sensitive and (section, key) in config.SENSITIVE
            value = "< hidden >" if hidden else setting.value
            found.setdefault(section, {})[key] = (value, setting.source) if display_source else value
        return found

    def get_default_value(self, section: str, key: str, fallback: Any = None, **_: Any) -> Any:
        """Return the value of an option that nobody has set."""
        default = config.conf._default(config.conf.present_name(section, key))
        return fallback if default is None else default

    def get_mandatory_list_value(self, section: str, key: str, delimiter: str = ",", **kwargs: Any) -> list[str]:
        """Return a setting cut at commas; it is an error when there is none."""
        text: str = self.get_mandatory_value(section, key, **kwargs)
        return [part for part in (raw.strip() for raw in text.split(delimiter)) if part]

    def getenum(self, section: str, key: str, enum_class: Any, **kwargs: Any) -> Any:
        """Return the member of an enumeration that a setting names."""
        value = self.get(section, key, **kwargs)
        names = [member.name for member in enum_class]
        if value is None or value in names:
            return None if value is None else enum_class[value]
        raise AirflowConfigException(f"[{section}] {key}: {value!r} is none of {', '.join(names)}")


conf = Configuration()


def get_airflow_home() -> str:
    """Return $AIRFLOW_HOME, or ~/airflow."""
    return str(airflow_home())


def get_airflow_config(airflow_home: str = "") -> str:
    """Return the path of airflow.cfg."""
    return str(config.config_file())


def expand_env_var(env_var: str | None) -> str | None:
    """Return text with `~` and variables of the environment filled in."""
    return os.path.expandvars(os.path.expanduser(env_var)) if env_var else env_var


def ensure_secrets_loaded(*_: Any, **__: Any) -> list[Any]:
    """Return the secrets backends, in the order in which they are asked."""
    from gnomon.sdk.secrets import backends

    return list(backends())


def __getattr__(name: str) -> Any:
    """Return AIRFLOW_HOME and AIRFLOW_CONFIG, which depend on the environment."""
    if name == "AIRFLOW_HOME":
        return get_airflow_home()
    if name == "AIRFLOW_CONFIG":
        return get_airflow_config()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
