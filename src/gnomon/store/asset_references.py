"""What DAGs say about assets, as tables: written when a DAG has a new version, forgotten when its file is gone.

An asset is active as long as a DAG names it, or an alias stands for it. Two active assets cannot share a name or a URI:
the later one stays inactive, and its DAGs get a warning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, or_, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from gnomon.model.assets import AssetKey, alias_of, aliases_of, assets_of, key_of, leaves, references_of
from gnomon.service import clock
from gnomon.store import asset_tables as t
from gnomon.store import limits
from gnomon.store.announcements import announce_in
from gnomon.store.errors import Invalid
from gnomon.store.notifier import notify_in
from gnomon.store.tables import dag_warning
from gnomon.wire.dag import SerializedDag

CONFLICT = "asset conflict"
#: PostgreSQL cannot index more than this of name and URI together.
MAX_KEY = 2600
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass
class References:
    """The assets that a DAG names, and where."""

    assets: dict[AssetKey, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    scheduled: set[AssetKey] = field(default_factory=set)
    scheduled_aliases: set[str] = field(default_factory=set)
    #: ("name" or "uri", value)
    scheduled_references: set[tuple[str, str]] = field(default_factory=set)
    #: (task_id, "in" or "out", asset)
    tasks: set[tuple[str, str, AssetKey]] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.assets or self.aliases or self.scheduled_references)


def collect(dag: SerializedDag) -> References:
    """Return what a DAG says about assets."""
    found = References()
    if dag.timetable.assets is not None:
        found.assets = assets_of(dag.timetable.assets)
        found.aliases = aliases_of(dag.timetable.assets)
        found.scheduled, found.scheduled_aliases = set(found.assets), set(found.aliases)
        found.scheduled_references = references_of(dag.timetable.assets)
    for task in dag.tasks:
        for direction, items in (("in", task.inlets), ("out", task.outlets)):
            for item in items:
                _collect_item(found, task.task_id, direction, item)
    return found


def _collect_item(found: References, task_id: str, direction: str, item: dict[str, Any]) -> None:
    for kind, content in leaves(item):
        if kind == "asset":
            key = key_of(content)
            watched = found.assets.get(key, {}).get("watchers")
            found.assets[key] = {**content, "watchers": content.get("watchers") or watched or []}
            found.tasks.add((task_id, direction, key))
        elif kind == "alias":
            name, group = alias_of(content)
            found.aliases[name] = group


def check(dag: SerializedDag) -> None:
    """Do nothing if what a DAG says about assets can be stored.

    Raises:
        Invalid: it cannot; the message names the asset.
    """
    if dag.timetable.assets is None and not any(task.inlets or task.outlets for task in dag.tasks):
        return
    try:
        found = collect(dag)
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise Invalid(f"the assets of DAG {dag.dag_id!r} are not what this version writes: {error!r}") from None
    for key, content in found.assets.items():
        limits.check(t.asset, {"name": key.name, "uri": key.uri, "group": content.get("group") or "asset"})
        if len(key.name.encode()) + len(key.uri.encode()) > MAX_KEY:
            raise Invalid(f"name and URI of an asset are longer than {MAX_KEY} bytes: {key.name[:40]!r}…")
    for name, group in found.aliases.items():
        limits.check(t.asset_alias, {"name": name, "group": group})


def record(conn: Connection, dag: SerializedDag, now: datetime, *, is_new: bool) -> None:
    """Store what a new version of a DAG says about assets, in the caller's transaction."""
    found = collect(dag)
    if not found and (is_new or not _says_anything(conn, dag.dag_id)):
        return
    touched = _assets_of_dags(conn, [dag.dag_id])
    ids = {key: _put_asset(conn, key, content, now) for key, content in found.assets.items()}
    aliases = {name: put_alias(conn, name, now, group) for name, group in found.aliases.items()}
    times = {"created_at": now, "updated_at": now}
    _replace(conn, t.dag_schedule_asset, dag.dag_id, {(ids[key],) for key in found.scheduled}, ("asset_id",), times)
    _replace(
        conn, t.dag_schedule_alias, dag.dag_id, {(aliases[name],) for name in found.scheduled_aliases}, ("alias_id",)
    )
    _replace(conn, t.dag_schedule_reference, dag.dag_id, found.scheduled_references, ("kind", "value"))
    places = {(task_id, direction, ids[key]) for task_id, direction, key in found.tasks}
    _replace(conn, t.task_asset, dag.dag_id, places, ("task_id", "direction", "asset_id"), times)
    _record_watchers(conn, dag.dag_id, {ids[key]: content for key, content in found.assets.items()}, now)
    _drop_queued(conn, dag, {ids[key] for key in found.scheduled})
    settle(conn, touched | set(ids.values()), now, dag_ids=[dag.dag_id])


