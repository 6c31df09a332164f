"""Where the log of a try is, and how it is read: by the worker that writes it and by API and CLI that show it.

A log is JSON lines. A line that is not JSON is the raw output of something; a last line without an end is either still
being written or was cut off when its process was killed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import msgspec

from gnomon.service.config import conf

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_CHUNK = 1 << 16


def base_folder() -> str:
    """Return `[logging] base_log_folder`, absolute."""
    folder = conf.get("logging", "base_log_folder", fallback=None) or os.path.join("~", "airflow", "logs")
    return os.path.abspath(os.path.expandvars(os.path.expanduser(folder)))


def try_log_path(
    dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int, *, folder: str | None = None
) -> str:
    """Return the path of the log of one try; the layout is Airflow 3's."""
    base = base_folder() if folder is None else folder
    mapped = f"map_index={map_index}/" if map_index >= 0 else ""
    return (
        f"{base}/dag_id={_name(dag_id)}/run_id={_name(run_id)}/task_id={_name(task_id)}/{mapped}"
        f"attempt={try_number}.log"
    )


def callback_log_path(dag_id: str, run_id: str, kind: str, *, folder: str | None = None) -> str:
    """Return the path of the log of a DAG run's callbacks of one kind."""
    base = base_folder() if folder is None else folder
    return f"{base}/dag_id={_name(dag_id)}/run_id={_name(run_id)}/callback={kind}.log"


def read(path: str | os.PathLike[str], offset: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each complete line from byte `offset` on as a dict, with the offset after it.

    The last line counts as complete without its end only when it is whole JSON, so a reader that follows a growing
    file can go on from the last offset it got. A file that does not exist (yet) has no lines.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        torn = b""
        while chunk := file.read(_CHUNK):
            lines = (torn + chunk).split(b"\n")
            torn = lines.pop()
            for line in lines:
                offset += len(line) + 1
                if line.strip():
                    yield offset, parse(line)
        if torn.strip() and (entry := _json(torn)) is not None:
            yield offset + len(torn), entry


def read_all(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return all lines of a log as dicts; a torn last line is kept as raw text."""
    entries: list[dict[str, Any]] = []
    end = 0
    for end, entry in read(path):  # noqa: B007 - the last offset counts
        entries.append(entry)
    try:
        with open(path, "rb") as file:
            file.seek(end)
            rest = file.read()
    except FileNotFoundError:
        return entries
    if rest.strip():
        entries.append(parse(rest))
    return entries


def parse(line: bytes) -> dict[str, Any]:
    """Return one line as a dict with at least `event`; raw text has nothing else."""
    entry = _json(line)
    if entry is not None:
        return entry
    return {"event": line.decode("utf-8", "replace").rstrip("\r\n")}


def _json(line: bytes) -> dict[str, Any] | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        entry = _decode(line)
    except msgspec.DecodeError:
        return None
    return entry if "event" in entry else None


def _name(part: str) -> str:
    # A run id may be anything that a person typed; it must stay one folder.
    return part.replace("/", "_").replace("\0", "_")
