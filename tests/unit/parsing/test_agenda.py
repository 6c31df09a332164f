from __future__ import annotations

from gnomon.parsing.agenda import Agenda, Urgency
from gnomon.parsing.records import FileKey

A, B, C = (FileKey("dags", name) for name in ("a.py", "b.py", "c.py"))


def test_urgent_files_come_first_then_those_saved_last() -> None:
    agenda = Agenda()
    agenda.add(A, Urgency.NEW, mtime=1.0)
    agenda.add(B, Urgency.NEW, mtime=2.0)
    agenda.add(C, Urgency.CHANGED)

    assert [agenda.take() for _ in range(4)] == [C, B, A, None]


def test_a_file_waits_once_at_its_most_urgent() -> None:
    agenda = Agenda()
    agenda.add(A, Urgency.REFRESH)
    agenda.add(B, Urgency.NEW)
    agenda.add(A, Urgency.CHANGED)
    agenda.add(A, Urgency.REFRESH)

    assert [agenda.take() for _ in range(3)] == [A, B, None]


def test_a_file_that_changes_while_it_is_parsed_is_parsed_again() -> None:
    agenda = Agenda()
    agenda.add(A, Urgency.NEW)
    assert agenda.take() == A
    agenda.add(A, Urgency.CHANGED)

    assert agenda.take() is None
    assert agenda.done(A)
    assert agenda.take() == A
    assert agenda.done(A)
    assert agenda.take() is None
    assert len(agenda) == 0


def test_what_a_dead_parser_had_comes_back() -> None:
    agenda = Agenda()
    agenda.add(A, Urgency.NEW, mtime=1.0)
    agenda.add(B, Urgency.CHANGED)
    agenda.take()
    agenda.take()
    agenda.add(A, Urgency.CHANGED)

    assert set(agenda.lost()) == {A, B}
    assert agenda.busy == 0
    assert {agenda.take(), agenda.take()} == {A, B}


def test_an_outcome_that_nobody_waits_for_is_refused() -> None:
    agenda = Agenda()
    agenda.add(A, Urgency.NEW)
    agenda.take()
    agenda.forget(A)

    assert not agenda.done(A)
    assert len(agenda) == 0
