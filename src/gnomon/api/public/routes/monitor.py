"""Health and version: the routes that need no login."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gnomon.api.context import Ctx, router
from gnomon.api.public.models.admin import Health, Version
from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.store.errors import StoreError
from gnomon.store.reads import admin as reads

monitor = router("Monitor", None, "/monitor")
version = router("Version", None)

#: Airflow's job types, and the setting that says when one counts as dead.
_PARTS = {
    "scheduler": ("SchedulerJob", ("scheduler", "scheduler_health_check_threshold")),
    "triggerer": ("TriggererJob", ("triggerer", "triggerer_health_check_threshold")),
    "dag_processor": ("DagProcessorJob", ("scheduler", "scheduler_health_check_threshold")),
}


@monitor.get("/health")
def get_health(ctx: Ctx) -> Health:
    """Say for each part whether it has been heard of lately."""
    try:
        with ctx.read() as conn:
            heartbeats = reads.newest_heartbeats(conn)
        database = "healthy"
    except StoreError:
        heartbeats, database = {}, "unhealthy"
    now = clock.now()
    parts = {name: _status(name, heartbeats.get(job), setting, now) for name, (job, setting) in _PARTS.items()}
    return Health.model_validate({"metadatabase": {"status": database}, **parts})


def _status(name: str, latest: datetime | None, setting: tuple[str, str], now: datetime) -> dict[str, Any]:
    limit = timedelta(seconds=conf.getint(*setting, fallback=30))
    status: str | None = None
    if latest is not None:
        status = "healthy" if now - latest <= limit else "unhealthy"
    elif name == "scheduler":
        status = "unhealthy"  # without one nothing runs, so its absence is never fine
    return {"status": status, f"latest_{name}_heartbeat": None if latest is None else latest.isoformat()}


@version.get("/version")
def get_version() -> Version:
    """Say which Airflow this behaves like, and which Gnomon it is."""
    import gnomon

    return Version(version=gnomon.AIRFLOW_VERSION, git_version=f"gnomon {gnomon.__version__}")
