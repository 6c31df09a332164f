"""What a parse leaves behind: DAG rows, versions, tags, warnings, import errors, and the file itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, select, update

from gnomon.store import limits, tables
from gnomon.store.database import Database
from gnomon.store.errors import Invalid
from gnomon.store.notifier import notify_in
from gnomon.wire.dag import SerializedDag, decode, encode
from gnomon.wire.execution import FileRef

_dag = tables.dag
_version = tables.dag_version
_file = tables.parsed_file
_error = tables.import_error
_DUPLICATE = "DAG id {dag_id!r} is already defined in {path}"


class Parse(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of parsing one file, as `Dags.record_parse` stores it."""

    file: FileRef
    #: the DAGs, or their JSON as the parser sent it
    dags: Sequence[SerializedDag | bytes] = ()
    error: str | None = None
    warnings: Sequence[tuple[str, str]] = ()
    modules: Sequence[str] = ()
    source: str | None = None
    mtime: float = 0.0
    size: int = 0
    seconds: float = 0.0


class Recorded(msgspec.Struct, frozen=True):
    """What changed."""

    #: the version of each DAG of the file
    versions: dict[str, int]
    #: the DAGs that are new, have a new version, or came back
    changed: list[str]
    #: the DAGs that left the file
    gone: list[str]
    #: files that define a DAG which was refused because another file had it, until now: parse them again
    rivals: list[tuple[str, str]]


def structure_hash(dag: SerializedDag) -> str:
    """Return the hash of what makes a version: all of a DAG but where its file lies."""
    return hashlib.sha256(encode(msgspec.structs.replace(dag, fileloc="", relative_fileloc=""))).hexdigest()


def record(db: Database, conn: Connection, parse: Parse, now: datetime, *, paused_at_creation: bool) -> Recorded:
    """Store the outcome of one parse in the caller's transaction."""
    file = parse.file
    dags, refused = _readable(parse)
    mine, rivals = _without_rivals(conn, file, dags)
    previous = {
        row.dag_id: row
        for row in conn.execute(
            select(_dag.c.dag_id, _dag.c.is_stale, _dag.c.version_id, _dag.c.source_hash).where(_in_file(file))
        )
    }
    conn.execute(db.insert(tables.bundle).values(name=file.bundle, active=True).on_conflict_do_nothing())
    versions: dict[str, int] = {}
    changed: list[str] = []
    for dag in mine:
        version = _record_version(conn, dag, parse, now)
        versions[dag.dag_id] = version
        before = previous.get(dag.dag_id) or _row_of(conn, dag.dag_id)
        anew = before is None or before.is_stale or before.version_id != version
        _record_dag(db, conn, dag, version, parse, now, paused_at_creation, anew=anew)
        if anew or before.source_hash != file.source_hash:
            changed.append(dag.dag_id)
    # A file with an error keeps the DAGs that it had: they may be behind the line that failed.
    gone = [] if parse.error else sorted(d for d, row in previous.items() if d not in versions and not row.is_stale)
    if gone:
        conn.execute(update(_dag).where(_dag.c.dag_id.in_(gone)).values(is_stale=True))
    trouble = "\n".join(filter(None, [parse.error, *refused, *rivals]))
    conn.execute(update(_dag).where(_in_file(file)).values(has_import_errors=bool(trouble)))
    _record_warnings(conn, versions, parse.warnings, now)
    _record_error(db, conn, file, trouble, now)
    _record_file(db, conn, parse, now)
    for dag_id in (*changed, *gone):
        notify_in(conn, "dag", dag_id)
    return Recorded(versions, changed, gone, rivals_of(conn, gone))


