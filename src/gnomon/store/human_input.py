"""Questions that tasks ask people, one per try, and the answers.

An answer and the resumption of its task are two steps: the answer is written by whoever gives it, and the scheduler
resumes what waits and has one. Which tasks that are follows from the tables alone, so no answer can get lost between.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, select, update

from gnomon.store import limits, tables
from gnomon.store.database import Database, Statement
from gnomon.store.errors import AlreadyExists, Conflict, TaskInstanceNotFound
from gnomon.store.human_input_tables import human_input
from gnomon.store.notifier import notify_in
from gnomon.store.types import to_micros
from gnomon.wire.human_input import Answer, AskPeople, Person, answered_event

_h, _ti = human_input.c, tables.task_instance.c
#: how many numbers fit into one statement of every SQLite
_BATCH = 500

_ASK = Statement(
    "INSERT INTO human_input (ti_id, try_number, subject, body, options, defaults, multiple, params, assigned_users,"
    " created_at, params_input)"
    " SELECT i.id, i.try_number, :subject, :body, :options, :defaults, :multiple, :params, :assigned_users, :now, '{}'"
    " FROM task_instance i WHERE i.id = :ti AND i.seq = :seq"
    " ON CONFLICT (ti_id, try_number) DO UPDATE SET subject = excluded.subject, body = excluded.body,"
    " options = excluded.options, defaults = excluded.defaults, multiple = excluded.multiple,"
    " params = excluded.params, assigned_users = excluded.assigned_users, created_at = excluded.created_at,"
    " responded_at = NULL, responded_by_id = NULL, responded_by_name = NULL, chosen_options = NULL,"
    " params_input = excluded.params_input"
)


class AnsweredAlready(AlreadyExists):
    """Somebody has answered this question before."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a try asked, and the answer if there is one."""

    ti_id: int
    try_number: int
    subject: str
    body: str | None
    options: list[str]
    defaults: list[str] | None
    multiple: bool
    params: dict[str, Any]
    assigned_users: list[Person]
    created_at: datetime
    responded_at: datetime | None = None
    responded_by: Person | None = None
    chosen_options: list[str] | None = None
    params_input: dict[str, Any] = {}

    @property
    def default_input(self) -> dict[str, Any]:
        """What the form holds when nobody has touched it."""
        return {
            name: field["value"] if isinstance(field, dict) and "value" in field else field
            for name, field in self.params.items()
        }

    def answer(self) -> Answer:
        """Return the answer as tasks and triggers see it."""
        return Answer(
            response_received=self.responded_at is not None,
            responded_at=None if self.responded_at is None else to_micros(self.responded_at),
            responded_by_user=self.responded_by,
            chosen_options=self.chosen_options,
            params_input=self.params_input,
        )

    def event(self) -> bytes | None:
        """Return the event with which the task goes on; None while there is no answer."""
        if self.responded_at is None:
            return None
        return answered_event(
            chosen=self.chosen_options or [],
            params_input=self.params_input,
            responded_at=self.responded_at,
            responded_by=self.responded_by,
            timed_out=False,
        )


class HumanInput:
    """The questions of all task instances."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def ask(self, ti_id: int, seq: int, question: AskPeople, now: datetime) -> None:
        """Store the question of a try; what was asked and answered before in the same try is forgotten.

        Raises:
            Conflict: this piece of the try is over.
        """
        row = {
            "subject": question.subject,
            "body": question.body,
            "options": _text(question.options),
            "defaults": None if question.defaults is None else _text(question.defaults),
            "multiple": question.multiple,
            "params": question.params.decode(),
            "assigned_users": _text(question.assigned_users),
        }
        limits.check(human_input, row)
        with self._db.write() as conn:
            if _ASK.run(conn, ti=ti_id, seq=seq, now=to_micros(now), **row).rowcount != 1:
                raise Conflict("this try is over: it was cleared, marked or given to another worker")

    def get(self, ti_id: int) -> Question | None:
        """Return the question of a task instance's present try, None if it has asked nothing."""
        with self._db.read() as conn:
            return next(iter(_present(conn, [ti_id])), None)

    def of(self, ti_ids: Collection[int]) -> dict[int, Question]:
        """Return the questions of the present tries of these task instances."""
        ids, found = sorted(ti_ids), {}
        with self._db.read() as conn:
            for start in range(0, len(ids), _BATCH):
                for question in _present(conn, ids[start : start + _BATCH]):
                    found[question.ti_id] = question
        return found

    def answer(
        self, ti_id: int, *, chosen: list[str], params_input: dict[str, Any], by: Person | None, now: datetime
    ) -> Question:
        """Store an answer, and have the scheduler resume the task.

        Raises:
            TaskInstanceNotFound: the present try of this task instance has asked nothing.
            AnsweredAlready: there is an answer.
        """
        values = {
            "responded_at": now,
            "responded_by_id": by and by.id[:250],
            "responded_by_name": by and by.name[:512],
            "chosen_options": _text(chosen),
            "params_input": _text(params_input),
        }
        with self._db.write() as conn:
            question = next(iter(_present(conn, [ti_id])), None)
            if question is None:
                raise TaskInstanceNotFound(f"task instance {ti_id} has no question to people")
            present = and_(_h.ti_id == ti_id, _h.try_number == question.try_number)
            free = update(human_input).where(present, _h.responded_at.is_(None)).values(values)
            if conn.execute(free).rowcount != 1:
                raise AnsweredAlready(f"the question of task instance {ti_id} is answered already")
            notify_in(conn, "answered", ti_id)
        return msgspec.structs.replace(
            question, responded_at=now, responded_by=by, chosen_options=chosen, params_input=params_input
        )


def _present(conn: Connection, ti_ids: Collection[int]) -> list[Question]:
    query = select(human_input).join(tables.task_instance, and_(_ti.id == _h.ti_id, _ti.try_number == _h.try_number))
    return [question_of(row) for row in conn.execute(query.where(_h.ti_id.in_(ti_ids)))]


def question_of(row: Row[Any] | Any) -> Question:
    """Return a row of the table as a question."""
    decode = msgspec.json.decode
    by = None if row.responded_by_id is None else Person(row.responded_by_id, row.responded_by_name or "")
    return Question(
        ti_id=row.ti_id,
        try_number=row.try_number,
        subject=row.subject,
        body=row.body,
        options=decode(row.options),
        defaults=None if row.defaults is None else decode(row.defaults),
        multiple=row.multiple,
        params=decode(row.params),
        assigned_users=decode(row.assigned_users, type=list[Person]),
        created_at=row.created_at,
        responded_at=row.responded_at,
        responded_by=by,
        chosen_options=None if row.chosen_options is None else decode(row.chosen_options),
        params_input=decode(row.params_input),
    )


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
