"""A run of which one task instance alone is wanted, in a private store: `tasks test` and `tasks render`."""

from __future__ import annotations

from sqlalchemy import func, select, update

from gnomon.store import tables as t
from gnomon.store.database import Database


def make_instance(database: Database, dag_run_id: int, task_id: str, map_index: int) -> None:
    """Give a run the only task instance that it is to have; the scheduler makes no others."""
    ti, run = t.task_instance, t.dag_run
    with database.write() as conn:
        last = conn.execute(select(func.coalesce(func.max(ti.c.id), 0))).scalar_one()
        conn.execute(ti.insert().values(id=last + 1, dag_run_id=dag_run_id, task_id=task_id, map_index=map_index))
        conn.execute(update(run).where(run.c.id == dag_run_id).values(expanded=True))
