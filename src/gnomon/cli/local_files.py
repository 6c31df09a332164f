"""Parsing DAG files now, in a child process, without any service: `dev parse`, `run`, `dags list --local`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from gnomon.cli import output
from gnomon.cli.errors import CommandError
from gnomon.wire import execution as wire

Answer = Callable[[wire.Request], wire.Reply]


class LocalFile(msgspec.Struct, frozen=True):
    """A DAG file on this machine."""

    bundle: str
    root: str
    relative_path: str

    @property
    def path(self) -> str:
        """Its absolute path."""
        return os.path.join(self.root, self.relative_path)

    def shown(self) -> str:
        """The path as people type it: relative to where they are, if it is below."""
        here = os.getcwd()
        return os.path.relpath(self.path, here) if self.path.startswith(here + os.sep) else self.path


def configured_files() -> tuple[list[LocalFile], list[str]]:
    """Return the DAG files of the configured bundles, and what is wrong with their ignore files."""
    from gnomon.parsing.bundles import configured

    files, problems = [], []
    for bundle in configured():
        found = bundle.find()
        files += [LocalFile(bundle.name, bundle.root, path) for path in found.files]
        problems += [f"{os.path.join(bundle.root, path)}: {problem}" for path, problem in found.problems]
    return files, problems


def one_file(named: str) -> LocalFile:
    """Return a DAG file named on the command line; its bundle is the configured one that it lies in, if any.

    Raises:
        CommandError: there is no such file.
    """
    from gnomon.parsing.bundles import configured

    bundles = configured()
    candidates = [Path(named), *(Path(bundle.root, named) for bundle in bundles)]
    path = next((candidate.resolve() for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise CommandError(f"{named} does not exist")
    for bundle in bundles:
        root = Path(bundle.root).resolve()
        if path.is_relative_to(root):
            return LocalFile(bundle.name, str(root), str(path.relative_to(root)))
    return LocalFile("command-line", str(path.parent), path.name)


def parse(
    files: Iterable[LocalFile],
    answer: Answer,
    on_parsed: Callable[[LocalFile, wire.ParsedFile], bool | None] = lambda file, parsed: None,
) -> list[tuple[LocalFile, wire.ParsedFile]]:
    """Parse files in processes that may fail alone, and return the outcomes as they came.

    Args:
        files: which ones.
        answer: answers what they ask for at the top: variables and connections.
        on_parsed: called with each outcome; True ends it early.
    """
    waiting = {(file.bundle, file.relative_path): file for file in files}
    return asyncio.run(_parse(waiting, answer, on_parsed)) if waiting else []


async def _parse(
    waiting: dict[tuple[str, str], LocalFile],
    answer: Answer,
    on_parsed: Callable[[LocalFile, wire.ParsedFile], bool | None],
) -> list[tuple[LocalFile, wire.ParsedFile]]:
    from gnomon.parsing.link import ParserLink

    outcomes: list[tuple[LocalFile, wire.ParsedFile]] = []
    done = asyncio.Event()
    by_path = {file.relative_path: file for file in waiting.values()}

    def parsed(outcome: wire.ParsedFile) -> None:
        file = by_path[outcome.relative_path]
        if waiting.pop((file.bundle, file.relative_path), None) is None:
            return
        outcomes.append((file, outcome))
        if on_parsed(file, outcome) or not waiting:
            done.set()

    def send_all() -> None:
        for file in list(waiting.values()):
            link.send(
                wire.ParseFile(
                    bundle=file.bundle, bundle_root=file.root, path=file.path, relative_path=file.relative_path
                )
            )

    link = ParserLink(parsed, send_all, answer)
    link.start()
    try:
        await done.wait()
    finally:
        await link.stop()
    return outcomes


def list_local(output_format: output.Format) -> None:
    """Print the DAGs that the files define now."""
    rows: list[dict[str, Any]] = []
    for file, parsed in _parse_configured():
        for data in parsed.dags:
            dag = msgspec.json.decode(data)
            rows.append(
                {"dag_id": dag["dag_id"], "fileloc": file.path, "owners": dag.get("owners", []), "is_paused": None}
            )
    output.rows(sorted(rows, key=lambda row: str(row["dag_id"])), output_format)


def list_local_errors(output_format: output.Format) -> list[dict[str, Any]]:
    """Print the files that cannot be imported now, and return them."""
    rows = [
        {"bundle_name": file.bundle, "filepath": file.path, "error": parsed.error}
        for file, parsed in _parse_configured()
        if parsed.error
    ]
    output.rows(rows, output_format)
    return rows


def _parse_configured() -> list[tuple[LocalFile, wire.ParsedFile]]:
    from gnomon.api.execution.handlers import Handlers
    from gnomon.cli.opening import opened

    with opened() as store:
        handlers = Handlers(store)
        files, _ = configured_files()
        return sorted(parse(files, lambda request: handlers.handle(None, request)), key=lambda pair: pair[0].path)