def forget(conn: Connection, dag_ids: Collection[str]) -> None:
    """Take back all that DAGs say about assets: they are gone."""
    if not dag_ids:
        return
    touched = _assets_of_dags(conn, dag_ids)
    tables = (t.dag_schedule_asset, t.dag_schedule_alias, t.dag_schedule_reference, t.task_asset, t.asset_watcher)
    for table in (*tables, t.asset_queue, t.partition_run):
        conn.execute(delete(table).where(table.c.dag_id.in_(dag_ids)))
    if touched:
        _drop_unwatched(conn)
        settle(conn, touched, clock.now())


def ring_for_watchers(conn: Connection, dag_ids: Collection[str]) -> None:
    """Let triggerers look again if one of these DAGs, which are paused or not paused now, lets assets be watched."""
    if conn.execute(select(t.asset_watcher.c.asset_id).where(t.asset_watcher.c.dag_id.in_(dag_ids)).limit(1)).first():
        notify_in(conn, "trigger", "watchers")


def _says_anything(conn: Connection, dag_id: str) -> bool:
    tables = (t.dag_schedule_asset, t.dag_schedule_alias, t.dag_schedule_reference, t.task_asset)
    present = union(*(select(x.c.dag_id).where(x.c.dag_id == dag_id) for x in tables))
    return conn.execute(present).first() is not None


def _assets_of_dags(conn: Connection, dag_ids: Collection[str]) -> set[int]:
    tables = (t.dag_schedule_asset, t.task_asset, t.asset_watcher)
    return set(conn.execute(union(*(select(x.c.asset_id).where(x.c.dag_id.in_(dag_ids)) for x in tables))).scalars())


def insert(conn: Connection, table: Table) -> Any:
    """Return an INSERT of the connection's dialect, which knows ON CONFLICT."""
    return sqlite.insert(table) if conn.dialect.name == "sqlite" else postgresql.insert(table)


def _put_asset(conn: Connection, key: AssetKey, content: dict[str, Any], now: datetime) -> int:
    of = t.asset.c
    row = {"group": content.get("group") or "asset", "extra": _encode(content.get("extra") or {}).decode()}
    found = conn.execute(select(of.id, of.group, of.extra).where(of.name == key.name, of.uri == key.uri)).first()
    if found is None:
        return ensure_asset(conn, key, row["extra"], now, group=row["group"])
    if (found.group, found.extra) != (row["group"], row["extra"]):
        conn.execute(update(t.asset).where(of.id == found.id).values(**row, updated_at=now))
    return int(found.id)


def ensure_asset(conn: Connection, key: AssetKey, extra: str, now: Any, *, group: str = "asset") -> int:
    """Return the number of an asset, which is made if it is not there."""
    of = t.asset.c
    values = {"name": key.name, "uri": key.uri, "group": group, "extra": extra, "is_active": False}
    made = insert(conn, t.asset).values(**values, created_at=now, updated_at=now).on_conflict_do_nothing()
    number = conn.execute(made.returning(of.id)).scalar()
    if number is None:
        return int(conn.execute(select(of.id).where(of.name == key.name, of.uri == key.uri)).scalar_one())
    told = {"name": key.name, "uri": key.uri, "group": group, "extra": msgspec.json.decode(extra)}
    announce_in(conn, "asset_created", told, now)
    return int(number)


