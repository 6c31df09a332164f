"""Questions that only users' classes can answer, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from gnomon.service import clock
from gnomon.store import tables as t
from gnomon.store.deadline_tables import question
from gnomon.store.engine import Store, open_store
from gnomon.store.questions import Ask
from gnomon.wire.dag import TimetableSpec
from gnomon.wire.questions import AskedOf, ManualAsked, NextAsked, NothingTold, RunTold
from tests.fixtures.scheduling import dag, record

CUSTOM = TimetableSpec(kind="custom", classpath="mine.Odd", data={"n": 1})
FIRST = Ask("next", "d", "mine.Odd", AskedOf({"n": 1}, NextAsked(earliest=5)))
SECOND = Ask("next", "d", "mine.Odd", AskedOf({"n": 1}, NextAsked(last=(5, 6), earliest=5)))


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as store:
        record(store, dag("d", timetable=CUSTOM))
        yield store
        assert store.database.checked_out() == 0


def warnings(store: Store) -> list[str]:
    with store.database.read() as conn:
        return list(conn.execute(select(t.dag_warning.c.message)).scalars())


def test_a_question_goes_out_with_the_file_that_may_define_the_class(store: Store) -> None:
    now = clock.now()
    store.questions.ask(FIRST, now)
    assert store.questions.next_due() == now
    (asked,) = store.questions.open(now)
    assert (asked.classpath, asked.data, asked.asked) == ("mine.Odd", {"n": 1}, NextAsked(earliest=5))
    assert asked.file.relative_path == "d.py"


def test_an_answer_is_kept_and_seen_once(store: Store) -> None:
    now = clock.now()
    store.questions.ask(FIRST, now)
    (asked,) = store.questions.open(now)
    told = RunTold(1, 2, 2, run_id="own")
    store.questions.answer(asked, now, told=told)
    assert store.questions.open(now) == []
    assert store.questions.untaken() == [("next", "d", "")]
    found = store.questions.get("next", "d")
    assert found is not None
    assert (found.told, found.body, found.pending) == (told, FIRST.body, False)
    with store.database.write() as conn:
        store.questions.take_in(conn, "next", "d")
    assert store.questions.untaken() == []


def test_an_answer_to_a_question_that_was_replaced_is_void(store: Store) -> None:
    now = clock.now()
    store.questions.ask(FIRST, now)
    (asked,) = store.questions.open(now)
    store.questions.ask(SECOND, now)
    store.questions.answer(asked, now, told=NothingTold())
    found = store.questions.get("next", "d")
    assert found is not None
    assert (found.told, found.body) == (None, SECOND.body)
    assert [one.asked for one in store.questions.open(now)] == [SECOND.body.asked]


def test_one_that_fails_is_a_warning_and_asked_again_later(store: Store) -> None:
    now = clock.now()
    store.questions.ask(FIRST, now)
    (asked,) = store.questions.open(now)
    store.questions.answer(asked, now, error="the calendar is on fire")
    assert warnings(store) == ["the calendar is on fire"]
    assert store.questions.open(now) == []
    assert len(store.questions.open(now + timedelta(seconds=31))) == 1
    record(store, dag("d", timetable=CUSTOM))  # parsed again and unchanged: it still does not answer
    assert warnings(store) == ["the calendar is on fire"]
    store.questions.answer(asked, now, told=NothingTold())
    assert warnings(store) == []


def test_a_new_version_of_the_dag_ends_what_the_last_one_was_asked(store: Store) -> None:
    now = clock.now()
    store.questions.ask(FIRST, now)
    (asked,) = store.questions.open(now)
    store.questions.answer(asked, now, error="the calendar is on fire")
    record(store, dag("d", timetable=TimetableSpec(kind="null")))
    assert warnings(store) == []
    assert store.questions.get("next", "d") is None


def test_what_nobody_can_wait_for_any_more_is_forgotten(store: Store) -> None:
    now = clock.now()
    ask = Ask("manual", "d", "mine.Odd", AskedOf({}, ManualAsked(7)), about="7")
    store.questions.ask(ask, now)
    assert [one.asked for one in store.questions.open(now)] == [ManualAsked(7)]
    assert store.questions.open(now + timedelta(minutes=11)) == []
    with store.database.read() as conn:
        assert conn.execute(select(question.c.id)).all() == []


def test_a_dag_that_is_gone_is_asked_nothing(store: Store) -> None:
    now = clock.now()
    store.questions.ask(FIRST, now)
    store.dags.mark_files_gone("dags-folder", ["d.py"])
    assert store.questions.open(now) == []
    assert store.questions.untaken() == []
