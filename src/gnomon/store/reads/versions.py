"""DAG versions: their rows, and what lists need from the serialized DAG without decoding all of it each time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from gnomon.store import tables as t
from gnomon.store.reads.columns import dag_display_name, labelled
from gnomon.store.reads.listing import Listing, equals
from gnomon.wire.dag import SerializedDag, decode

V = TypeVar("V")

VERSIONS = Listing(
    name="dag_versions",
    select=select(
        *labelled(
            id=t.dag_version.c.id,
            version_number=t.dag_version.c.version_number,
            dag_id=t.dag_version.c.dag_id,
            bundle_name=t.dag_version.c.bundle_name,
            bundle_version=t.dag_version.c.bundle_version,
            created_at=t.dag_version.c.created_at,
            dag_display_name=dag_display_name,
        )
    ).select_from(t.dag_version.join(t.dag, t.dag.c.dag_id == t.dag_version.c.dag_id)),
    key=t.dag_version.c.id,
    filters=(
        equals("version_number", t.dag_version.c.version_number, "int"),
        equals("bundle_name", t.dag_version.c.bundle_name),
        equals("bundle_version", t.dag_version.c.bundle_version),
    ),
    orders={
        "id": t.dag_version.c.id,
        "version_number": t.dag_version.c.version_number,
        "bundle_name": t.dag_version.c.bundle_name,
        "bundle_version": t.dag_version.c.bundle_version,
        "created_at": t.dag_version.c.created_at,
        "dag_id": t.dag_version.c.dag_id,
    },
    default_order=("id",),
)


class TaskTraits(msgspec.Struct):
    """What a list of task instances shows of a task."""

    task_id: str
    task_display_name: str | None = None
    operator_name: str = ""
    task_type: str = "BaseOperator"
    executor_config: dict[str, Any] = {}
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None


#: Kinds of schedules that say when a run comes only as it comes, or never.
_WITHOUT_RHYTHM = frozenset({"null", "once", "continuous", "assets", "partitioned_assets", "partitioned_at_runtime"})


class TimetableTraits(msgspec.Struct, frozen=True):
    """What a list shows of a schedule."""

    kind: str = "null"
    data: dict[str, Any] | None = None
    base: TimetableTraits | None = None
    periodic: bool = True

    def is_periodic(self) -> bool:
        """Say whether its runs come at times of their own, so that a backfill can fill them in."""
        if self.kind == "asset_or_time":
            return self.base is not None and self.base.is_periodic()
        return self.periodic and self.kind not in _WITHOUT_RHYTHM

    def partitioned(self) -> bool:
        """Say whether its runs are about partitions."""
        return self.kind == "partitioned_assets" or (self.kind == "cron_trigger" and "key_format" in (self.data or {}))


class DagTraits(msgspec.Struct):
    """What a list of DAGs or task instances shows of a serialized DAG; the rest is skipped while decoding."""

    tasks: list[TaskTraits] = []
    timetable: TimetableTraits = TimetableTraits()
    allowed_run_types: list[str] | None = None

    def limits(self) -> bool:
        """Say whether a task has a concurrency limit of its own."""
        return any(task.max_active_tis_per_dag or task.max_active_tis_per_dagrun for task in self.tasks)


class Summary(msgspec.Struct):
    """The kept part of `DagTraits`: only tasks that differ from their defaults."""

    allowed_run_types: list[str] | None
    has_task_limits: bool
    #: task_id → traits, where the name shown, the operator's name or the executor_config is its own
    tasks: dict[str, TaskTraits]
    partitioned: bool = False
    periodic: bool = False


class VersionCache:
    """Summaries and whole DAGs by version id; a version never changes, so neither is ever stale."""

    def __init__(self, summaries: int = 512, dags: int = 8) -> None:
        self._summaries: OrderedDict[int, Summary] = OrderedDict()
        self._dags: OrderedDict[int, SerializedDag] = OrderedDict()
        self._sizes = (summaries, dags)
        self._decode = msgspec.json.Decoder(DagTraits).decode

    def summaries(self, connection: Connection, version_ids: Iterable[int | None]) -> dict[int, Summary]:
        """Return the summaries of those versions that exist."""
        wanted = {version_id for version_id in version_ids if version_id is not None}
        missing = wanted - self._summaries.keys()
        for version_id in sorted(missing):
            data = connection.execute(select(t.dag_version.c.data).where(t.dag_version.c.id == version_id)).scalar()
            if data is not None:
                _keep(self._summaries, version_id, self._summarize(data), self._sizes[0])
        return {version_id: found for version_id in wanted if (found := self._summaries.get(version_id))}

    def dag(self, connection: Connection, version_id: int | None) -> SerializedDag | None:
        """Return a whole serialized DAG; None if there is no such version."""
        if version_id is None:
            return None
        if (known := self._dags.get(version_id)) is not None:
            return known
        data = connection.execute(select(t.dag_version.c.data).where(t.dag_version.c.id == version_id)).scalar()
        if data is None:
            return None
        return _keep(self._dags, version_id, decode(data), self._sizes[1])

    def _summarize(self, data: str | bytes) -> Summary:
        traits = self._decode(data)
        special = {
            task.task_id: task
            for task in traits.tasks
            if task.task_display_name
            or task.executor_config
            or (task.operator_name or task.task_type) != task.task_type
        }
        partitioned, periodic = traits.timetable.partitioned(), traits.timetable.is_periodic()
        return Summary(traits.allowed_run_types, traits.limits(), special, partitioned, periodic)


def _keep(cache: OrderedDict[int, V], key: int, value: V, size: int) -> V:
    cache[key] = value
    if len(cache) > size:
        cache.popitem(last=False)
    return value


def by_ids(connection: Connection, version_ids: Iterable[int | None]) -> dict[int, dict[str, Any]]:
    """Return version rows by id."""
    wanted = sorted({version_id for version_id in version_ids if version_id is not None})
    if not wanted:
        return {}
    rows = connection.execute(VERSIONS.select.where(t.dag_version.c.id.in_(wanted))).mappings()
    return {row["id"]: dict(row) for row in rows}


def one(connection: Connection, dag_id: str, version_number: int) -> dict[str, Any] | None:
    """Return one version row of a DAG."""
    found = VERSIONS.select.where(t.dag_version.c.dag_id == dag_id, t.dag_version.c.version_number == version_number)
    row = connection.execute(found).mappings().first()
    return None if row is None else dict(row)


def source(connection: Connection, dag_id: str, version_number: int | None = None) -> dict[str, Any] | None:
    """Return the source of a DAG's given or newest version."""
    statement = (
        select(
            t.dag_version.c.source.label("content"),
            t.dag_version.c.dag_id,
            t.dag_version.c.version_number,
            dag_display_name.label("dag_display_name"),
        )
        .select_from(t.dag_version.join(t.dag, t.dag.c.dag_id == t.dag_version.c.dag_id))
        .where(t.dag_version.c.dag_id == dag_id)
        .order_by(t.dag_version.c.version_number.desc())
        .limit(1)
    )
    if version_number is not None:
        statement = statement.where(t.dag_version.c.version_number == version_number)
    row = connection.execute(statement).mappings().first()
    return None if row is None else dict(row)


def of_dag(dag_id: str) -> ColumnElement[bool]:
    """Return the condition for the versions of a DAG."""
    return t.dag_version.c.dag_id == dag_id
