"""Questions that only user code can answer: written by who needs the answer, answered by the dag-processor."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, delete, func, select, update

from gnomon.store import tables
from gnomon.store.database import Database
from gnomon.store.deadline_tables import question as _q
from gnomon.store.notifier import notify_in
from gnomon.store.types import to_micros
from gnomon.wire.execution import FileRef
from gnomon.wire.questions import AskedOf, Question, Told

_dag = tables.dag
#: A question that failed is asked again after so many seconds, for what it needed may be back by then.
_AGAIN_SECONDS = (30, 60, 300, 600)
#: The type of the warning beside a DAG whose timetable does not answer.
WARNING = "timetable"
#: Kinds of questions that a request waits for.
_OF_REQUESTS = ("manual", "between")
#: The kinds that are asked until there is an answer.
LASTING = ("next", "partition", "instances")
#: Nobody waits longer for the answer to a question of a request.
_FORGOTTEN = timedelta(minutes=10)


class Ask(NamedTuple):
    """A question to be written: of which class, and what."""

    kind: str
    dag_id: str
    classpath: str
    body: AskedOf
    about: str = ""


class Answer(NamedTuple):
    """What became of a question."""

    body: AskedOf
    classpath: str
    told: Told | None
    error: str | None
    #: it will be asked again, or is being asked
    pending: bool
    #: when, in microseconds
    due: int | None = None
    attempts: int = 0


_decode_body = msgspec.json.Decoder(AskedOf).decode
_decode_told = msgspec.json.Decoder(Told).decode


class Questions:
    """The questions. Who writes one rings `question`, who answers it `reply`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def ask(self, ask: Ask, now: datetime | int) -> None:
        """Write a question in a transaction of its own."""
        with self._db.write() as conn:
            self.ask_in(conn, ask, now)

    def ask_in(self, conn: Connection, ask: Ask, now: datetime | int, *, attempts: int = 0) -> None:
        """Write a question in the caller's transaction; it takes the place of an earlier one about the same.

        Args:
            attempts: how often it was asked before; it is asked again the later for it.
        """
        moment = now if isinstance(now, int) else to_micros(now)
        row = {
            "classpath": ask.classpath,
            "question": msgspec.json.encode(ask.body).decode(),
            "answer": None,
            "error": None,
            "attempts": attempts,
            "due": moment + (1_000_000 * _wait_of(attempts - 1) if attempts else 0),
            "taken": False,
            "created_at": moment,
        }
        insert = self._db.insert(_q).values(kind=ask.kind, dag_id=ask.dag_id, about=ask.about, **row)
        conn.execute(insert.on_conflict_do_update(index_elements=["kind", "dag_id", "about"], set_=row))
        notify_in(conn, "question", ask.dag_id)

    def get(self, kind: str, dag_id: str, about: str = "") -> Answer | None:
        """Return a question and its answer."""
        with self._db.read() as conn:
            return self.get_in(conn, kind, dag_id, about)

    def get_in(self, conn: Connection, kind: str, dag_id: str, about: str = "") -> Answer | None:
        """Return a question and its answer in the caller's transaction."""
        query = select(_q).where(_q.c.kind == kind, _q.c.dag_id == dag_id, _q.c.about == about)
        row = conn.execute(query).first()
        return None if row is None else _answer(row)

    def take_in(self, conn: Connection, kind: str, dag_id: str, about: str = "") -> None:
        """Note in the caller's transaction that an answer was seen."""
        mine = and_(_q.c.kind == kind, _q.c.dag_id == dag_id, _q.c.about == about)
        conn.execute(update(_q).where(mine).values(taken=True))

    def forget(self, kind: str, dag_id: str, about: str = "") -> None:
        """Delete a question, answered or not."""
        with self._db.write() as conn:
            self.forget_in(conn, kind, dag_id, about)

    def forget_in(self, conn: Connection, kind: str, dag_id: str, about: str = "") -> None:
        """Delete a question, answered or not, in the caller's transaction."""
        conn.execute(delete(_q).where(_q.c.kind == kind, _q.c.dag_id == dag_id, _q.c.about == about))

    def forget_about_in(self, conn: Connection, kind: str, about: str) -> None:
        """Delete a question of whatever DAG in the caller's transaction."""
        conn.execute(delete(_q).where(_q.c.kind == kind, _q.c.about == about))

    def untaken(self) -> list[tuple[str, str, str]]:
        """Return (kind, dag_id, about) of the answers that nobody has seen, but for those that requests wait for."""
        told = (_q.c.answer.is_not(None)) | (_q.c.error.is_not(None))
        query = select(_q.c.kind, _q.c.dag_id, _q.c.about).join(_dag, _dag.c.dag_id == _q.c.dag_id)
        query = query.where(~_q.c.taken, told, _q.c.kind.not_in(_OF_REQUESTS), ~_dag.c.is_stale)
        with self._db.read() as conn:
            return [(kind, dag_id, about) for kind, dag_id, about in conn.execute(query)]

    # ------------------------------------------------------------------------------------- for the dag-processor

    def open(self, now: datetime) -> list[Question]:
        """Return the questions to be asked now, and forget those that nobody can wait for any more."""
        query = (
            select(_q, _dag.c.bundle_name, _dag.c.bundle_root, _dag.c.bundle_version, _dag.c.fileloc)
            .add_columns(_dag.c.relative_fileloc, _dag.c.source_hash)
            .join(_dag, _dag.c.dag_id == _q.c.dag_id)
            .where(_q.c.due <= now, ~_dag.c.is_stale)
            .order_by(_q.c.due)
        )
        forgotten = select(_q.c.id).where(_q.c.kind.in_(_OF_REQUESTS), _q.c.created_at < now - _FORGOTTEN)
        with self._db.read() as conn:
            rows = conn.execute(query).all()
            old = set(conn.execute(forgotten).scalars())
        if old:
            with self._db.write() as conn:
                conn.execute(delete(_q).where(_q.c.id.in_(old)))
        return [_question(row) for row in rows if row.id not in old]

    def next_due(self) -> datetime | None:
        """Return when the next question is to be asked."""
        with self._db.read() as conn:
            found = conn.execute(select(func.min(_q.c.due)).where(_q.c.due.is_not(None))).scalar()
        return found if found is None or isinstance(found, datetime) else None

    def answer(self, question: Question, now: datetime, *, told: Told | None = None, error: str | None = None) -> None:
        """Store the answer, or why there is none; a question that has been replaced meanwhile stays as it is."""
        body = msgspec.json.encode(AskedOf(question.data, question.asked)).decode()
        same = and_(_q.c.id == question.id, _q.c.question == body)
        with self._db.write() as conn:
            row = conn.execute(select(_q).where(same)).first()
            if row is None:
                return
            again = None
            if error is not None and row.kind in LASTING:
                again = now + timedelta(seconds=_wait_of(row.attempts))
            values: dict[str, Any] = {
                "answer": None if told is None else msgspec.json.encode(told).decode(),
                "error": None if error is None else error.replace("\0", "\\x00"),
                "attempts": row.attempts + 1,
                "due": again,
                "taken": False,
            }
            conn.execute(update(_q).where(_q.c.id == question.id).values(values))
            if row.kind in LASTING:
                _record_warning(conn, row.dag_id, values["error"], now)
            notify_in(conn, "reply", f"{row.kind}:{row.about or row.dag_id}")


