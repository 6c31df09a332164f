"""Assets, aliases and events, as REST shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, exists, func, or_, select

from gnomon.store import asset_tables as a
from gnomon.store import tables as t
from gnomon.store.reads.columns import labelled
from gnomon.store.reads.listing import Filter, Listing, Page, Query, equals, fetch, patterns, ranges

asset, event, alias = a.asset.c, a.asset_event.c, a.asset_alias.c


def _named_by(dag_ids: list[str]) -> ColumnElement[bool]:
    tables = (a.dag_schedule_asset, a.task_asset)
    return or_(*(exists().where(x.c.asset_id == asset.id, x.c.dag_id.in_(dag_ids)) for x in tables))


ASSETS = Listing(
    name="assets",
    select=select(a.asset),
    key=asset.id,
    filters=(
        *patterns("name", asset.name),
        *patterns("uri", asset.uri),
        Filter("dag_ids", _named_by, many=True),
        # `false` asks for all of them, not for the inactive ones.
        Filter("only_active", lambda on: asset.is_active if on else asset.id.is_not(None), "bool", default=True),
    ),
    orders={
        "id": asset.id,
        "name": asset.name,
        "uri": asset.uri,
        "created_at": asset.created_at,
        "updated_at": asset.updated_at,
    },
    default_order=("id",),
)

ALIASES = Listing(
    name="asset_aliases",
    select=select(a.asset_alias),
    key=alias.id,
    filters=patterns("name", alias.name),
    orders={"id": alias.id, "name": alias.name},
    default_order=("id",),
)

EVENTS = Listing(
    name="asset_events",
    select=select(*a.asset_event.c, *labelled(name=asset.name, uri=asset.uri, group=asset.group)).join(
        a.asset, asset.id == event.asset_id
    ),
    key=event.id,
    filters=(
        equals("asset_id", event.asset_id, "int"),
        equals("source_dag_id", event.source_dag_id),
        equals("source_task_id", event.source_task_id),
        equals("source_run_id", event.source_run_id),
        equals("source_map_index", event.source_map_index, "int"),
        *patterns("name", asset.name),
        *ranges("timestamp", event.timestamp),
    ),
    orders={
        "source_task_id": event.source_task_id,
        "source_dag_id": event.source_dag_id,
        "source_run_id": event.source_run_id,
        "source_map_index": event.source_map_index,
        "timestamp": event.timestamp,
    },
    default_order=("timestamp",),
)


def assets(conn: Connection, query: Query, *where: ColumnElement[bool]) -> Page:
    """Return a page of assets."""
    page = fetch(conn, ASSETS, query, *where)
    _complete_assets(conn, page.rows)
    return page


def one_asset(conn: Connection, asset_id: int) -> dict[str, Any] | None:
    """Return one asset, active or not."""
    rows = [dict(row) for row in conn.execute(ASSETS.select.where(asset.id == asset_id)).mappings()]
    _complete_assets(conn, rows)
    return rows[0] if rows else None


def one_alias(conn: Connection, alias_id: int) -> dict[str, Any] | None:
    """Return one alias."""
    row = conn.execute(ALIASES.select.where(alias.id == alias_id)).mappings().first()
    return None if row is None else dict(row)


def events(conn: Connection, query: Query, *where: ColumnElement[bool]) -> Page:
    """Return a page of events."""
    page = fetch(conn, EVENTS, query, *where)
    _complete_events(conn, page.rows)
    return page


def one_event(conn: Connection, event_id: int) -> dict[str, Any]:
    """Return one event that is there."""
    rows = [dict(row) for row in conn.execute(EVENTS.select.where(event.id == event_id)).mappings()]
    _complete_events(conn, rows)
    return rows[0]


def consumed(conn: Connection, dag_run_id: int) -> list[dict[str, Any]]:
    """Return the events that a run was created for, in the order of time."""
    link = a.dag_run_asset_event.c
    query = EVENTS.select.join(a.dag_run_asset_event, link.event_id == event.id).where(link.dag_run_id == dag_run_id)
    rows = [dict(row) for row in conn.execute(query.order_by(event.timestamp, event.id)).mappings()]
    _complete_events(conn, rows)
    return rows


def consumed_by(text: str) -> ColumnElement[bool]:
    """Return the condition for runs that consumed an event of an asset with this in its name or URI."""
    link, wanted = a.dag_run_asset_event.c, f"%{_literal(text)}%"
    of_asset = or_(asset.name.ilike(wanted, escape="\\"), asset.uri.ilike(wanted, escape="\\"))
    found = select(link.dag_run_id).join(a.asset_event, event.id == link.event_id)
    return t.dag_run.c.id.in_(found.join(a.asset, asset.id == event.asset_id).where(of_asset))


def depends_on(text: str) -> ColumnElement[bool]:
    """Return the condition for DAGs whose schedule names an asset with this in its name or URI."""
    wanted = f"%{_literal(text)}%"
    of_asset = or_(asset.name.ilike(wanted, escape="\\"), asset.uri.ilike(wanted, escape="\\"))
    of_schedule = a.dag_schedule_asset.c
    return t.dag.c.dag_id.in_(
        select(of_schedule.dag_id).join(a.asset, asset.id == of_schedule.asset_id).where(of_asset)
    )


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


# ----------------------------------------------------------------------------------------- what belongs to them


def _complete_assets(conn: Connection, rows: list[dict[str, Any]]) -> None:
    ids = [row["id"] for row in rows]
    scheduled = _by_asset(conn, a.dag_schedule_asset, ids, ("dag_id", "created_at", "updated_at"))
    tasks = _by_asset(conn, a.task_asset, ids, ("direction", "dag_id", "task_id", "created_at", "updated_at"))
    last = _last_events(conn, ids)
    aliases, watchers = _aliases(conn, ids), _watchers(conn, ids)
    for row in rows:
        places = tasks[row["id"]]
        row["extra"] = msgspec.json.decode(row["extra"])
        row["scheduled_dags"] = scheduled[row["id"]]
        row["producing_tasks"] = [_without_direction(one) for one in places if one["direction"] == "out"]
        row["consuming_tasks"] = [_without_direction(one) for one in places if one["direction"] == "in"]
        row["aliases"], row["watchers"] = aliases[row["id"]], watchers[row["id"]]
        row["last_asset_event"] = last.get(row["id"], {"id": None, "timestamp": None})


def _without_direction(place: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in place.items() if name != "direction"}


def _by_asset(conn: Connection, table: Any, ids: list[int], names: tuple[str, ...]) -> dict[int, list[dict[str, Any]]]:
    columns = [table.c[name] for name in names]
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    query = select(table.c.asset_id, *columns).where(table.c.asset_id.in_(ids)).order_by(*columns)
    for asset_id, *values in conn.execute(query):
        found[asset_id].append(dict(zip(names, values, strict=True)))
    return found


def _last_events(conn: Connection, ids: list[int]) -> dict[int, dict[str, Any]]:
    # Later events have later times and greater numbers.
    newest = select(func.max(event.id)).where(event.asset_id.in_(ids)).group_by(event.asset_id)
    query = select(event.asset_id, event.id, event.timestamp).where(event.id.in_(newest))
    return {of: {"id": number, "timestamp": at} for of, number, at in conn.execute(query)}


def _aliases(conn: Connection, ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    link = a.asset_alias_asset.c
    query = select(link.asset_id, alias.id, alias.name, alias.group).join(a.asset_alias, alias.id == link.alias_id)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for of, number, name, group in conn.execute(query.where(link.asset_id.in_(ids)).order_by(alias.name)):
        found[of].append({"id": number, "name": name, "group": group})
    return found


def _watchers(conn: Connection, ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    link, watcher = a.asset_watcher.c, a.watcher.c
    query = select(link.asset_id, link.name, watcher.id, watcher.created_at).distinct()
    query = query.join(a.watcher, watcher.id == link.watcher_id).where(link.asset_id.in_(ids))
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for of, name, number, created in conn.execute(query.order_by(link.name, watcher.id)):
        found[of].append({"name": name, "trigger_id": number, "created_date": created})
    return found


def _complete_events(conn: Connection, rows: list[dict[str, Any]]) -> None:
    created = created_runs(conn, [row["id"] for row in rows])
    for row in rows:
        row["extra"] = msgspec.json.decode(row["extra"])
        row["created_dagruns"] = created[row["id"]]


def created_runs(conn: Connection, event_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the runs that events went into; the newest event of a run is the one that triggered it."""
    link, run, of_run = a.dag_run_asset_event.c, t.dag_run.c, a.dag_run_asset_event.alias().c
    newest = select(func.max(of_run.event_id)).where(of_run.dag_run_id == run.id).scalar_subquery()
    names = ("run_id", "dag_id", "logical_date", "start_date", "end_date", "state", "data_interval_start")
    columns = [run[name] for name in (*names, "data_interval_end", "partition_key")]
    query = select(link.event_id, *columns, (link.event_id == newest).label("triggering"))
    query = query.join(t.dag_run, run.id == link.dag_run_id).where(link.event_id.in_(event_ids)).order_by(run.id)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in conn.execute(query).mappings():
        found[row["event_id"]].append({name: value for name, value in row.items() if name != "event_id"})
    return found
