"""What a parse leaves behind: DAG rows, versions, tags, warnings, import errors, and the file itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, and_, delete, select, update

from gnomon.store import asset_references, limits, questions, tables
from gnomon.store.database import Statement
from gnomon.store.errors import Invalid
from gnomon.store.notifier import notify_in
from gnomon.store.types import to_micros
from gnomon.wire.dag import SerializedDag, decode, encode
from gnomon.wire.execution import FileRef

_dag = tables.dag
_file = tables.parsed_file
_error = tables.import_error
_DUPLICATE = "DAG id {dag_id!r} is already defined in {path}"

# Hundreds of files may come at once, so these are plain text: building a statement costs more than running it.
_PREVIOUS = Statement(
    "SELECT dag_id FROM dag WHERE bundle_name = :bundle AND relative_fileloc = :path AND NOT is_stale"
)
_BEFORE = Statement(
    "SELECT bundle_name, relative_fileloc, is_stale, version_id, source_hash FROM dag WHERE dag_id = :dag_id"
)
_LATEST = Statement(
    "SELECT id, version_number, hash, source FROM dag_version WHERE dag_id = :dag_id ORDER BY version_number DESC LIMIT 1"
)
_NEW_VERSION = Statement(
    "INSERT INTO dag_version (dag_id, version_number, hash, data, source, bundle_name, bundle_version, created_at)"
    " VALUES (:dag_id, :version_number, :hash, :data, :source, :bundle_name, :bundle_version, :created_at) RETURNING id"
)
_SOURCE = Statement("UPDATE dag_version SET source = :source WHERE id = :id")
_BUNDLE = Statement("INSERT INTO bundle (name, active) VALUES (:name, :active) ON CONFLICT DO NOTHING")
_STALE = Statement("UPDATE dag SET is_stale = :stale WHERE dag_id = :dag_id")
_HAS_ERRORS = Statement(
    "UPDATE dag SET has_import_errors = :errors"
    " WHERE bundle_name = :bundle AND relative_fileloc = :path AND has_import_errors <> :errors"
)
_TAGS = Statement("SELECT name FROM dag_tag WHERE dag_id = :dag_id")
_ADD_TAG = Statement("INSERT INTO dag_tag (name, dag_id) VALUES (:name, :dag_id)")
_DROP_TAG = Statement("DELETE FROM dag_tag WHERE dag_id = :dag_id AND name = :name")
_ADD_WARNING = Statement(
    "INSERT INTO dag_warning (dag_id, warning_type, message, timestamp) VALUES (:dag_id, :kind, :message, :now)"
    " ON CONFLICT (dag_id, warning_type) DO UPDATE SET message = excluded.message, timestamp = excluded.timestamp"
)
_DROP_WARNINGS = Statement(
    "DELETE FROM dag_warning WHERE dag_id = :dag_id"
    f" AND warning_type NOT IN ('{asset_references.CONFLICT}', '{questions.WARNING}')"
)
# What the timetable of an earlier version was asked, and that it did not answer, is over.
_FORGET_QUESTION = Statement(f"DELETE FROM question WHERE dag_id = :dag_id AND kind IN {questions.LASTING}")
_FORGET_SILENCE = Statement(f"DELETE FROM dag_warning WHERE dag_id = :dag_id AND warning_type = '{questions.WARNING}'")
_DROP_ERROR = Statement("DELETE FROM import_error WHERE bundle_name = :bundle AND filename = :path")


def _upsert(table: Table, keys: Sequence[str], only_new: Sequence[str] = (), besides: Sequence[str] = ()) -> Statement:
    """Insert, or update all but the keys and the `only_new` columns; `besides` are no part of it."""
    names = [column.name for column in table.columns if column.name not in besides]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in {*keys, *only_new})
    values = ", ".join(f":{name}" for name in names)
    return Statement(
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values})"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )


#: What the scheduler writes and a parse leaves alone.
_OF_SCHEDULER = ("next_run_after", "next_logical_date", "next_interval_start", "next_interval_end")
_PUT_DAG = _upsert(
    _dag, ["dag_id"], only_new=["is_paused", "has_import_errors", "exceeds_max_non_backfill"], besides=_OF_SCHEDULER
)
# The epoch is always due: the scheduler works out the next run by the new version's timetable.
_NEXT_IS_UNKNOWN = Statement("UPDATE dag SET next_run_after = 0, next_interval_start = NULL WHERE dag_id = :dag_id")
_PUT_FILE = _upsert(_file, ["bundle_name", "relative_path"])
_PUT_ERROR = _upsert(_error, ["bundle_name", "filename"], besides=["id"])


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


def record(conn: Connection, parse: Parse, now: datetime, *, paused_at_creation: bool) -> Recorded:
    """Store the outcome of one parse in the caller's transaction."""
    file = parse.file
    readable, trouble = _readable(parse)
    previous = set(_PREVIOUS.run(conn, bundle=file.bundle, path=file.relative_path).scalars())
    _BUNDLE.run(conn, name=file.bundle, active=True)
    versions: dict[str, int] = {}
    changed: list[str] = []
    for dag, row in readable:
        before: Any = _BEFORE.run(conn, dag_id=dag.dag_id).first()
        if _is_rival(before, file):
            trouble.append(_DUPLICATE.format(dag_id=dag.dag_id, path=before.relative_fileloc))
            continue
        version = versions[dag.dag_id] = _record_version(conn, dag, parse, now)
        anew = before is None or before.is_stale or before.version_id != version
        paused = paused_at_creation if dag.is_paused_upon_creation is None else dag.is_paused_upon_creation
        _PUT_DAG.run(conn, **row, version_id=version, last_parsed=to_micros(now), is_paused=paused)
        if anew:
            for statement in (_NEXT_IS_UNKNOWN, _FORGET_QUESTION, _FORGET_SILENCE):
                statement.run(conn, dag_id=dag.dag_id)
            asset_references.record(conn, dag, now, is_new=before is None)
        _record_tags(conn, dag)
        _record_warnings(conn, dag.dag_id, parse.warnings, now)
        if anew or before.source_hash != file.source_hash:
            changed.append(dag.dag_id)
    # A file with an error keeps the DAGs that it had: they may be behind the line that failed.
    gone = [] if parse.error else sorted(previous - versions.keys())
    for dag_id in gone:
        _STALE.run(conn, stale=True, dag_id=dag_id)
    asset_references.forget(conn, gone)
    _record_file(conn, parse, "\n".join(filter(None, [parse.error, *trouble])), now)
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
    asset_references.forget(conn, gone)
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


