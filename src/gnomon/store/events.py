"""The audit log: who did what."""

from __future__ import annotations

from datetime import datetime

from gnomon.store import limits, tables
from gnomon.store.database import Database

_t = tables.event_log


class Events:
    """The audit log."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def record(
        self,
        event: str,
        now: datetime,
        *,
        owner: str | None = None,
        dag_id: str | None = None,
        run_id: str | None = None,
        task_id: str | None = None,
        map_index: int | None = None,
        try_number: int | None = None,
        logical_date: datetime | None = None,
        extra: str | None = None,
    ) -> int:
        """Add an entry and return its number.

        Args:
            event: a short name, for example "cli_dags_trigger" or "patch_dag".
            now: this moment.
            owner: who did it.
            dag_id: and the other ids: what it was done to.
            run_id: the run.
            task_id: the task.
            map_index: the instance of a mapped task.
            try_number: the try.
            logical_date: the run's.
            extra: JSON text with secrets masked.
        """
        row = {
            "dttm": now,
            "event": event,
            "owner": owner,
            "dag_id": dag_id,
            "run_id": run_id,
            "task_id": task_id,
            "map_index": map_index,
            "try_number": try_number,
            "logical_date": logical_date,
            "extra": extra,
        }
        limits.check(_t, row)
        with self._db.write() as conn:
            return int(conn.execute(_t.insert().values(**row).returning(_t.c.id)).scalar_one())
