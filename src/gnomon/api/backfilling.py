"""Creating a backfill because somebody asked for it, and saying beforehand what it would do."""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from gnomon.api import inference
from gnomon.api.refusals import TriggerRefused
from gnomon.api.triggering import check_params
from gnomon.model.backfills import BackfillRefused, ReprocessBehavior, check, runs_of
from gnomon.model.schedule import RunToCreate
from gnomon.model.states import DagRunType
from gnomon.model.timetables import TimetableError, build
from gnomon.service import config
from gnomon.service.config import conf as settings
from gnomon.store.backfills import Made, NewBackfill
from gnomon.store.errors import BackfillUnderWay, DagNotFound
from gnomon.store.reads.versions import VersionCache

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.wire.dag import SerializedDag


class BackfillRequest(msgspec.Struct, kw_only=True):
    """What the backfill is to be."""

    dag_id: str
    from_date: datetime
    to_date: datetime
    now: datetime
    conf: dict[str, Any] | None = None
    backwards: bool = False
    reprocess: ReprocessBehavior = ReprocessBehavior.NONE
    max_active_runs: int = 10
    user: str | None = None
    #: whether runs that are made again go on with the newest version; None: as the DAG or the setting says
    latest_version: bool | None = None
    #: seconds to wait for a custom timetable
    patience: float = inference.PATIENCE_SECONDS


def create_backfill(store: Store, versions: VersionCache, request: BackfillRequest) -> Made:
    """Create a backfill with all its runs, and ring the scheduler's bell.

    Raises:
        DagNotFound: there is no such DAG, or it is gone from its file.
        BackfillUnderWay: it has a backfill that is not completed.
        TriggerRefused: the DAG does not allow it, or its timetable cannot answer.
        BackfillRefused: what was asked for cannot be done, or there is nothing to do.
        AnswerPending: its custom timetable has not said in time which runs there are.
    """
    dag = _dag(store, versions, request)
    if store.backfills.is_active(request.dag_id):  # asked here so that nobody waits for a timetable in vain
        raise BackfillUnderWay(request.dag_id)
    runs = _runs(store, dag, request)
    if not runs:
        bounds = f"{request.from_date.isoformat()} to {request.to_date.isoformat()}"
        raise BackfillRefused(f"DAG {request.dag_id!r} has no runs from {bounds}, so there is nothing to backfill")
    new = NewBackfill(
        dag_id=request.dag_id,
        from_date=request.from_date,
        to_date=request.to_date,
        conf=request.conf,
        reprocess=request.reprocess,
        max_active_runs=request.max_active_runs,
        user=request.user,
        latest_version=_latest_version(dag, request.latest_version),
    )
    return store.backfills.create(new, runs, request.now)


def dry_run(store: Store, versions: VersionCache, request: BackfillRequest) -> list[RunToCreate]:
    """Return the runs that a backfill would make, or make again; what it raises is what `create_backfill` would.

    Raises:
        DagNotFound: there is no such DAG, or it is gone from its file.
        TriggerRefused: the DAG does not allow it, or its timetable cannot answer.
        BackfillRefused: what was asked for cannot be done.
        AnswerPending: its custom timetable has not said in time which runs there are.
    """
    runs = _runs(store, _dag(store, versions, request), request)
    return store.backfills.missing(request.dag_id, runs, request.reprocess)


def _dag(store: Store, versions: VersionCache, request: BackfillRequest) -> SerializedDag:
    row = store.dags.get(request.dag_id)
    if row is None or row.is_stale:
        raise DagNotFound(request.dag_id)
    with store.database.read() as conn:
        dag = versions.dag(conn, row.version_id)
    if dag is None:
        raise DagNotFound(request.dag_id)
    if dag.allowed_run_types is not None and DagRunType.BACKFILL not in dag.allowed_run_types:
        raise TriggerRefused(f"Dag with dag_id: '{request.dag_id}' does not allow backfill runs")
    return dag


def _runs(store: Store, dag: SerializedDag, request: BackfillRequest) -> list[RunToCreate]:
    profile = config.profile()
    bounds = {"earliest": request.from_date, "latest": request.to_date}
    shared = {**bounds, "backwards": request.backwards, "now": request.now}
    if request.max_active_runs < 1:
        raise BackfillRefused(f"max_active_runs must be at least 1, not {request.max_active_runs}")
    try:
        timetable = build(dag.timetable, profile)
        check(dag, timetable, reprocess=request.reprocess, **shared)  # type: ignore[arg-type]
        if request.conf is not None:
            check_params(dag, request.conf)
        plan = partial(runs_of, timetable, profile=profile, salt=secrets.token_hex(4), **shared)  # type: ignore[arg-type]
        return inference.planned(store, dag.dag_id, plan, patience=request.patience)
    except (TimetableError, TriggerRefused) as error:
        raise BackfillRefused(str(error)) from None


def _latest_version(dag: SerializedDag, asked: bool | None) -> bool:
    said = dag.rerun_with_latest_version if asked is None else asked
    return settings.getboolean("core", "rerun_with_latest_version", fallback=True) if said is None else said
