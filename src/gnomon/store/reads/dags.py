"""DAGs, their tags, statistics and warnings, as REST shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, true

from gnomon.model.states import DagRunState
from gnomon.store import tables as t
from gnomon.store.reads.assets import depends_on
from gnomon.store.reads.columns import dag_display_name, labelled
from gnomon.store.reads.listing import Filter, Listing, Page, Query, contains, equals, fetch, one_of, patterns
from gnomon.store.reads.versions import VersionCache

_runs = t.dag_run.alias("any_run")
_last = t.dag_run.alias("last_run")
_last_run_id = (
    select(func.max(_runs.c.id))
    .where(_runs.c.dag_id == t.dag.c.dag_id, _runs.c.start_date.is_not(None))
    .scalar_subquery()
)
_source = t.dag.outerjoin(_last, _last.c.id == _last_run_id)


def _tags(names: list[str]) -> ColumnElement[bool]:
    return t.dag.c.dag_id.in_(select(t.dag_tag.c.dag_id).where(t.dag_tag.c.name.in_(names)))


def _all_tags(names: list[str]) -> ColumnElement[bool]:
    return and_(*(_tags([name]) for name in names))


def _run_exists(column: ColumnElement[Any], test: str, value: Any) -> ColumnElement[bool]:
    return t.dag.c.dag_id.in_(select(t.dag_run.c.dag_id).where(getattr(column, test)(value)))


def _run_ranges(param: str, column: ColumnElement[Any]) -> tuple[Filter, ...]:
    """The DAGs with a run whose time is in a range."""

    def one(end: str, test: str) -> Filter:
        return Filter(f"{param}_{end}", lambda value: _run_exists(column, test, value), "datetime")

    return one("gte", "__ge__"), one("gt", "__gt__"), one("lte", "__le__"), one("lt", "__lt__")


_COLUMNS = labelled(
    dag_id=t.dag.c.dag_id,
    dag_display_name=dag_display_name,
    is_paused=t.dag.c.is_paused,
    is_stale=t.dag.c.is_stale,
    last_parsed_time=t.dag.c.last_parsed,
    last_parse_duration=t.dag.c.last_parse_seconds,
    bundle_name=t.dag.c.bundle_name,
    bundle_version=t.dag.c.bundle_version,
    relative_fileloc=t.dag.c.relative_fileloc,
    fileloc=t.dag.c.fileloc,
    description=t.dag.c.description,
    timetable_summary=t.dag.c.timetable_summary,
    timetable_description=t.dag.c.timetable_description,
    timetable_type=t.dag.c.timetable_type,
    max_active_tasks=t.dag.c.max_active_tasks,
    max_active_runs=t.dag.c.max_active_runs,
    max_consecutive_failed_dag_runs=t.dag.c.max_consecutive_failed_dag_runs,
    has_import_errors=t.dag.c.has_import_errors,
    next_dagrun_logical_date=t.dag.c.next_logical_date,
    next_dagrun_data_interval_start=t.dag.c.next_interval_start,
    next_dagrun_data_interval_end=t.dag.c.next_interval_end,
    next_dagrun_run_after=t.dag.c.next_run_after,
    owners=t.dag.c.owners,
    version_id=t.dag.c.version_id,
)

#: The kinds of timetables that wait for assets.
_WAITING = ["assets", "partitioned_assets", "asset_or_time"]

DAGS = Listing(
    name="dags",
    select=select(*_COLUMNS).select_from(_source),
    key=t.dag.c.dag_id,
    filters=(
        Filter("tags", lambda names: true(), many=True),  # with tags_match_mode, in `page`
        Filter("tags_match_mode", lambda mode: true(), choices=("any", "all"), default="any"),
        Filter("owners", lambda names: or_(*(contains(t.dag.c.owners, name) for name in names)), many=True),
        *patterns("dag_id", t.dag.c.dag_id),
        *patterns("dag_display_name", dag_display_name),
        Filter("exclude_stale", lambda on: t.dag.c.is_stale.is_(False) if on else true(), "bool", default=True),
        equals("paused", t.dag.c.is_paused, "bool"),
        equals("has_import_errors", t.dag.c.has_import_errors, "bool"),
        equals("last_dag_run_state", _last.c.state, choices=tuple(DagRunState)),
        equals("bundle_name", t.dag.c.bundle_name),
        equals("bundle_version", t.dag.c.bundle_version),
        *_run_ranges("dag_run_start_date", t.dag_run.c.start_date),
        *_run_ranges("dag_run_end_date", t.dag_run.c.end_date),
        Filter("dag_run_state", lambda states: _run_exists(t.dag_run.c.state, "in_", states), many=True),
        Filter("is_favorite", lambda on: true(), "bool"),  # needs the user, in `page`
        one_of("timetable_type", t.dag.c.timetable_type),
        Filter("asset_dependency", depends_on),
        Filter("has_asset_schedule", lambda on: t.dag.c.timetable_type.in_(_WAITING) == on, "bool"),
    ),
    orders={
        "dag_id": t.dag.c.dag_id,
        "dag_display_name": dag_display_name,
        "next_dagrun": t.dag.c.next_logical_date,
        "state": _last.c.state,
        "start_date": _last.c.start_date,
        "last_run_state": _last.c.state,
        "last_run_start_date": _last.c.start_date,
    },
    default_order=("dag_id",),
)

TAGS = Listing(
    name="tags",
    select=select(t.dag_tag.c.name.label("name")).distinct(),
    key=t.dag_tag.c.name,
    filters=patterns("tag_name", t.dag_tag.c.name),
    orders={"name": t.dag_tag.c.name},
    default_order=("name",),
)

WARNINGS = Listing(
    name="dag_warnings",
    select=select(
        *labelled(
            dag_id=t.dag_warning.c.dag_id,
            warning_type=t.dag_warning.c.warning_type,
            message=t.dag_warning.c.message,
            timestamp=t.dag_warning.c.timestamp,
            dag_display_name=dag_display_name,
        )
    ).select_from(t.dag_warning.join(t.dag, t.dag.c.dag_id == t.dag_warning.c.dag_id)),
    key=t.dag_warning.c.dag_id,
    filters=(equals("dag_id", t.dag_warning.c.dag_id), equals("warning_type", t.dag_warning.c.warning_type)),
    orders={
        "dag_id": t.dag_warning.c.dag_id,
        "warning_type": t.dag_warning.c.warning_type,
        "message": t.dag_warning.c.message,
        "timestamp": t.dag_warning.c.timestamp,
    },
    default_order=("dag_id",),
)


def page(connection: Connection, versions: VersionCache, query: Query, user: str = "") -> Page:
    """Return a page of DAGs; the filters that need more than one parameter are put together here."""
    values = query.values
    where: list[ColumnElement[bool]] = []
    if names := values.get("tags"):
        where.append(_all_tags(names) if values.get("tags_match_mode") == "all" else _tags(names))
    if (favorite := values.get("is_favorite")) is not None:
        mine = t.dag.c.dag_id.in_(select(t.dag_favorite.c.dag_id).where(t.dag_favorite.c.user_id == user))
        where.append(mine if favorite else ~mine)
    found = fetch(connection, DAGS, query, *where)
    complete(connection, versions, found.rows)
    return found


def matching_ids(connection: Connection, query: Query) -> list[str]:
    """Return the DAGs that a bulk change concerns: none, unless a pattern says which."""
    given = {"dag_id_pattern", "dag_id_prefix_pattern"} & query.values.keys()
    if not given:
        return []
    return [row["dag_id"] for row in fetch(connection, DAGS, query).rows]


def one(connection: Connection, versions: VersionCache, dag_id: str) -> dict[str, Any] | None:
    """Return one DAG as the list shows it; None if there is none, also when it is gone from its file."""
    row = connection.execute(DAGS.select.where(t.dag.c.dag_id == dag_id)).mappings().first()
    if row is None:
        return None
    rows = [dict(row)]
    complete(connection, versions, rows)
    return rows[0]


def complete(connection: Connection, versions: VersionCache, rows: list[dict[str, Any]]) -> None:
    """Add what is not a column of `dag`: tags, and what only the serialized DAG knows."""
    tags = _tags_of(connection, [row["dag_id"] for row in rows])
    summaries = versions.summaries(connection, (row["version_id"] for row in rows))
    for row in rows:
        summary = summaries.get(row["version_id"])
        row["owners"] = [name.strip() for name in row["owners"].split(",") if name.strip()]
        row["tags"] = [
            {"name": name, "dag_id": row["dag_id"], "dag_display_name": row["dag_display_name"]}
            for name in tags[row["dag_id"]]
        ]
        row["last_expired"] = None
        row["timetable_partitioned"] = summary is not None and summary.partitioned
        row["timetable_periodic"] = summary is not None and summary.periodic
        row["has_task_concurrency_limits"] = summary is not None and summary.has_task_limits
        row["allowed_run_types"] = summary.allowed_run_types if summary else None


def _tags_of(connection: Connection, dag_ids: list[str]) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = defaultdict(list)
    if dag_ids:
        found = select(t.dag_tag.c.dag_id, t.dag_tag.c.name).where(t.dag_tag.c.dag_id.in_(dag_ids))
        for dag_id, name in connection.execute(found.order_by(t.dag_tag.c.name)):
            tags[dag_id].append(name)
    return tags


def is_favorite(connection: Connection, dag_id: str, user: str) -> bool:
    """Say whether this user marked this DAG."""
    found = select(t.dag_favorite.c.dag_id).where(t.dag_favorite.c.dag_id == dag_id, t.dag_favorite.c.user_id == user)
    return connection.execute(found).first() is not None


def running_count(connection: Connection, dag_id: str) -> int:
    """Return how many runs of a DAG are running now."""
    found = select(func.count()).where(t.dag_run.c.dag_id == dag_id, t.dag_run.c.state == DagRunState.RUNNING)
    return connection.execute(found).scalar_one()


def stats(connection: Connection, dag_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Return for each DAG that is not stale how many of its runs are in each state."""
    wanted = list(dag_ids)
    dags = select(t.dag.c.dag_id, dag_display_name).where(t.dag.c.dag_id.in_(wanted) if wanted else true())
    counts = select(t.dag_run.c.dag_id, t.dag_run.c.state, func.count()).group_by(t.dag_run.c.dag_id, t.dag_run.c.state)
    if wanted:
        counts = counts.where(t.dag_run.c.dag_id.in_(wanted))
    by_dag: dict[str, dict[str, int]] = defaultdict(dict)
    for dag_id, state, number in connection.execute(counts):
        by_dag[dag_id][state] = number
    return [
        {
            "dag_id": dag_id,
            "dag_display_name": name,
            "stats": [{"state": state, "count": by_dag[dag_id].get(state, 0)} for state in DagRunState],
        }
        for dag_id, name in connection.execute(dags.order_by(t.dag.c.dag_id))
    ]
