"""DAGs, their versions and their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, select, update

from gnomon.model.states import TaskInstanceState
from gnomon.store import asset_references, parses, tables
from gnomon.store.backfill_tables import backfill
from gnomon.store.database import Database, Statement
from gnomon.store.errors import DagBusy, DagNotFound, Invalid
from gnomon.store.leader import between_commits
from gnomon.store.notifier import notify_in
from gnomon.store.parses import Parse, Recorded
from gnomon.store.records import DAG, PARSED_FILE, Dag, ParsedFileRecord
from gnomon.store.types import to_micros

_dag = tables.dag
_version = tables.dag_version
_run = tables.dag_run
_ti = tables.task_instance
_file = tables.parsed_file

_VERSION = Statement("SELECT data FROM dag_version WHERE id = :id")
_LATEST = Statement("SELECT v.id, v.data FROM dag d JOIN dag_version v ON v.id = d.version_id WHERE d.dag_id = :dag_id")
_SET_NEXT = Statement(
    "UPDATE dag SET next_run_after = :run_after, next_logical_date = :logical_date, next_interval_start = :start,"
    " next_interval_end = :end WHERE dag_id = :dag_id"
)


class Dags:
    """The DAGs that files define. Whoever changes one rings `dag`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ------------------------------------------------------------------------------------------- parsing

    def record_parse(self, parse: Parse, now: datetime, *, paused_at_creation: bool | None = None) -> Recorded:
        """Store what parsing one file gave: its DAGs, or why there are none.

        A DAG gets a new version only when its structure has changed. A DAG that left the file becomes stale; after an
        error the DAGs stay as they were. A DAG whose id another file defines, or that does not fit the tables, is
        refused with an import error.

        Args:
            parse: the outcome.
            now: this moment.
            paused_at_creation: for DAGs that do not say; [core] dags_are_paused_at_creation unless given.

        Raises:
            Invalid: the path of the file cannot be stored.
        """
        return self.record_parses([parse], now, paused_at_creation=paused_at_creation)[0]

    def record_parses(
        self, batch: Iterable[Parse], now: datetime, *, paused_at_creation: bool | None = None
    ) -> list[Recorded]:
        """Store many parses in one transaction; see `record_parse`."""
        paused = _paused_at_creation() if paused_at_creation is None else paused_at_creation
        clean = [parses.check_source(parse) for parse in batch]
        with self._db.write() as conn:
            return [parses.record(conn, parse, now, paused_at_creation=paused) for parse in clean]

    def mark_files_gone(self, bundle: str, paths: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
        """Forget files that are no longer there.

        Returns:
            Their DAGs, which are stale now, and (bundle, path) of files to parse again, because they define a DAG
            that was refused while a gone file had it.
        """
        with self._db.write() as conn:
            return parses.files_gone(conn, bundle, paths)

    def files(self, bundle: str | None = None) -> list[ParsedFileRecord]:
        """Return the files that were parsed, of one bundle or of all."""
        query = select(*PARSED_FILE).order_by(_file.c.bundle_name, _file.c.relative_path)
        if bundle is not None:
            query = query.where(_file.c.bundle_name == bundle)
        with self._db.read() as conn:
            return [ParsedFileRecord(*row) for row in conn.execute(query)]

    def parse_again(self, bundle: str, path: str) -> bool:
        """Have a file parsed whether or not it changes, now or when there is a dag-processor; False if it has no DAG."""
        in_file = (_dag.c.bundle_name == bundle, _dag.c.relative_fileloc == path, ~_dag.c.is_stale)
        with self._db.write() as conn:
            if not conn.execute(select(exists().where(*in_file))).scalar():
                return False
            mine = update(_file).where(_file.c.bundle_name == bundle, _file.c.relative_path == path)
            conn.execute(mine.values(source_hash=""))
            notify_in(conn, "parse", f"{bundle}:{path}")
        return True

    def set_bundle(self, name: str, now: datetime, *, version: str | None = None, active: bool = True) -> None:
        """Note that a bundle was refreshed, or is no longer configured."""
        bundle = tables.bundle
        row = {"version": version, "active": active, "last_refreshed": now}
        with self._db.write() as conn:
            statement = self._db.insert(bundle).values(name=name, **row)
            conn.execute(statement.on_conflict_do_update(index_elements=[bundle.c.name], set_=row))

    def import_errors(self) -> list[tuple[str, str, str]]:
        """Return (bundle, file, text) of every import error, by file."""
        error = tables.import_error
        query = select(error.c.bundle_name, error.c.filename, error.c.stacktrace).order_by(
            error.c.bundle_name, error.c.filename
        )
        with self._db.read() as conn:
            return [(bundle, path, text) for bundle, path, text in conn.execute(query)]

    # ------------------------------------------------------------------------------------------- reading

    def get(self, dag_id: str) -> Dag | None:
        """Return a DAG, stale or not; None if no file ever defined it."""
        with self._db.read() as conn:
            row = conn.execute(select(*DAG).where(_dag.c.dag_id == dag_id)).first()
        return None if row is None else Dag(*row)

    def require(self, dag_id: str) -> Dag:
        """Return a DAG that is there to be run.

        Raises:
            DagNotFound: no file defines it, or not any more.
        """
        dag = self.get(dag_id)
        if dag is None or dag.is_stale:
            raise DagNotFound(dag_id)
        return dag

    def all(self, *, include_stale: bool = False) -> list[Dag]:
        """Return the DAGs by id."""
        query = select(*DAG).order_by(_dag.c.dag_id)
        if not include_stale:
            query = query.where(_dag.c.is_stale.is_(False))
        with self._db.read() as conn:
            return [Dag(*row) for row in conn.execute(query)]

    def tags(self, dag_id: str) -> list[str]:
        """Return the tags of a DAG in order."""
        tag = tables.dag_tag
        with self._db.read() as conn:
            return list(conn.execute(select(tag.c.name).where(tag.c.dag_id == dag_id).order_by(tag.c.name)).scalars())

    def latest_version(self, dag_id: str) -> tuple[int, bytes] | None:
        """Return id and JSON of the version that new runs get; None if the DAG has none."""
        with self._db.read() as conn:
            row = _LATEST.run(conn, dag_id=dag_id).first()
        if row is None:
            return None
        version_id, data = row
        return int(version_id), data.encode()

    def version(self, version_id: int) -> bytes | None:
        """Return the JSON of a version; it never changes, so it may be kept for ever."""
        with self._db.read() as conn:
            data = _VERSION.run(conn, id=version_id).scalar()
        return None if data is None else data.encode()

    def source(self, dag_id: str, version_number: int | None = None) -> str | None:
        """Return the source text of the latest or a given version."""
        query = select(_version.c.source).where(_version.c.dag_id == dag_id)
        if version_number is not None:
            query = query.where(_version.c.version_number == version_number)
        with self._db.read() as conn:
            return conn.execute(query.order_by(_version.c.version_number.desc()).limit(1)).scalar()

    # ------------------------------------------------------------------------------------------ changing

    def set_paused(self, dag_id: str, is_paused: bool) -> bool:
        """Pause or unpause a DAG; False if it was so already.

        Raises:
            DagNotFound: there is no such DAG.
        """
        return dag_id in self._set_paused([dag_id], is_paused, must_exist=dag_id)

    def set_paused_matching(self, pattern: str, is_paused: bool) -> list[str]:
        """Pause or unpause every DAG whose whole id matches a regular expression; return those that it matches.

        Raises:
            Invalid: it is not a regular expression.
        """
        try:
            matches = re.compile(pattern).fullmatch
        except re.error as error:
            raise Invalid(f"{pattern!r} is not a regular expression: {error}") from None
        found = [dag.dag_id for dag in self.all() if matches(dag.dag_id)]
        self._set_paused(found, is_paused)
        return found

    def _set_paused(self, dag_ids: Sequence[str], is_paused: bool, must_exist: str | None = None) -> list[str]:
        with self._db.write() as conn:
            query = update(_dag).where(_dag.c.dag_id.in_(dag_ids), _dag.c.is_paused.is_not(is_paused))
            changed = list(conn.execute(query.values(is_paused=is_paused).returning(_dag.c.dag_id)).scalars())
            if must_exist is not None and not changed:
                _must_exist(conn, must_exist)
            for dag_id in changed:
                notify_in(conn, "dag", dag_id)
            if changed:
                asset_references.ring_for_watchers(conn, changed)
        return changed

    def set_next_run(
        self,
        dag_id: str,
        run_after: datetime | None,
        logical_date: datetime | None = None,
        interval: tuple[datetime, datetime] | None = None,
    ) -> None:
        """Keep the next automated run of a DAG; None when there is none."""
        start, end = interval or (None, None)
        with self._db.write() as conn:
            _SET_NEXT.run(
                conn,
                dag_id=dag_id,
                run_after=_micros(run_after),
                logical_date=_micros(logical_date),
                start=_micros(start),
                end=_micros(end),
            )

    def set_favorite(self, dag_id: str, user_id: str, favorite: bool) -> None:
        """Make a DAG one of a user's favourites, or not.

        Raises:
            DagNotFound: there is no such DAG.
        """
        table = tables.dag_favorite
        with self._db.write() as conn:
            _must_exist(conn, dag_id)
            if favorite:
                conn.execute(self._db.insert(table).values(user_id=user_id, dag_id=dag_id).on_conflict_do_nothing())
            else:
                conn.execute(delete(table).where(table.c.user_id == user_id, table.c.dag_id == dag_id))

    def delete(self, dag_id: str) -> int:
        """Delete a DAG with its runs and versions; return the number of runs. It returns if its file is still there.

        Raises:
            DagNotFound: there is no such DAG.
            DagBusy: tasks of it are running.
        """
        of_dag = select(_run.c.id).where(_run.c.dag_id == dag_id)
        tis = select(_ti.c.id).where(_ti.c.dag_run_id.in_(of_dag))
        running = exists().where(_ti.c.dag_run_id.in_(of_dag), _ti.c.state == TaskInstanceState.RUNNING)
        with self._db.write() as conn:
            between_commits(conn)
            row: Any = conn.execute(select(_dag).where(_dag.c.dag_id == dag_id)).first()
            if row is None:
                raise DagNotFound(dag_id)
            if conn.execute(select(running)).scalar():
                raise DagBusy(dag_id)
            conn.execute(delete(tables.trigger).where(tables.trigger.c.ti_id.in_(tis)))
            conn.execute(delete(tables.trigger_event).where(tables.trigger_event.c.ti_id.in_(tis)))
            runs = conn.execute(delete(_run).where(_run.c.dag_id == dag_id)).rowcount
            conn.execute(delete(backfill).where(backfill.c.dag_id == dag_id))
            asset_references.forget(conn, [dag_id])
            conn.execute(delete(_dag).where(_dag.c.dag_id == dag_id))
            conn.execute(delete(_version).where(_version.c.dag_id == dag_id))
            # The file counts as never parsed, so that a DAG which is still in it comes back.
            in_file = (_file.c.bundle_name == row.bundle_name, _file.c.relative_path == row.relative_fileloc)
            conn.execute(delete(_file).where(*in_file))
            parses.rivals_of(conn, [dag_id])
            notify_in(conn, "dag", dag_id)
            notify_in(conn, "parse", f"{row.bundle_name}:{row.relative_fileloc}")
        return runs


def _must_exist(conn: Connection, dag_id: str) -> None:
    if conn.execute(select(_dag.c.dag_id).where(_dag.c.dag_id == dag_id)).first() is None:
        raise DagNotFound(dag_id)


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _paused_at_creation() -> bool:
    from gnomon.service.config import conf

    return conf.getboolean("core", "dags_are_paused_at_creation", fallback=True)
