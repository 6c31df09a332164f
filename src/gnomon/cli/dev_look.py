"""`gnomon dev ps` and `gnomon dev logs`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from gnomon.cli import output, processes, statefile
from gnomon.cli import project as projects
from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import single
from gnomon.cli.output import Format, Output
from gnomon.service import clock

ps_app = single()
logs_app = single()

#: How often a followed log is looked at; nobody reads faster.
_LOOK_SECONDS = 0.2


@ps_app.command()
def ps(
    output_format: Output = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
) -> None:
    """Show the project's processes. Memory is of each and everything below it; shared pages are counted once."""
    project = projects.require()
    os.environ["AIRFLOW_HOME"] = str(project.home)
    state = statefile.running()
    if state is None:
        if as_json or output_format in (Format.JSON, Format.YAML):
            output.rows([], Format.JSON if as_json else output_format)
        else:
            print("Nothing is running here. Start it with: gnomon dev start")
        raise typer.Exit(1)
    output.rows(process_rows(state), Format.JSON if as_json else output_format)
    if output_format == Format.TABLE and not as_json:
        print(f"\nhttp://localhost:{state.port}  {state.project}")


def process_rows(state: statefile.State) -> list[dict[str, Any]]:
    """Return a row for each process of a supervisor, and one for their sum."""
    pids = {"supervisor": state.pid} | {name: part.pid for name, part in state.parts.items()}
    used = memory_of(state)
    rows = []
    for name, pid in pids.items():
        part = state.parts.get(name)
        rows.append(
            {
                "name": name,
                "state": part.state if part else "running",
                "pid": pid or None,
                "up": duration(clock.now_us() / 1e6 - part.since) if part and part.pid else "",
                "restarts": part.restarts if part else 0,
                "memory": megabytes(used[name]),
            }
        )
    rows.append(
        {"name": "all", "state": "", "pid": None, "up": "", "restarts": "", "memory": megabytes(sum(used.values()))}
    )
    return rows


def memory_of(state: statefile.State) -> dict[str, int]:
    """Return the bytes of each part with everything below it; the zygote counts as the supervisor's."""
    roots = {name: part.pid for name, part in state.parts.items() if part.pid}
    trees = processes.descendants(roots.values())
    used = {name: processes.memory(trees[pid]) for name, pid in roots.items()}
    own = [state.pid, *([state.zygote] if state.zygote else [])]
    return {"supervisor": processes.memory(own)} | {name: used.get(name, 0) for name in state.parts}


def megabytes(count: int) -> str:
    """Return bytes as megabytes."""
    return f"{count / 1e6:.0f} MB"


def duration(seconds: float) -> str:
    """Return a duration as people say it: 4s, 3m 20s, 2h 5m, 3d 4h."""
    whole = max(0, int(seconds))
    for size, name, next_size, next_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size}{name}" + (f" {rest}{next_name}" if rest else "")
    return f"{whole}s"


@logs_app.command()
def logs(
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as they are written.")] = False,
    scheduler: Annotated[bool, typer.Option("-s", "--scheduler", help="Only the scheduler's.")] = False,
    webserver: Annotated[bool, typer.Option("-w", "--webserver", help="The same as --api-server.")] = False,
    api_server: Annotated[bool, typer.Option("-a", "--api-server", help="Only the API server's.")] = False,
    triggerer: Annotated[bool, typer.Option("-t", "--triggerer", help="Only the triggerer's.")] = False,
    dag_processor: Annotated[bool, typer.Option("-d", "--dag-processor", help="Only the DAG processor's.")] = False,
    worker: Annotated[bool, typer.Option("--worker", help="Only the worker's.")] = False,
    count: Annotated[
        int, typer.Option("-n", "--lines", min=0, help="How many old lines to show of each; 0 for all.")
    ] = 100,
) -> None:
    """Show what the processes say, mixed in the order of time. Tasks have logs of their own."""
    project = projects.require()
    folder = project.home / "logs" / "processes"
    chosen = {
        "scheduler": scheduler,
        "api-server": api_server or webserver,
        "triggerer": triggerer,
        "dag-processor": dag_processor,
        "worker": worker,
    }
    names = [name for name, wanted in chosen.items() if wanted] or list(chosen)
    if not folder.is_dir():
        raise CommandError("nothing has been started here yet", hint="gnomon dev start")
    paths = {name: folder / f"{name}.log" for name in names}
    offsets = {}
    entries = []
    for name, path in paths.items():
        lines, offsets[name] = tail(path, 0)
        entries += [(stamp(text), number, name, text) for number, text in enumerate(lines[-count:] if count else lines)]
    for _, _, name, text in sorted(entries, key=lambda entry: entry[:2]):
        print(readable(name, text))
    if not entries:
        print(f"Nothing said yet by {', '.join(names)}.", file=sys.stderr)
    while follow:
        sys.stdout.flush()
        time.sleep(_LOOK_SECONDS)
        for name, text in new_lines(paths, offsets):
            print(readable(name, text))


def tail(path: Path, offset: int) -> tuple[list[str], int]:
    """Return the whole lines of a file from `offset` on, and the offset after them."""
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < offset:
                offset = 0  # it was set aside, and a new one begun
            file.seek(offset)
            data = file.read()
    except OSError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode("utf-8", "replace").splitlines(), offset + len(whole)


def new_lines(paths: dict[str, Path], offsets: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Yield (name, line) for what was written since the last look, and move the offsets on."""
    found = []
    for name, path in paths.items():
        lines, offsets[name] = tail(path, offsets[name])
        found += [(stamp(text), number, name, text) for number, text in enumerate(lines)]
    for _, _, name, text in sorted(found, key=lambda entry: entry[:2]):
        yield name, text


def stamp(text: str) -> str:
    """Return the time of a log line, for sorting; "" if it says none."""
    if not text.startswith("{"):
        return ""
    try:
        return str(json.loads(text).get("timestamp", ""))
    except ValueError:
        return ""


#: Fields of a JSON line that are shown in places of their own, or not at all.
_PLACED = frozenset({"timestamp", "event", "level", "logger", "component", "exception"})


def readable(name: str, text: str) -> str:
    """Return a log line as people read it: time, process, level if it matters, message, fields."""
    head = f"{name:<13} |"
    try:
        entry = json.loads(text) if text.startswith("{") else None
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or "event" not in entry:
        return f"{'':8} {head} {text}"
    clock = str(entry.get("timestamp", ""))[11:19]
    level = str(entry.get("level", "info"))
    loud = f"{level}: " if level in ("warning", "error", "critical") else ""
    fields = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _PLACED)
    said = f"{clock:8} {head} {loud}{entry['event']}" + (f" {fields}" if fields else "")
    trouble = "".join(f"\n{'':8} {head}   {part}" for part in str(entry.get("exception") or "").splitlines())
    return said + trouble