def put_alias(conn: Connection, name: str, now: Any, group: str | None = None) -> int:
    """Return the number of an alias, which is made if it is not there; its group is the last one given."""
    of = t.asset_alias.c
    found = conn.execute(select(of.id, of.group).where(of.name == name)).first()
    if found is not None and found.group == (group or found.group):
        return int(found.id)
    if found is None:
        announce_in(conn, "alias_created", {"name": name, "group": group or "asset"}, now)
    made = insert(conn, t.asset_alias).values(name=name, group=group or "asset")
    made = made.on_conflict_do_update(index_elements=["name"], set_={"group": group or of.group}).returning(of.id)
    return int(conn.execute(made).scalar_one())


def _replace(
    conn: Connection,
    table: Table,
    dag_id: str,
    wanted: Collection[tuple[Any, ...]],
    names: tuple[str, ...],
    values: dict[str, Any] | None = None,
) -> None:
    """Let a table have just these rows for a DAG; rows that stay keep the time when they came."""
    columns = [table.c[name] for name in names]
    present = {tuple(row) for row in conn.execute(select(*columns).where(table.c.dag_id == dag_id))}
    for row in present - set(wanted):
        match = and_(*(column == value for column, value in zip(columns, row, strict=True)))
        conn.execute(delete(table).where(table.c.dag_id == dag_id, match))
    new = [dict(zip(names, row, strict=True)) for row in sorted(set(wanted) - present)]
    if new:
        conn.execute(table.insert(), [{"dag_id": dag_id, **row, **(values or {})} for row in new])


def _drop_queued(conn: Connection, dag: SerializedDag, scheduled: set[int]) -> None:
    """A DAG does not wait for what its schedule no longer names; what came through aliases stays as long as it has any."""
    queue = delete(t.asset_queue).where(t.asset_queue.c.dag_id == dag.dag_id)
    if dag.timetable.assets is None:
        conn.execute(queue)
        conn.execute(delete(t.partition_run).where(t.partition_run.c.dag_id == dag.dag_id))
    elif all(kind == "asset" for kind, _ in leaves(dag.timetable.assets)):
        conn.execute(queue.where(t.asset_queue.c.asset_id.not_in(scheduled)))


# ------------------------------------------------------------------------------------------------- watchers


def _record_watchers(conn: Connection, dag_id: str, assets: dict[int, dict[str, Any]], now: datetime) -> None:
    wanted: dict[tuple[int, int], str] = {}
    for asset_id, content in assets.items():
        for one in content.get("watchers") or ():
            wanted[asset_id, _put_watcher(conn, one, now)] = one["name"]
    of = t.asset_watcher.c
    rows = conn.execute(select(of.asset_id, of.watcher_id, of.name).where(of.dag_id == dag_id))
    before = {(asset_id, watcher_id): name for asset_id, watcher_id, name in rows}
    if before == wanted:
        return
    conn.execute(delete(t.asset_watcher).where(of.dag_id == dag_id))
    if wanted:
        new = [{"dag_id": dag_id, "asset_id": a, "watcher_id": w, "name": name} for (a, w), name in wanted.items()]
        conn.execute(t.asset_watcher.insert(), new)
    _drop_unwatched(conn)
    notify_in(conn, "trigger", "watchers")


def _put_watcher(conn: Connection, content: dict[str, Any], now: datetime) -> int:
    from gnomon.store.crypto import cipher

    kwargs = _encode(content.get("kwargs") or {})
    digest = hashlib.sha256(content["classpath"].encode() + b"\0" + kwargs).hexdigest()
    of = t.watcher.c
    found = conn.execute(select(of.id).where(of.digest == digest)).scalar()
    if found is not None:
        return int(found)
    row = {"digest": digest, "classpath": content["classpath"], "kwargs": cipher().encrypt(kwargs.decode())}
    return int(conn.execute(t.watcher.insert().values(**row, created_at=now).returning(of.id)).scalar_one())