def files_gone(conn: Connection, bundle: str, paths: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Forget files of a bundle in the caller's transaction; return their DAGs, now stale, and files to parse again."""
    gone: list[str] = []
    for path in paths:
        in_file = and_(_dag.c.bundle_name == bundle, _dag.c.relative_fileloc == path)
        gone += conn.execute(select(_dag.c.dag_id).where(in_file, _dag.c.is_stale.is_(False))).scalars()
        conn.execute(update(_dag).where(in_file).values(is_stale=True, has_import_errors=False))
        conn.execute(delete(_file).where(_file.c.bundle_name == bundle, _file.c.relative_path == path))
        conn.execute(delete(_error).where(_error.c.bundle_name == bundle, _error.c.filename == path))
    for dag_id in gone:
        notify_in(conn, "dag", dag_id)
    return gone, rivals_of(conn, gone)


def rivals_of(conn: Connection, dag_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Return the files that wait for one of these DAG ids to be free, and let them count as never parsed."""
    found: set[tuple[str, str]] = set()
    for dag_id in dag_ids:
        begins = _DUPLICATE.format(dag_id=dag_id, path="")
        query = select(_error.c.bundle_name, _error.c.filename).where(
            _error.c.stacktrace.contains(begins, autoescape=True)
        )
        found.update((bundle, path) for bundle, path in conn.execute(query))
    for bundle, path in found:
        conn.execute(delete(_file).where(_file.c.bundle_name == bundle, _file.c.relative_path == path))
    return sorted(found)


def _in_file(file: FileRef) -> Any:
    return and_(_dag.c.bundle_name == file.bundle, _dag.c.relative_fileloc == file.relative_path)


def _row_of(conn: Connection, dag_id: str) -> Any:
    query = select(_dag.c.is_stale, _dag.c.version_id, _dag.c.source_hash).where(_dag.c.dag_id == dag_id)
    return conn.execute(query).first()


def _readable(parse: Parse) -> tuple[list[SerializedDag], list[str]]:
    """The DAGs that can be stored, and why the others cannot: user code made them, so anything may come."""
    dags: list[SerializedDag] = []
    refused: list[str] = []
    for item in parse.dags:
        try:
            dag = item if isinstance(item, SerializedDag) else decode(item)
            limits.check(_dag, {"dag_id": dag.dag_id, **_dag_row(dag, parse)})
            for name in dag.tags:
                limits.check(tables.dag_tag, {"name": name})
        except (msgspec.DecodeError, Invalid) as error:
            refused.append(f"a DAG of this file cannot be stored: {error}")
        else:
            dags.append(dag)
    return dags, refused


def _without_rivals(
    conn: Connection, file: FileRef, dags: Sequence[SerializedDag]
) -> tuple[list[SerializedDag], list[str]]:
    """Keep the DAGs that no other file has: a DAG id belongs to the file that defined it first."""
    ids = [dag.dag_id for dag in dags]
    owners = {
        row.dag_id: row.relative_fileloc
        for row in conn.execute(
            select(_dag.c.dag_id, _dag.c.relative_fileloc).where(
                _dag.c.dag_id.in_(ids), _dag.c.is_stale.is_(False), ~_in_file(file)
            )
        )
    }
    refused = [_DUPLICATE.format(dag_id=dag_id, path=path) for dag_id, path in sorted(owners.items())]
    return [dag for dag in dags if dag.dag_id not in owners], refused


def _record_version(conn: Connection, dag: SerializedDag, parse: Parse, now: datetime) -> int:
    """Return the DAG's version: the latest one if nothing but the source text differs, else a new one."""
    digest = structure_hash(dag)
    latest = conn.execute(
        select(_version.c.id, _version.c.version_number, _version.c.hash, _version.c.source)
        .where(_version.c.dag_id == dag.dag_id)
        .order_by(_version.c.version_number.desc())
        .limit(1)
    ).first()
    if latest is not None and latest.hash == digest:
        if parse.source is not None and parse.source != latest.source:
            conn.execute(update(_version).where(_version.c.id == latest.id).values(source=parse.source))
        return int(latest.id)
    inserted = conn.execute(
        _version.insert()
        .values(
            dag_id=dag.dag_id,
            version_number=1 if latest is None else latest.version_number + 1,
            hash=digest,
            data=encode(dag).decode(),
            source=parse.source,
            bundle_name=parse.file.bundle,
            bundle_version=parse.file.bundle_version,
            created_at=now,
        )
        .returning(_version.c.id)
    )
    return int(inserted.scalar_one())


def _record_dag(
    db: Database,
    conn: Connection,
    dag: SerializedDag,
    version: int,
    parse: Parse,
    now: datetime,
    paused: bool,
    *,
    anew: bool,
) -> None:
    row = {**_dag_row(dag, parse), "version_id": version, "last_parsed": now}
    if anew:
        # The epoch is always due: the scheduler works out the next run by the new version's timetable.
        row["next_run_after"] = 0
        row["next_interval_start"] = None
    at_creation = paused if dag.is_paused_upon_creation is None else dag.is_paused_upon_creation
    statement = db.insert(_dag).values(dag_id=dag.dag_id, is_paused=at_creation, **row)
    conn.execute(statement.on_conflict_do_update(index_elements=[_dag.c.dag_id], set_=row))
    _record_tags(conn, dag)


def _dag_row(dag: SerializedDag, parse: Parse) -> dict[str, Any]:
    file = parse.file
    return {
        "dag_display_name": dag.dag_display_name,
        "bundle_name": file.bundle,
        "bundle_version": file.bundle_version,
        "relative_fileloc": file.relative_path,
        "fileloc": file.path,
        "bundle_root": file.bundle_root,
        "source_hash": file.source_hash,
        "is_stale": False,
        "description": dag.description,
        "owners": ", ".join(dag.owners),
        "timetable_summary": dag.timetable_summary,
        "timetable_description": dag.timetable_description,
        "timetable_type": dag.timetable.kind,
        "max_active_runs": dag.max_active_runs,
        "max_active_tasks": dag.max_active_tasks,
        "max_consecutive_failed_dag_runs": dag.max_consecutive_failed_dag_runs,
        "last_parse_seconds": parse.seconds,
    }


def _record_tags(conn: Connection, dag: SerializedDag) -> None:
    tag = tables.dag_tag
    present = set(conn.execute(select(tag.c.name).where(tag.c.dag_id == dag.dag_id)).scalars())
    wanted = set(dag.tags)
    for name in wanted - present:
        conn.execute(tag.insert().values(name=name, dag_id=dag.dag_id))
    if present - wanted:
        conn.execute(delete(tag).where(tag.c.dag_id == dag.dag_id, tag.c.name.in_(present - wanted)))


def _record_warnings(
    conn: Connection, dag_ids: Iterable[str], warnings: Sequence[tuple[str, str]], now: datetime
) -> None:
    """Warnings are about a file, the screens show them beside each of its DAGs."""
    warning = tables.dag_warning
    texts: dict[str, list[str]] = {}
    for kind, message in warnings:
        texts.setdefault(kind, []).append(message)
    for dag_id in dag_ids:
        conn.execute(delete(warning).where(warning.c.dag_id == dag_id))
        for kind, messages in texts.items():
            row = {"dag_id": dag_id, "warning_type": kind[:50], "message": _clean("\n".join(messages))}
            conn.execute(warning.insert().values(**row, timestamp=now))


def _record_error(db: Database, conn: Connection, file: FileRef, trouble: str, now: datetime) -> None:
    if not trouble:
        conn.execute(delete(_error).where(_error.c.bundle_name == file.bundle, _error.c.filename == file.relative_path))
        return
    row = {"stacktrace": _clean(trouble), "timestamp": now}
    statement = db.insert(_error).values(bundle_name=file.bundle, filename=file.relative_path, **row)
    conn.execute(statement.on_conflict_do_update(index_elements=[_error.c.bundle_name, _error.c.filename], set_=row))


def _record_file(db: Database, conn: Connection, parse: Parse, now: datetime) -> None:
    file = parse.file
    row = {
        "source_hash": file.source_hash,
        "mtime": parse.mtime,
        "size": parse.size,
        "modules": msgspec.json.encode(list(parse.modules)).decode(),
        "last_parsed": now,
        "seconds": parse.seconds,
    }
    limits.check(_file, {"bundle_name": file.bundle, "relative_path": file.relative_path, **row})
    statement = db.insert(_file).values(bundle_name=file.bundle, relative_path=file.relative_path, **row)
    conn.execute(statement.on_conflict_do_update(index_elements=[_file.c.bundle_name, _file.c.relative_path], set_=row))


def _clean(text: str) -> str:
    """What user code printed may hold anything; the database takes no NUL and no half surrogate."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def check_source(parse: Parse) -> Parse:
    """Return the parse with a source text that can be stored.

    Raises:
        Invalid: the path of the file cannot be stored.
    """
    if "\0" in parse.file.relative_path:
        raise Invalid("a file name holds a NUL character")
    return parse if parse.source is None else msgspec.structs.replace(parse, source=_clean(parse.source))
