"""The order in which queued runs begin, beside a plain sort of the same runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gnomon.scheduler.queued_runs import QueuedRuns

_START = datetime(2024, 1, 1, tzinfo=UTC)


def row(number: int, *, after: int = 0, backfill: int | None = None, ordinal: int | None = None) -> Any:
    return SimpleNamespace(
        id=number, run_after=_START + timedelta(hours=after), backfill_id=backfill, backfill_sort_ordinal=ordinal
    )


def test_backfills_come_after_all_else_and_in_their_own_order() -> None:
    queue = QueuedRuns()
    for one in (
        row(1, backfill=7, ordinal=2),
        row(2, after=9),
        row(3, after=1),
        row(4, after=5, backfill=7, ordinal=1),
    ):
        queue.put(one)

    assert queue.lanes() == [None, 7]
    assert [queue.first(lane).id for lane in queue.lanes()] == [3, 4]
    assert (queue.count(None), queue.count(7), sorted(queue.of(7))) == (2, 2, [1, 4])


def test_a_run_that_went_to_a_backfill_is_in_its_old_lane_no_more() -> None:
    queue = QueuedRuns()
    queue.put(row(1))
    queue.put(row(1, backfill=7, ordinal=1))

    assert queue.first(None) is None
    assert (queue.lanes(), queue.count(None), list(queue)) == ([7], 0, [1])


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.integers(1, 8), st.integers(0, 5), st.sampled_from([None, 1, 2]), st.integers(1, 5)
        ),
        max_size=40,
    )
)
def test_the_first_is_always_the_smallest(steps: list[tuple[bool, int, int, int | None, int]]) -> None:
    queue, plain = QueuedRuns(), {}
    for put, number, after, backfill, ordinal in steps:
        if put:
            plain[number] = row(number, after=after, backfill=backfill, ordinal=ordinal)
            queue.put(plain[number])
        else:
            plain.pop(number, None)
            queue.pop(number)
        assert set(queue) == set(plain)
        for lane in (None, 1, 2):
            mine = [one for one in plain.values() if one.backfill_id == lane]
            assert queue.count(lane) == len(mine)
            mine.sort(key=lambda one: (one.run_after if lane is None else one.backfill_sort_ordinal, one.id))
            assert queue.first(lane) is (mine[0] if mine else None)
