"""Settings that would only fail later, or silently, are looked at before anything is started."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from gnomon.cli.errors import CommandError


def check_settings() -> None:
    """Do nothing if tasks and DAG files can be run with the settings.

    Raises:
        CommandError: a setting makes it impossible; the message names it and where it comes from.
    """
    from gnomon.service.config import conf

    if conf.getint("core", "parallelism") < 1:
        raise _wrong("core", "parallelism", "leaves no room for a task; it must be 1 or more")
    zone = str(conf.get("core", "default_timezone"))
    if zone not in ("utc", "system") and not _is_zone(zone):
        raise _wrong("core", "default_timezone", "is no time zone such as UTC or Europe/Berlin")


def check_log_folder() -> None:
    """Do nothing if there can be logs.

    Raises:
        CommandError: their folder cannot be made.
    """
    from gnomon.service.config import conf

    try:
        Path(str(conf.get("logging", "base_log_folder"))).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _wrong("logging", "base_log_folder", f"cannot be written to: {error.strerror}") from None


def _wrong(section: str, key: str, why: str) -> CommandError:
    from gnomon.service.config import conf

    setting = conf.lookup(section, key)
    assert setting is not None  # it has a default
    return CommandError(f"[{section}] {key}: {setting.value!r} {why}; it comes from {setting.source}")


def _is_zone(name: str) -> bool:
    import pendulum
    from pendulum.tz.exceptions import InvalidTimezone

    try:
        pendulum.timezone(name)
    except (InvalidTimezone, ValueError):
        return False
    return True


def doubts(names: Iterable[str] = os.environ) -> Iterator[str]:
    """Yield what a user should know of settings that are possible, and probably not meant.

    Args:
        names: of environment variables.
    """
    from gnomon.service.config import conf

    folder = str(conf.get("core", "dags_folder"))
    if not os.path.isdir(folder):
        yield f"[core] dags_folder: {folder} does not exist yet; there are no DAGs until it does"
    executors = [one.strip() for one in str(conf.get("core", "executor")).split(",")]
    if not any("Local" in one or "Sequential" in one for one in executors):
        yield f"[core] executor: there is no {executors[0]} here; tasks run as processes of this machine"
    for name in names:
        if (right := _probably(name)) is not None:
            yield f"{name} is no setting of Airflow; did you mean {right}?"


def _probably(name: str) -> str | None:
    """Return what a misspelt AIRFLOW__SECTION__OPTION was meant to be, or None."""
    from difflib import get_close_matches

    from gnomon.service.config import conf, variable_name

    head, _, rest = name.partition("__")
    section, _, option = rest.lower().partition("__")
    known = conf.known_options(section) if head == "AIRFLOW" else []
    if not option or not known or option.removesuffix("_cmd").removesuffix("_secret") in known:
        return None
    found = get_close_matches(option.replace("__", "_"), known, n=1, cutoff=0.8)
    return variable_name(section, found[0]) if found else None
