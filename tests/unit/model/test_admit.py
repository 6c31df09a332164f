"""Admission: mistakes 21 and 22 of spec/airflow.md."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gnomon.model.admit import Lane, Pool, Usage, Waiting

_ids = itertools.count(1)


def candidate(priority: int = 1, map_index: int = -1) -> Any:
    return SimpleNamespace(priority=priority, map_index=map_index, id=next(_ids))


def lane(**fields: Any) -> Lane:
    named = {
        "dag_id": "d",
        "queue": "default",
        "pool": "p",
        "pool_slots": 1,
        "scope": ("run", 1),
        "scope_limit": 16,
        "task_limits": (),
    }
    return Lane(**(named | fields))


def usage(slots: int = 100, **fields: Any) -> Usage:
    result = Usage(pools={"p": Pool(slots)}, parallelism=100, **fields)
    result.free_in_queue = lambda _: 1000
    return result


def admitted(waiting: Waiting, using: Usage) -> list[Any]:
    return [instance for _, instance in waiting.admit(using, lambda _: True)]


def test_best_priority_first_then_age_then_map_index() -> None:
    waiting = Waiting()
    old, young, high, mapped = candidate(), candidate(), candidate(5), candidate(map_index=3)
    for instance, age in ((young, 20), (mapped, 10), (old, 10), (high, 30)):
        waiting.add(lane(), instance, age)
    assert admitted(waiting, usage()) == [high, old, mapped, young]


def test_a_candidate_too_big_for_the_pool_does_not_block_smaller_ones() -> None:
    waiting = Waiting()
    big, small = candidate(9), candidate(1)
    waiting.add(lane(pool_slots=4), big, 0)
    waiting.add(lane(), small, 0)
    assert admitted(waiting, usage(3)) == [small]
    assert len(waiting) == 1


def test_minus_one_slots_are_without_end_and_an_unknown_pool_admits_nobody() -> None:
    waiting = Waiting()
    waiting.add(lane(), candidate(), 0)
    waiting.add(lane(pool="gone"), candidate(), 0)
    assert len(admitted(waiting, usage(-1))) == 1


def test_deferred_instances_hold_the_pool_only_where_it_says_so() -> None:
    for include, expected in ((False, 1), (True, 0)):
        using = usage(1)
        using.pools["p"].include_deferred = include
        using.park(lane())
        waiting = Waiting()
        waiting.add(lane(), candidate(), 0)
        assert len(admitted(waiting, using)) == expected


def test_a_task_limit_counts_deferred_instances_too() -> None:
    limited = lane(task_limits=((("dag", "d", "t"), 1),))
    using = usage()
    using.park(limited)
    waiting = Waiting()
    waiting.add(limited, candidate(), 0)
    assert admitted(waiting, using) == []
    using.park(limited, -1)
    assert len(admitted(waiting, using)) == 1


def test_a_paused_dag_gets_nothing() -> None:
    waiting = Waiting()
    waiting.add(lane(), candidate(), 0)
    assert admitted(waiting, usage(closed={"d"})) == []


def test_a_candidate_that_no_longer_waits_is_dropped() -> None:
    waiting, gone, stays = Waiting(), candidate(9), candidate(1)
    waiting.add(lane(), gone, 0)
    waiting.add(lane(), stays, 0)
    assert [i for _, i in waiting.admit(usage(), lambda i: i is not gone)] == [stays]
    assert len(waiting) == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["a", "b"]), st.integers(1, 3), st.integers(1, 2)), max_size=40
    ),
    st.integers(0, 6),
    st.integers(1, 4),
    st.integers(1, 12),
)
def test_no_limit_is_ever_exceeded_and_nothing_that_fits_is_left(
    wanted: list[tuple[int, str, int, int]], pool_slots: int, scope_limit: int, parallelism: int
) -> None:
    using = Usage(pools={"a": Pool(pool_slots), "b": Pool(-1)}, parallelism=parallelism)
    using.free_in_queue = lambda _: 1000
    waiting = Waiting()
    lanes = []
    for priority, pool, slots, scope in wanted:
        lanes.append(lane(pool=pool, pool_slots=slots, scope=("run", scope), scope_limit=scope_limit))
        waiting.add(lanes[-1], candidate(priority), 0)
    got = [admitted_lane for admitted_lane, _ in waiting.admit(using, lambda _: True)]

    assert len(got) <= parallelism
    assert sum(x.pool_slots for x in got if x.pool == "a") <= pool_slots
    for scope in {x.scope for x in got}:
        assert sum(x.scope == scope for x in got) <= scope_limit
    left = list(lanes)
    for x in got:
        left.remove(x)
    assert not any(using.admits(x) for x in left)