def _wait_of(attempts: int) -> int:
    return _AGAIN_SECONDS[min(attempts, len(_AGAIN_SECONDS) - 1)]


def _record_warning(conn: Connection, dag_id: str, error: str | None, now: datetime) -> None:
    """Show beside the DAG that its timetable, or what maps its partitions, does not answer, until it does."""
    warning = tables.dag_warning
    conn.execute(delete(warning).where(warning.c.dag_id == dag_id, warning.c.warning_type == WARNING))
    if error is not None:
        values = {"dag_id": dag_id, "warning_type": WARNING, "message": error, "timestamp": now}
        conn.execute(warning.insert().values(values))


def _answer(row: Any) -> Answer:
    told = None if row.answer is None else _decode_told(row.answer)
    due = None if row.due is None else to_micros(row.due)
    return Answer(_decode_body(row.question), row.classpath, told, row.error, due is not None, due, row.attempts)


def _question(row: Any) -> Question:
    body = _decode_body(row.question)
    return Question(
        id=row.id,
        dag_id=row.dag_id,
        classpath=row.classpath,
        data=body.data,
        file=FileRef(
            bundle=row.bundle_name,
            path=row.fileloc,
            relative_path=row.relative_fileloc,
            source_hash=row.source_hash,
            bundle_version=row.bundle_version,
            bundle_root=row.bundle_root,
        ),
        asked=body.asked,
    )
