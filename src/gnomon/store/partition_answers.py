"""Events for DAGs whose partition mappers or windows are classes of users: what is asked about them, and the answers.

An event waits in `partition_arrival`, written with it. The scheduler asks about all that wait in one question per DAG;
its answer is put to use in the transaction that takes it, so an event counts once, whoever is killed in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from gnomon.model.assets import AssetKey
from gnomon.model.partitions import Mappers, definition_of
from gnomon.store import partition_queue
from gnomon.store.database import Statement
from gnomon.store.questions import Answer, Ask, Questions
from gnomon.wire.questions import AskedOf, KeyAsked, KeyTold, PartitionsAsked, PartitionsTold

log = structlog.get_logger("store")

KIND = "partition"
#: Asked about at a time: more would make the answer long in coming, and long.
_AT_ONCE = 100

_WAITING = Statement(
    "SELECT w.event_id, w.asset_id, a.name, a.uri, w.source_key, w.date, w.created_at FROM partition_arrival w"
    " JOIN asset a ON a.id = w.asset_id WHERE w.dag_id = :dag_id ORDER BY w.event_id"
)
_DONE = Statement("DELETE FROM partition_arrival WHERE dag_id = :dag_id AND event_id = :event_id")
_STALE = Statement("DELETE FROM partition_arrival WHERE dag_id = :dag_id AND definition <> :definition")
_ASSET = Statement("SELECT id FROM asset WHERE name = :name AND uri = :uri")
_PRESENT = Statement("SELECT 1 FROM partition_run WHERE id = :id AND partition_key = :key")
_TOLD = Statement(
    "INSERT INTO partition_told (partition_run_id, asset_id, expected, date, date_error, error)"
    " VALUES (:run, :asset_id, :expected, :date, :date_error, :error) ON CONFLICT (partition_run_id, asset_id)"
    " DO UPDATE SET expected = excluded.expected, date = excluded.date, date_error = excluded.date_error,"
    " error = excluded.error"
)


@dataclass
class Answers:
    """What is asked about the events of one DAG, in the caller's transaction."""

    conn: Connection
    questions: Questions
    dag_id: str
    mappers: Mappers
    data: dict[str, Any] | None
    now: int

    def __post_init__(self) -> None:
        self._definition = definition_of(self.data)
        self._attempts = 0

    def take(self, *, anew: bool) -> None:
        """Put an answer to use, if there is one.

        Args:
            anew: whether what could not be answered is asked at once, for its file may have changed.
        """
        _STALE.run(self.conn, dag_id=self.dag_id, definition=self._definition)
        found = self.questions.get_in(self.conn, KIND, self.dag_id)
        if found is None:
            return
        asked = found.body.asked
        if not isinstance(asked, PartitionsAsked) or asked.definition != self._definition:
            self.questions.forget_in(self.conn, KIND, self.dag_id)
        elif isinstance(found.told, PartitionsTold):
            self._use(asked, found.told)
            self._attempts = found.attempts
            self.questions.forget_in(self.conn, KIND, self.dag_id)
        elif anew and (found.error is not None or _is_later(found, self.now)):
            self.questions.forget_in(self.conn, KIND, self.dag_id)
        elif found.error is not None:
            self.questions.take_in(self.conn, KIND, self.dag_id)

    def ask(self, pending: Sequence[partition_queue.Pending]) -> None:
        """Ask about what is not known: events that wait, and what the runs to come are made up of."""
        unknown, failed = self._unknown(pending)
        rows = _WAITING.run(self.conn, dag_id=self.dag_id).all()[:_AT_ONCE]
        if not rows and not unknown and not failed:
            return
        open_one = self.questions.get_in(self.conn, KIND, self.dag_id)
        if open_one is not None and not (rows and open_one.error is None and _is_later(open_one, self.now)):
            return  # it is being answered, or could not be
        arrivals = [KeyAsked(row[0], row[2], row[3], row[4], row[5]) for row in rows]
        asked = PartitionsAsked(self._definition, partition_queue.max_keys(), arrivals, (unknown + failed)[:_AT_ONCE])
        ask = Ask(KIND, self.dag_id, str(self.mappers.custom), AskedOf({}, asked))
        # Alone, what could not be said is asked again some time later.
        attempts = self._attempts if failed and not (rows or unknown) else 0
        self.questions.ask_in(self.conn, ask, self.now, attempts=attempts)

    def _unknown(self, pending: Sequence[partition_queue.Pending]) -> tuple[list[KeyAsked], list[KeyAsked]]:
        """Return what nobody has said yet, and what could not be said."""
        unknown, failed = [], []
        for one in pending:
            for key in dict.fromkeys(key for _, _, key in one.events):
                if not self.mappers.asks(*key):
                    continue
                told = one.told.get(key)
                if told is None:
                    unknown.append(KeyAsked(one.id, *key, one.key))
                elif told.error is not None:
                    failed.append(KeyAsked(one.id, *key, one.key))
        return unknown, failed

    def _use(self, asked: PartitionsAsked, told: PartitionsTold) -> None:
        waiting = {row[0]: row for row in _WAITING.run(self.conn, dag_id=self.dag_id)}
        for arrival, answer in zip(asked.arrivals, told.arrivals, strict=True):
            row = waiting.get(arrival.number)
            if row is None or row[4] != arrival.key:
                continue  # the event, or its asset, was deleted meanwhile, and the number may have been given again
            _, asset_id, name, uri, source, date, at = row
            _DONE.run(self.conn, dag_id=self.dag_id, event_id=arrival.number)
            if answer.refusal is not None:
                partition_queue.note(self.conn, self.dag_id, at, *answer.refusal)
                continue
            event = partition_queue.Arrival(asset_id, AssetKey(name, uri), arrival.number, source, date, at)
            keys = [one.key for one in answer.keys]
            numbers = partition_queue.arrived(
                self.conn, self.dag_id, event, keys, date=answer.carried, definition=self._definition
            )
            for number, one in zip(numbers, answer.keys, strict=False):
                self._note(number, asset_id, one)
        for run, one in zip(asked.runs, told.runs, strict=True):
            found = _ASSET.run(self.conn, name=run.name, uri=run.uri).scalar()
            # By its key too: numbers of runs that have come may be given again.
            if found is not None and _PRESENT.run(self.conn, id=run.number, key=run.key).first() is not None:
                self._note(run.number, found, one)

    def _note(self, number: int, asset_id: Any, told: KeyTold) -> None:
        expected = None if told.expected is None else msgspec.json.encode(told.expected).decode()
        errors = {"date_error": _clean(told.date_error), "error": _clean(told.error)}
        _TOLD.run(self.conn, run=number, asset_id=asset_id, expected=expected, date=told.date, **errors)
        if told.error is not None:
            log.error("a partition cannot be evaluated", dag_id=self.dag_id, error=told.error)


def _is_later(answer: Answer, now: int) -> bool:
    return answer.due is not None and answer.due > now


def _clean(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "\\x00")
