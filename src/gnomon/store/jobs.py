"""Jobs: the processes of Gnomon, as the jobs page and `airflow jobs check` show them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from gnomon.store import limits, tables
from gnomon.store.announcements import announce_in
from gnomon.store.database import Database, Statement
from gnomon.store.records import JOB, Job
from gnomon.store.types import to_micros

_t = tables.job
_BEAT = Statement("UPDATE job SET latest_heartbeat = :now WHERE id = :id AND state = 'running'")


class Jobs:
    """Processes that run and have run."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def start(
        self,
        job_type: str,
        *,
        hostname: str,
        pid: int,
        now: datetime,
        unixname: str | None = None,
        executor_class: str | None = None,
    ) -> int:
        """Register a process; return its number.

        Args:
            job_type: as Airflow spells it: SchedulerJob, TriggererJob, DagProcessorJob …
            hostname: the machine.
            pid: on that machine.
            now: this moment.
            unixname: the user it runs as.
            executor_class: of a scheduler.
        """
        row = {
            "job_type": job_type,
            "state": "running",
            "hostname": hostname,
            "pid": pid,
            "executor_class": executor_class,
            "unixname": unixname,
            "start_date": now,
            "latest_heartbeat": now,
        }
        limits.check(_t, row)
        with self._db.write() as conn:
            number = int(conn.execute(_t.insert().values(**row).returning(_t.c.id)).scalar_one())
            announce_in(conn, "starting", _told(row, number), now)
            return number

    def heartbeat(self, job_id: int, now: datetime) -> bool:
        """Note that a process lives; False if it was ended by somebody else."""
        with self._db.write() as conn:
            return _BEAT.run(conn, id=job_id, now=to_micros(now)).rowcount > 0

    def end(self, job_id: int, now: datetime, state: str = "success") -> None:
        """Note that a process has ended: `success`, or `failed`."""
        query = update(_t).where(_t.c.id == job_id, _t.c.state == "running").values(state=state, end_date=now)
        with self._db.write() as conn:
            row = conn.execute(query.returning(_t)).mappings().first()
            if row is not None and state == "success":  # one that was killed tells nobody
                announce_in(conn, "stopping", _told(dict(row), job_id), now)

    def alive(self, now: datetime, *, job_type: str | None = None, within: float = 30.0) -> list[Job]:
        """Return the running processes whose last heartbeat is at most `within` seconds old, the latest first."""
        query = select(*JOB).where(_t.c.state == "running", _t.c.latest_heartbeat >= now - timedelta(seconds=within))
        if job_type is not None:
            query = query.where(_t.c.job_type == job_type)
        with self._db.read() as conn:
            return [Job(*row) for row in conn.execute(query.order_by(_t.c.latest_heartbeat.desc(), _t.c.id.desc()))]

    def latest(self, job_type: str) -> Job | None:
        """Return the process of a kind that was heard of last, for health checks."""
        query = select(*JOB).where(_t.c.job_type == job_type).order_by(_t.c.latest_heartbeat.desc(), _t.c.id.desc())
        with self._db.read() as conn:
            row = conn.execute(query.limit(1)).first()
        return None if row is None else Job(*row)

    def end_dead(self, now: datetime, *, within: float = 300.0) -> int:
        """Mark processes failed that were not heard of for longer than `within` seconds; return how many."""
        dead = (_t.c.state == "running", _t.c.latest_heartbeat < now - timedelta(seconds=within))
        with self._db.write() as conn:
            return conn.execute(update(_t).where(*dead).values(state="failed", end_date=now)).rowcount


def _told(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return what listeners are told of a process."""
    names = ("job_type", "state", "hostname", "pid", "executor_class", "unixname")
    times = {name: to_micros(row[name]) for name in ("start_date", "end_date") if row.get(name) is not None}
    return {"id": number, **{name: row[name] for name in names}, **times}