def _readable(parse: Parse) -> tuple[list[tuple[SerializedDag, dict[str, Any]]], list[str]]:
    """The DAGs that can be stored with their rows, and why others cannot: user code made them, so anything may come."""
    readable: list[tuple[SerializedDag, dict[str, Any]]] = []
    refused: list[str] = []
    for item in parse.dags:
        try:
            dag = item if isinstance(item, SerializedDag) else decode(item)
            row = _dag_row(dag, parse)
            limits.check(_dag, row)
            asset_references.check(dag)
            for name in dag.tags:
                limits.check(tables.dag_tag, {"name": name})
        except (msgspec.DecodeError, Invalid) as error:
            refused.append(f"a DAG of this file cannot be stored: {error}")
        else:
            readable.append((dag, row))
    return readable, refused


def _is_rival(before: Any, file: FileRef) -> bool:
    """Whether another file has the DAG id: it belongs to the one that defined it first."""
    if before is None or before.is_stale:
        return False
    return bool((before.bundle_name, before.relative_fileloc) != (file.bundle, file.relative_path))


def _record_version(conn: Connection, dag: SerializedDag, parse: Parse, now: datetime) -> int:
    """Return the DAG's version: the latest one if nothing but the source text differs, else a new one."""
    digest = structure_hash(dag)
    latest: Any = _LATEST.run(conn, dag_id=dag.dag_id).first()
    if latest is not None and latest.hash == digest:
        if parse.source is not None and parse.source != latest.source:
            _SOURCE.run(conn, source=parse.source, id=latest.id)
        return int(latest.id)
    inserted = _NEW_VERSION.run(
        conn,
        dag_id=dag.dag_id,
        version_number=1 if latest is None else latest.version_number + 1,
        hash=digest,
        data=encode(dag).decode(),
        source=parse.source,
        bundle_name=parse.file.bundle,
        bundle_version=parse.file.bundle_version,
        created_at=to_micros(now),
    )
    return int(inserted.scalar_one())


def _dag_row(dag: SerializedDag, parse: Parse) -> dict[str, Any]:
    file = parse.file
    return {
        "dag_id": dag.dag_id,
        "dag_display_name": dag.dag_display_name,
        "bundle_name": file.bundle,
        "bundle_version": file.bundle_version,
        "relative_fileloc": file.relative_path,
        "fileloc": file.path,
        "bundle_root": file.bundle_root,
        "source_hash": file.source_hash,
        "is_stale": False,
        "has_import_errors": False,
        "exceeds_max_non_backfill": False,
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
    present = set(_TAGS.run(conn, dag_id=dag.dag_id).scalars())
    wanted = set(dag.tags)
    for name in sorted(wanted - present):
        _ADD_TAG.run(conn, name=name, dag_id=dag.dag_id)
    for name in present - wanted:
        _DROP_TAG.run(conn, name=name, dag_id=dag.dag_id)


def _record_warnings(conn: Connection, dag_id: str, warnings: Sequence[tuple[str, str]], now: datetime) -> None:
    """Warnings are about a file, the screens show them beside each of its DAGs."""
    texts: dict[str, list[str]] = {}
    for kind, message in warnings:
        texts.setdefault(kind[:50], []).append(message)
    _DROP_WARNINGS.run(conn, dag_id=dag_id)
    for kind, messages in texts.items():
        _ADD_WARNING.run(conn, dag_id=dag_id, kind=kind, message=_clean("\n".join(messages)), now=to_micros(now))


def _record_file(conn: Connection, parse: Parse, trouble: str, now: datetime) -> None:
    file = parse.file
    place = {"bundle": file.bundle, "path": file.relative_path}
    _HAS_ERRORS.run(conn, errors=bool(trouble), **place)
    if trouble:
        text = _clean(trouble)
        moment = to_micros(now)
        _PUT_ERROR.run(conn, bundle_name=file.bundle, filename=file.relative_path, stacktrace=text, timestamp=moment)
    else:
        _DROP_ERROR.run(conn, **place)
    row = {
        "bundle_name": file.bundle,
        "relative_path": file.relative_path,
        "source_hash": file.source_hash,
        "mtime": parse.mtime,
        "size": parse.size,
        "modules": msgspec.json.encode(list(parse.modules)).decode(),
        "last_parsed": to_micros(now),
        "seconds": parse.seconds,
    }
    limits.check(_file, row)
    _PUT_FILE.run(conn, **row)


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
