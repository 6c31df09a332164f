"""Which task instances an action concerns."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.api.targets import Scope, Spread, downstream_of, members, reachable, relatives, selection
from gnomon.wire.dag import SerializedDag, SerializedGroup, SerializedTask, TimetableSpec

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def dag(*edges: tuple[str, list[str]], groups: list[SerializedGroup] | None = None) -> SerializedDag:
    tasks = [SerializedTask(task_id=name, upstream=up, group=name.rpartition(".")[0] or None) for name, up in edges]
    return SerializedDag(dag_id="d", tasks=tasks, groups=groups or [], timetable=TimetableSpec(kind="null"))


CHAIN = dag(("a", []), ("b", ["a"]), ("c", ["b"]), ("x", []))


@pytest.mark.parametrize(
    ("markers", "spread", "expected"),
    [
        (["b"], Spread(), ["b"]),
        (["b"], Spread(upstream=True), ["b", "a"]),
        (["b"], Spread(downstream=True), ["b", "c"]),
        (["b"], Spread(upstream=True, downstream=True), ["b", "a", "c"]),
        ([("b", 2)], Spread(), [("b", 2)]),
        ([("b", 2)], Spread(downstream=True), [("b", 2), "c"]),
        # a mapped instance that is itself downstream of another named task is taken whole
        (["a", ("b", 2)], Spread(downstream=True), ["a", "b", "c"]),
        (["gone"], Spread(downstream=True), ["gone"]),
    ],
)
def test_relatives(markers: list[str | tuple[str, int]], spread: Spread, expected: list[str]) -> None:
    assert relatives(CHAIN, markers, spread) == expected


@pytest.mark.parametrize(
    ("spread", "runs", "start", "end"),
    [
        (Spread(), ["r"], None, None),
        (Spread(past=True), None, None, DAY),
        (Spread(future=True), None, DAY, None),
        (Spread(past=True, future=True), None, None, None),
    ],
)
def test_past_and_future_of_a_run(
    spread: Spread, runs: list[str] | None, start: datetime | None, end: datetime | None
) -> None:
    chosen = selection(CHAIN, Scope(dag_id="d", run_id="r", logical_date=DAY), None, spread)
    assert (chosen.run_ids, chosen.logical_date_from, chosen.logical_date_to) == (runs, start, end)
    assert chosen.task_ids is None


def test_a_run_without_a_date_has_no_past() -> None:
    with pytest.raises(ValueError, match="logical_date"):
        selection(CHAIN, Scope(dag_id="d", run_id="r"), None, Spread(past=True))


def test_members_of_nested_groups() -> None:
    groups = [SerializedGroup(group_id="g"), SerializedGroup(group_id="g.h", parent="g")]
    nested = dag(("a", []), ("g.b", []), ("g.h.c", []), groups=groups)
    assert members(nested, "g") == ["g.b", "g.h.c"]
    assert members(nested, "g.h") == ["g.h.c"]
    assert members(nested, "k") is None


@given(st.lists(st.lists(st.integers(0, 8), max_size=4), min_size=1, max_size=9))
def test_reachable_is_closed_and_needs_no_order(rows: list[list[int]]) -> None:
    edges = {str(n): [str(m) for m in row if m < n] for n, row in enumerate(rows)}
    last = str(len(rows) - 1)
    found = reachable([last], edges)
    assert all(set(edges[one]) <= found for one in found | {last})
    assert last not in found
    below = downstream_of(dag(*((name, ups) for name, ups in edges.items())))
    assert all(last in reachable([one], below) for one in found)


def test_what_runs_again_takes_its_setups_and_their_teardowns_along():
    edges = {"setup": [], "other": [], "work": ["setup"], "after": ["work"], "end": ["setup", "after"]}
    dag = SerializedDag(
        dag_id="d",
        timetable=TimetableSpec(kind="null"),
        tasks=[
            SerializedTask(task_id=name, upstream=ups, is_setup=name == "setup", is_teardown=name == "end")
            for name, ups in edges.items()
        ],
    )
    spread = Spread(downstream=True)
    assert relatives(dag, ["after"], spread, to_run_again=True) == ["after", "end", "setup"]
    assert relatives(dag, ["after"], spread) == ["after", "end"]
    assert relatives(dag, ["other"], spread, to_run_again=True) == ["other"]
