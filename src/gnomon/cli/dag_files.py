"""`airflow dags report` and `dags reserialize`: all DAG files, read now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gnomon.cli import output
from gnomon.cli.arguments import Bundles
from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.opening import opened
from gnomon.cli.output import Format, Output, Verbose

if TYPE_CHECKING:
    from gnomon.parsing.bundles import LocalBundle
    from gnomon.store.dags import Dags


def report(bundle_name: Bundles = None, output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """Read all DAG files and show how long each took and what it defines, the slowest first."""
    import msgspec

    from gnomon.api.execution.handlers import Handlers
    from gnomon.cli.local_files import configured_files, parse

    with opened() as store:
        names = {bundle.name for bundle in _bundles(bundle_name)}
        handlers = Handlers(store)
        files = [file for file in configured_files()[0] if file.bundle in names]
        parsed = parse(files, lambda request: handlers.handle(None, request))
    rows: list[tuple[float, dict[str, Any]]] = []
    for file, outcome in parsed:
        dags = [msgspec.json.decode(data) for data in outcome.dags]
        row = {
            "file": file.relative_path,
            "duration": timedelta(seconds=outcome.seconds),
            "dag_num": len(dags),
            "task_num": sum(len(dag.get("tasks", ())) for dag in dags),
            "dags": sorted(dag["dag_id"] for dag in dags),
        }
        rows.append((outcome.seconds, row))
    output.rows([row for _, row in sorted(rows, key=lambda pair: -pair[0])], output_format)


def reserialize(bundle_name: Bundles = None, verbose: Verbose = False) -> None:
    """Read all DAG files and store what they define, whether or not they changed."""
    from gnomon.api.execution.handlers import Handlers
    from gnomon.parsing.processor import DagProcessor

    with opened() as store:
        bundles = _bundles(bundle_name)
        names = {bundle.name for bundle in bundles}
        handlers = Handlers(store)
        sink = _Unread(store.dags, names)
        processor = DagProcessor(sink, lambda request: handlers.handle(None, request), bundles=bundles)
        asyncio.run(_once(processor))
        files = store.dags.files()
        failed = [path for bundle, path, _ in store.dags.import_errors() if bundle in names]
    count = sum(1 for file in files if file.bundle_name in names)
    print(f"Read {count} file{'' if count == 1 else 's'} of {', '.join(sorted(names))}.")
    if failed:
        output.note(f"{', '.join(sorted(failed))} failed: `airflow dags list-import-errors` shows why.")


class _Unread:
    """The store of DAGs, to which every file of some bundles is one that has changed."""

    def __init__(self, dags: Dags, bundles: set[str]) -> None:
        self._dags = dags
        self._bundles = bundles

    def files(self, bundle: str | None = None) -> Iterable[Any]:
        """Return the files that were recorded, without what tells that they are unchanged."""
        import msgspec

        recorded = [file for file in self._dags.files(bundle) if file.bundle_name in self._bundles]
        return [msgspec.structs.replace(file, source_hash="") for file in recorded]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dags, name)


async def _once(processor: Any) -> None:
    await processor.start()  # it is ready when every file has been read
    await processor.stop()


def _bundles(wanted: list[str] | None) -> list[LocalBundle]:
    """Return the bundles of the settings, or those that are named.

    Raises:
        CommandError: there is no such bundle.
    """
    from gnomon.parsing.bundles import configured

    bundles = configured()
    known = [bundle.name for bundle in bundles]
    for name in wanted or ():
        if name not in known:
            raise CommandError(f"-B/--bundle-name: there is no bundle {name!r}{did_you_mean(name, known)}")
    return [bundle for bundle in bundles if not wanted or bundle.name in wanted]
