"""`gnomon dev parse`: says whether all DAG files are in order."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from gnomon.cli import project as projects
from gnomon.cli.errors import CommandError
from gnomon.cli.events import ChangingLine
from gnomon.cli.lazy import single
from gnomon.cli.local_files import LocalFile
from gnomon.parsing.failures import in_short
from gnomon.wire import execution as wire

app = single()

#: Frames of a traceback, and the place that a syntax error names.
_FRAME = re.compile(r'^\s*File "(?P<path>[^"]+)", line (?P<line>\d+)', re.MULTILINE)


@app.command()
def parse(
    files: Annotated[list[str] | None, typer.Argument(help="Only these files.")] = None,
    env: Annotated[str | None, typer.Option("-e", "--env", help="Env file.", show_default=".env")] = None,
    warnings: Annotated[bool, typer.Option("-w", "--warnings", help="Show warnings, such as deprecations.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Import every DAG file in a process of its own, and say what is wrong, with file and line.

    Variables and connections have their real values: those of airflow_settings.yaml, the environment and the
    project's database. Nothing needs to run. The exit code is 1 if a file cannot be imported.
    """
    project = projects.require()
    began = time.perf_counter()
    os.environ.pop("AIRFLOW_HOME", None)
    from gnomon.api.execution.handlers import Handlers
    from gnomon.cli import local_files
    from gnomon.cli.private import private_store

    with private_store(env) as store, ChangingLine() as progress:
        handlers = Handlers(store)
        chosen, problems = _chosen(project, files)
        left = {file.path: file for file in chosen}
        progress.draw(f"parsing {len(chosen)} files")

        def parsed(file: LocalFile, outcome: wire.ParsedFile) -> None:
            left.pop(file.path, None)
            rest = ", ".join(one.shown() for one in left.values())
            progress.draw(f"parsed {len(chosen) - len(left)} of {len(chosen)} files; left: {rest}")

        found = local_files.parse(chosen, lambda request: handlers.handle(None, request), parsed)
    found.sort(key=lambda pair: pair[0].path)
    seconds = time.perf_counter() - began
    failed = [pair for pair in found if pair[1].error]
    if as_json:
        print(json.dumps([_as_json(file, parsed) for file, parsed in found], ensure_ascii=False))
    else:
        _print(found, problems, seconds, warnings=warnings)
    if failed or problems:
        raise typer.Exit(1)


def _chosen(project: projects.Project, named: list[str] | None) -> tuple[list[LocalFile], list[str]]:
    from gnomon.cli import local_files

    if named:
        return [local_files.one_file(name) for name in named], []
    files, problems = local_files.configured_files()
    excused = _exceptions(project.root)
    return [file for file in files if not _is_excused(file, project.root, excused)], problems


def _exceptions(root: Path) -> set[str]:
    path = root / ".astro" / "dag_integrity_exceptions.txt"
    if not path.is_file():
        return set()
    lines = (line.split("#", 1)[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {line for line in lines if line}


def _is_excused(file: LocalFile, root: Path, excused: set[str]) -> bool:
    return os.path.relpath(file.path, root) in excused or file.relative_path in excused


def _print(
    found: list[tuple[LocalFile, wire.ParsedFile]], problems: list[str], seconds: float, *, warnings: bool
) -> None:
    dags = sum(len(parsed.dags) for _, parsed in found)
    count = sum(len(parsed.warnings) for _, parsed in found)
    for file, parsed in found:
        for _, message in parsed.warnings if warnings else ():
            said = message.replace(file.path, file.shown())
            print(f"warning: {said}" if file.shown() in said else f"{file.shown()}: warning: {said}")
        if parsed.error:
            details = parsed.error.rstrip().splitlines()
            print(f"{place(file, parsed.error)}: {in_short(parsed.error, file.path)}")
            if len(details) > 1:
                print("\n".join(f"    {line}" for line in details))
    for problem in problems:
        print(problem)
    if count and not warnings:
        print(f"{count} warning{'s' * (count != 1)}; -w shows them")
    failed = sum(1 for _, parsed in found if parsed.error) + len(problems)
    files = f"{len(found)} file{'s' * (len(found) != 1)}"
    if failed:
        print(f"✘ {failed} of {files} cannot be used, {dags} DAGs in the others, {seconds:.1f} s")
    elif not found:
        raise CommandError("there is no DAG file: no .py file that speaks of airflow and of a dag")
    else:
        print(f"✔ No errors detected in your DAGs: {files}, {dags} DAG{'s' * (dags != 1)}, {seconds:.1f} s")


def _as_json(file: LocalFile, parsed: wire.ParsedFile) -> dict[str, Any]:
    line = place(file, parsed.error).rpartition(":")[2] if parsed.error else ""
    return {
        "file": file.path,
        "line": int(line) if line.isdigit() else None,
        "error": in_short(parsed.error, file.path) if parsed.error else None,
        "traceback": parsed.error,
        "warnings": [message for _, message in parsed.warnings],
        "dags": [json.loads(data)["dag_id"] for data in parsed.dags],
        "seconds": round(parsed.seconds, 4),
    }


def place(file: LocalFile, error: str) -> str:
    """Return file:line of an error: the last frame that is in this very file."""
    lines = [
        match["line"]
        for match in _FRAME.finditer(error)
        if os.path.realpath(match["path"]) == os.path.realpath(file.path)
    ]
    if lines:
        return f"{file.shown()}:{lines[-1]}"
    # Errors that are no tracebacks name the line in words, or none.
    named = re.search(re.escape(os.path.basename(file.path)) + r":(\d+)|\bline (\d+)", error)
    return f"{file.shown()}:{named[1] or named[2]}" if named else file.shown()