def _drop_unwatched(conn: Connection) -> None:
    used = exists().where(t.asset_watcher.c.watcher_id == t.watcher.c.id)
    if conn.execute(delete(t.watcher).where(~used)).rowcount:
        notify_in(conn, "trigger", "watchers")


# ------------------------------------------------------------------------------------- active and in conflict


def settle(conn: Connection, asset_ids: Iterable[int], now: Any, *, dag_ids: Iterable[str] = ()) -> None:
    """Decide anew which of some assets are active, and warn the DAGs of those that cannot be."""
    ids = list(asset_ids)
    of = t.asset.c
    gone = update(t.asset).where(of.id.in_(ids), of.is_active, ~_is_named()).values(is_active=False, updated_at=now)
    freed = conn.execute(gone.returning(of.name, of.uri)).all()
    waits: ColumnElement[bool] = of.id.in_(ids)
    if freed:  # others may have waited for their names
        waits = or_(waits, of.name.in_([row.name for row in freed]), of.uri.in_([row.uri for row in freed]))
    candidates = conn.execute(select(of.id).where(~of.is_active, _is_named(), waits).order_by(of.id)).scalars().all()
    changed = [asset_id for asset_id in candidates if activate(conn, asset_id, now)]
    concerned = set(dag_ids) | _dags_naming(conn, candidates)
    if concerned and (changed or candidates or dag_ids):
        _warn(conn, concerned, now)


def activate(conn: Connection, asset_id: int, now: Any) -> bool:
    """Make an asset active unless another one has its name or URI; return whether it was done."""
    other = t.asset.alias()
    taken = exists().where(other.c.is_active, or_(other.c.name == t.asset.c.name, other.c.uri == t.asset.c.uri))
    change = update(t.asset).where(t.asset.c.id == asset_id, ~taken).values(is_active=True, updated_at=now)
    return conn.execute(change).rowcount > 0


def _is_named() -> Any:
    """Whether any DAG or alias stands for an asset."""
    tables = (t.dag_schedule_asset, t.task_asset, t.asset_alias_asset)
    return or_(*(exists().where(x.c.asset_id == t.asset.c.id) for x in tables))


def _naming() -> Any:
    tables = (t.dag_schedule_asset, t.task_asset)
    return union(*(select(x.c.dag_id, x.c.asset_id) for x in tables)).subquery()


def _dags_naming(conn: Connection, asset_ids: Collection[int]) -> set[str]:
    if not asset_ids:
        return set()
    naming = _naming()
    return set(conn.execute(select(naming.c.dag_id).where(naming.c.asset_id.in_(asset_ids))).scalars())


def _warn(conn: Connection, dag_ids: Collection[str], now: Any) -> None:
    naming, winner, of = _naming(), t.asset.alias(), t.asset.c
    same = and_(winner.c.is_active, or_(winner.c.name == of.name, winner.c.uri == of.uri))
    query = (
        select(
            naming.c.dag_id, of.name, of.uri, of.group, winner.c.name.label("its_name"), winner.c.uri.label("its_uri")
        )
        .join(t.asset, of.id == naming.c.asset_id)
        .join(winner, same)
        .where(naming.c.dag_id.in_(dag_ids), ~of.is_active)
        .order_by(naming.c.dag_id, of.id)
    )
    texts: dict[str, list[str]] = {}
    for row in conn.execute(query):
        what = f"name is already associated to {row.its_uri!r}"
        if row.its_name != row.name:
            what = f"uri is already associated to {row.its_name!r}"
        asset = f'Asset(name="{row.name}", uri="{row.uri}", group="{row.group}")'
        texts.setdefault(row.dag_id, []).append(f"Cannot activate asset {asset}; {what}")
    of_warning = dag_warning.c
    conn.execute(delete(dag_warning).where(of_warning.warning_type == CONFLICT, of_warning.dag_id.in_(dag_ids)))
    for dag_id, messages in texts.items():
        warning = {"dag_id": dag_id, "warning_type": CONFLICT, "message": "\n".join(messages), "timestamp": now}
        conn.execute(dag_warning.insert().values(**warning))
