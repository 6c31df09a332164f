"""The arguments of DAG: their checks, and Airflow 2's names of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from gnomon.sdk.settings import profile, setting
from gnomon.sdk.types import NOTSET

TAG_MAX_LEN = 100

#: Airflow 2's spellings of arguments.
_OLD_ARGUMENTS = {"concurrency": "max_active_tasks", "fail_stop": "fail_fast"}
#: Airflow 2's arguments that have no effect any more.
_IGNORED_ARGUMENTS = ("default_view", "orientation", "full_filepath")


def default_schedule() -> Any:
    """Return the schedule of a DAG that names none."""
    # A DAG without a schedule is run by hand; in Airflow 2 it is run daily.
    return timedelta(days=1) if profile() == 2 else None


def translated(dag_id: str, old: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of Airflow 2 under today's names."""
    given: dict[str, Any] = {}
    for name, value in old.items():
        if name in ("schedule_interval", "timetable"):
            warn(f"DAG({name}=…) is now schedule=…")
            if value is not NOTSET:
                given["schedule"] = value
        elif name in _OLD_ARGUMENTS:
            warn(f"DAG({name}=…) is now {_OLD_ARGUMENTS[name]}=…")
            given[_OLD_ARGUMENTS[name]] = value
        elif name not in _IGNORED_ARGUMENTS:
            raise TypeError(f"DAG.__init__() got an unexpected keyword argument {name!r} (DAG {dag_id!r})")
    return given


def typed(name: str, value: Any, kind: type) -> Any:
    """Return an argument that has the right type, or None."""
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"DAG: '{name}' has to be a {kind.__name__}, not {type(value).__name__}: {value!r}")
    return value


def limit(name: str, value: Any, fallback: int, key: str) -> int:
    """Return an integer argument, or the setting that stands in for it."""
    if value is None:
        return int(setting("core", key, fallback))
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"DAG: '{name}' has to be an integer, not {type(value).__name__}: {value!r}")
    return value


def checked_tags(dag_id: str, tags: Collection[str] | None) -> set[str]:
    """Return the tags."""
    if isinstance(tags, str):
        raise TypeError(f"DAG: 'tags' has to be a list of strings, not a string: {tags!r}")
    for tag in tags or ():
        if not isinstance(tag, str):
            raise TypeError(f"DAG: 'tags' has to be a list of strings, {tag!r} is not one")
        if len(tag) > TAG_MAX_LEN:
            raise ValueError(f"tag cannot be longer than {TAG_MAX_LEN} characters: {tag!r}")
    return set(tags or ())


def checked_owner_links(links: dict[str, str] | None) -> dict[str, str]:
    """Return the links."""
    from urllib.parse import urlsplit

    for owner, link in (links or {}).items():
        parts = urlsplit(str(link))
        if not ((parts.scheme in ("http", "https") and parts.netloc) or parts.scheme == "mailto"):
            raise ValueError(
                f"Wrong link format was used for the owner {owner!r}: {link!r}. Use a valid http(s) or mailto link"
            )
    return dict(links or {})


def run_types(given: Any) -> frozenset[str] | None:
    """Return the run types as data."""
    if not given:
        return None
    from gnomon.model.states import DagRunType

    return frozenset(DagRunType(one).value for one in ([given] if isinstance(given, str) else given))


def file_of_author() -> str:
    """Return the file that called DAG(…) or the function that @dag decorates."""
    here = os.path.dirname(__file__)
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(here):
        frame = frame.f_back
    return frame.f_code.co_filename


def warn(message: str) -> None:
    """Say that an argument is old, at the line of the author."""
    import warnings

    from gnomon.sdk.exceptions import RemovedInAirflow4Warning

    warnings.warn(message, RemovedInAirflow4Warning, stacklevel=4)


def text_of(doc_md: str | None) -> str | None:
    """Return documentation; the name of a Markdown file stands for its content."""
    if doc_md is None or not doc_md.endswith(".md"):
        return doc_md
    try:
        with open(doc_md) as file:
            return file.read()
    except OSError:
        return doc_md
