"""One run in memory: what follows from each event, and that the tallies never drift from the truth."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.model.asking import Placement, place, to_ask
from gnomon.model.graph import Graph
from gnomon.model.run import LiveRun
from gnomon.model.states import FINISHED, DagRunState, TriggerRule
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.model.transitions import IllegalMove
from gnomon.model.trigger_rules import Tally
from gnomon.wire.dag import ExpandInput, SerializedGroup, SerializedTask, XComLength


def task(task_id: str, *upstream: str, **fields: object) -> SerializedTask:
    return SerializedTask(task_id=task_id, upstream=list(upstream), **fields)  # type: ignore[arg-type]


def begin(*tasks: SerializedTask, groups: tuple[SerializedGroup, ...] = (), **fields: object) -> LiveRun:
    ids = itertools.count(1)
    graph = Graph(tasks, groups)
    run = LiveRun(graph, id=1, dag_id="d", run_id="r", logical_date=0, allocate=lambda: next(ids), **fields)  # type: ignore[arg-type]
    run.assemble()
    run.plan(0)
    return run


def states(run: LiveRun) -> dict[str, str | None]:
    named = {}
    for group in run.instances:
        for i in group:
            named[i.node.task_id if i.map_index < 0 else f"{i.node.task_id}[{i.map_index}]"] = i.state
    return named


def execute(run: LiveRun, task_id: str, outcome: str = "success", map_index: int = -1, **fields: object) -> None:
    (instance,) = (i for i in run.instances[run.graph.index[task_id]] if i.map_index == map_index)
    run.queue(instance, 1)
    run.start(instance, now=2, worker="w", hostname="h", pid=3)
    {"success": run.succeed, "failed": run.fail, "skipped": run.skip}[outcome](instance, now=4, **fields)  # type: ignore[operator]


def test_only_roots_are_scheduled_at_first() -> None:
    assert states(begin(task("a"), task("b", "a"))) == {"a": "scheduled", "b": None}


def test_a_task_is_scheduled_when_the_last_upstream_ends() -> None:
    run = begin(task("a"), task("b"), task("c", "a", "b"))
    execute(run, "a")
    assert states(run)["c"] is None
    execute(run, "b")
    assert states(run)["c"] == "scheduled"


def test_failures_travel_down_at_once() -> None:
    run = begin(task("a"), task("b", "a"), task("c", "b"), task("d"))
    execute(run, "a", "failed")
    assert states(run) == {"a": "failed", "b": "upstream_failed", "c": "upstream_failed", "d": "scheduled"}


def test_mistake_16_a_failure_hidden_by_an_all_done_leaf_is_a_success() -> None:
    run = begin(task("a"), task("b", "a", trigger_rule="all_done"))
    execute(run, "a", "failed")
    execute(run, "b")
    assert run.outcome() is DagRunState.SUCCESS


def test_mistake_16_a_failed_teardown_does_not_fail_the_run_unless_it_says_so() -> None:
    for says_so, expected in ((False, DagRunState.SUCCESS), (True, DagRunState.FAILED)):
        teardown = task(
            "t", "a", is_teardown=True, trigger_rule="all_done_setup_success", on_failure_fail_dagrun=says_so
        )
        run = begin(task("a"), teardown)
        execute(run, "a")
        execute(run, "t", "failed")
        assert run.outcome() is expected


def test_mistake_15_a_teardown_waits_for_everything_in_its_scope() -> None:
    run = begin(
        task("setup", is_setup=True),
        task("work", "setup"),
        task("more", "work"),
        task("teardown", "setup", "work", is_teardown=True, trigger_rule="all_done_setup_success"),
    )
    assert [run.graph.nodes[i].task_id for i in run.graph.nodes[3].scope] == []
    run = begin(
        task("setup", is_setup=True),
        task("work", "setup"),
        task("more", "work"),
        task("teardown", "setup", "more", is_teardown=True, trigger_rule="all_done_setup_success"),
    )
    assert [run.graph.nodes[i].task_id for i in run.graph.nodes[3].scope] == ["work"]


@pytest.mark.parametrize("known_at_parse", [True, False])
def test_mistake_15_a_teardown_runs_when_an_instance_of_its_mapped_setup_succeeded(*, known_at_parse: bool) -> None:
    over = ExpandInput(kind="expand", inputs={"x": 2 if known_at_parse else XComLength(task_id="make")})
    run = begin(
        task("make"),
        task("setup", "make", is_setup=True, expand=over),
        task("teardown", "setup", is_teardown=True, trigger_rule="all_done_setup_success"),
    )
    execute(run, "make", length=2)
    execute(run, "setup", map_index=0)
    execute(run, "setup", "skipped", map_index=1)
    assert states(run)["teardown"] == "scheduled"


def test_mistake_15_a_task_inside_waits_for_its_indirect_setup() -> None:
    run = begin(
        task("setup", is_setup=True),
        task("first", "setup"),
        task("second", "first", trigger_rule="all_done"),
        task("teardown", "setup", "second", is_teardown=True, trigger_rule="all_done_setup_success"),
    )
    execute(run, "setup", "failed")
    assert states(run)["second"] == "upstream_failed"


def test_mistake_17_nothing_left_to_move_is_a_failure() -> None:
    """all_skipped with a removed upstream can never be met: the run must not hang."""
    over = ExpandInput(kind="expand", inputs={"x": 2})
    run = begin(task("m", expand=over), task("z", "m", trigger_rule="all_skipped"))
    execute(run, "m", "skipped", 0)
    run.move(run.instances[0][1], Ti.REMOVED)
    run.plan(5)
    assert run.outcome() is DagRunState.FAILED


def test_mistake_24_try_number_counts_when_scheduled_but_not_for_a_poke() -> None:
    run = begin(task("a", retries=1, retry_delay=10.0))
    (a,) = run.instances[0]
    run.queue(a, 1)
    run.start(a, now=2, worker="w", hostname="h", pid=3)
    run.reschedule(a, now=3, at=9)
    run.resume(a, 9)
    assert (a.try_number, a.reschedules, a.seq) == (1, 1, 1)
    run.queue(a, 10)
    run.start(a, now=11, worker="w", hostname="h", pid=3)
    run.fail(a, now=12)
    assert (a.state, a.wake_at) == (Ti.UP_FOR_RETRY, 12 + 10_000_000)
    run.resume(a, a.wake_at)
    assert (a.try_number, a.reschedules, a.seq) == (2, 0, 2)


def test_mistake_40_a_rescheduled_sensor_keeps_the_start_of_its_first_poke() -> None:
    run = begin(task("a"))
    (a,) = run.instances[0]
    for moment in (2, 20):
        run.queue(a, moment)
        run.start(a, now=moment, worker="w", hostname="h", pid=3)
        run.reschedule(a, now=moment + 1, at=moment + 9)
        run.resume(a, moment + 9)
    assert (a.first_start, a.start_date) == (2, 2)


def test_mistake_31_what_a_branch_skipped_is_skipped_again_after_a_clear() -> None:
    run = begin(task("branch"), task("left", "branch"))
    (branch,), (left,) = run.instances
    run.skip_downstream(branch, [("left", -1)], 3)
    execute(run, "branch")
    left.state = None  # as after a clear and a reload
    run._count()
    run.plan(9)
    assert left.state is Ti.SKIPPED


def test_what_one_instance_of_a_mapped_branch_says_does_not_skip_an_unmapped_task() -> None:
    run = begin(task("branch", expand=ExpandInput(kind="expand", inputs={"x": 2})), task("left", "branch"))
    run.skip_downstream(run.instances[0][0], [("left", 0)], 3)
    assert run.instances[1][0].state is None


def test_mistake_32_an_inline_task_succeeds_without_a_process() -> None:
    run = begin(task("a", inline=True), task("b", "a", inline=True))
    assert run.outcome() is DagRunState.SUCCESS


def test_fail_fast_ends_everything_but_teardowns() -> None:
    run = begin(
        task("a"), task("b"), task("c", "b"), task("t", "a", is_teardown=True, trigger_rule="all_done"), fail_fast=True
    )
    (b,) = run.instances[1]
    run.queue(b, 1)
    run.start(b, now=1, worker="w", hostname="h", pid=1)
    execute(run, "a", "failed")
    assert states(run) == {"a": "failed", "b": "failed", "c": "skipped", "t": "scheduled"}


def test_mistake_14_expansion() -> None:
    over = ExpandInput(kind="expand", inputs={"x": XComLength(task_id="make"), "y": 2})
    for length, expected in (
        (3, [f"use[{n}]" for n in range(6)]),
        (0, ["use"]),
    ):
        run = begin(task("make"), task("use", "make", expand=over))
        execute(run, "make", length=length)
        assert [name for name in states(run) if name.startswith("use")] == expected
        assert run.instances[1][0].state == ("scheduled" if length else "skipped")
    run = begin(task("make"), task("use", "make", expand=over))
    execute(run, "make")  # pushed nothing
    assert states(run)["use"] == "upstream_failed"


def test_mistake_14_surplus_indexes_are_removed_and_missing_ones_added() -> None:
    over = ExpandInput(kind="expand", inputs={"x": XComLength(task_id="make")})
    for new_length, expected in ((1, ["scheduled", "removed"]), (3, ["scheduled", "scheduled", "scheduled"])):
        run = begin(task("make"), task("use", "make", expand=over))
        execute(run, "make", length=2)
        for instance in run.instances[1]:  # cleared, and its upstream pushes another length
            instance.state = None
        run.lengths[0, -1] = new_length
        run._count()
        run.plan(9)
        assert [i.state for i in run.instances[1]] == expected


def test_a_mapped_task_ends_as_what_it_expands_over_whatever_its_rule() -> None:
    over = ExpandInput(kind="expand", inputs={"x": XComLength(task_id="a")})
    for outcome, expected in (("failed", "upstream_failed"), ("skipped", "skipped")):
        run = begin(task("a"), task("b", "a", expand=over, trigger_rule="all_done"))
        execute(run, "a", outcome)
        assert states(run)["b"] == expected


def test_each_task_of_a_mapped_group_expands_in_its_own_time() -> None:
    group = SerializedGroup(group_id="g", expand=ExpandInput(kind="expand", inputs={"v": XComLength(task_id="a")}))
    run = begin(
        *(task("a"), task("other"), task("g.b", "a", group="g")),
        *(task("g.c", "g.b", group="g"), task("g.d", "g.b", "other", group="g")),
        groups=(group,),
    )
    execute(run, "a", length=2)
    found = states(run)
    assert (found["g.b[0]"], found["g.b[1]"]) == ("scheduled", "scheduled")
    assert (found["g.c[0]"], found["g.c[1]"]) == (None, None)
    assert found["g.d"] is None  # it waits for what is outside of the group before it expands
    execute(run, "g.b", "failed", map_index=0)
    execute(run, "g.b", map_index=1)
    execute(run, "other", "failed")
    found = states(run)
    assert (found["g.c[0]"], found["g.c[1]"], found["g.d"]) == ("upstream_failed", "scheduled", "upstream_failed")


def test_groups_in_mapped_groups_multiply() -> None:
    outer = SerializedGroup(group_id="o", expand=ExpandInput(kind="expand", inputs={"v": 2}))
    inner = SerializedGroup(group_id="o.i", parent="o", expand=ExpandInput(kind="expand", inputs={"w": 3}))
    run = begin(
        *(task("o.a", group="o"), task("o.i.b", "o.a", group="o.i"), task("o.c", "o.i.b", group="o")),
        groups=(outer, inner),
    )
    assert [len(group) for group in run.instances] == [2, 6, 2]
    execute(run, "o.a", map_index=1)
    assert [states(run)[f"o.i.b[{index}]"] for index in range(6)] == [None] * 3 + ["scheduled"] * 3
    for index in (3, 4, 5):
        assert states(run)["o.c[1]"] is None
        execute(run, "o.i.b", map_index=index)
    assert (states(run)["o.c[0]"], states(run)["o.c[1]"]) == (None, "scheduled")


def test_a_try_starts_without_what_an_earlier_one_returned() -> None:
    over = ExpandInput(kind="expand", inputs={"x": XComLength(task_id="a")})
    run = begin(task("a"), task("b", "a", expand=over))
    run.lengths[0, -1] = 2  # of the run before it was cleared
    execute(run, "a")
    assert states(run)["b"] == "upstream_failed"


def test_zip_concat_and_map_lengths() -> None:
    two, three = XComLength(task_id="two"), XComLength(task_id="three")
    for source, expected in (
        (XComLength(kind="zip", sources=[two, three]), 2),
        (XComLength(kind="zip", sources=[two, three], longest=True), 3),
        (XComLength(kind="concat", sources=[two, three]), 5),
        (XComLength(kind="map", sources=[three]), 3),
    ):
        over = ExpandInput(kind="expand", inputs={"x": source})
        run = begin(task("two"), task("three"), task("use", "two", "three", expand=over))
        execute(run, "two", length=2)
        execute(run, "three", length=3)
        assert len(run.instances[2]) == expected


def test_a_mapped_upstream_counts_as_its_instances() -> None:
    over = ExpandInput(kind="expand", inputs={"x": 3})
    run = begin(task("m", expand=over), task("after", "m"))
    execute(run, "m", map_index=0)
    execute(run, "m", map_index=2)
    assert states(run)["after"] is None
    execute(run, "m", map_index=1)
    assert states(run)["after"] == "scheduled"


def test_mistake_23_priority_is_its_own_weight_and_all_downstream() -> None:
    graph = Graph(
        [task("a", priority_weight=2), task("b", "a"), task("c", "a"), task("d", "b", "c", priority_weight=5)]
    )
    assert [node.priority for node in graph.nodes] == [9, 6, 6, 5]
    graph = Graph([task("a", weight_rule="upstream"), task("b", "a", weight_rule="upstream")])
    assert [node.priority for node in graph.nodes] == [1, 2]
    graph = Graph([task("a", weight_rule="absolute", priority_weight=2**40), task("b", "a", weight_rule="absolute")])
    assert [node.priority for node in graph.nodes] == [2**31 - 1, 1]


def test_a_move_outside_the_table_is_refused() -> None:
    run = begin(task("a"))
    with pytest.raises(IllegalMove, match="scheduled → running"):
        run.move(run.instances[0][0], Ti.RUNNING)


@st.composite
def dags(draw: st.DrawFn) -> list[SerializedTask]:
    count = draw(st.integers(1, 12))
    tasks = []
    for n in range(count):
        upstream = draw(st.lists(st.sampled_from(range(n)), unique=True, max_size=4)) if n else []
        rule = draw(st.sampled_from(sorted(TriggerRule)))
        expand = draw(st.sampled_from([None, None, None, ExpandInput(kind="expand", inputs={"x": 2})]))
        tasks.append(task(f"t{n}", *(f"t{u}" for u in upstream), trigger_rule=rule, retries=1, expand=expand))
    return tasks


@settings(max_examples=300, deadline=None)
@given(dags(), st.randoms(use_true_random=False))
def test_any_dag_ends_and_its_tallies_are_true(tasks: list[SerializedTask], rng: random.Random) -> None:
    """Whatever the order and the outcomes: every run ends, and what was counted step by step equals a recount."""
    run = begin(*tasks)
    steps = 0
    while run.outcome() is None:
        steps += 1
        assert steps < 500
        live = [i for group in run.instances for i in group if i.state in (Ti.SCHEDULED, Ti.UP_FOR_RETRY)]
        instance = rng.choice(live)
        if instance.state is Ti.UP_FOR_RETRY:
            run.resume(instance, steps)
            continue
        run.queue(instance, steps)
        run.start(instance, now=steps, worker="w", hostname="h", pid=1)
        end = rng.choice([run.succeed, run.succeed, run.fail, run.skip])
        end(instance, now=steps)
        assert_true_tallies(run)
    assert run.unfinished == sum(i.state not in FINISHED for group in run.instances for i in group)


def assert_true_tallies(run: LiveRun) -> None:
    for node in run.graph.nodes:
        recount = Tally()
        for up in node.upstream:
            for instance in run.instances[up]:
                recount.total += 1
                recount.add(instance.state)
        kept = run.tallies[node.index]
        for name in ("total", "success", "skipped", "failed", "upstream_failed", "removed"):
            assert getattr(kept, name) == getattr(recount, name), (node.task_id, name)


def test_a_weight_strategy_gives_each_try_its_priority() -> None:
    run = begin(task("a", retries=3, weights=[3, 2, 1]))
    instance = run.instances[0][0]
    seen = []
    while instance.state is not Ti.FAILED:
        seen.append(instance.priority)
        execute(run, "a", "failed")
        if instance.state is Ti.UP_FOR_RETRY:
            run.resume(instance, 5)
    assert seen == [3, 2, 1, 1]


START = {"trigger_cls": "x.Y", "next_method": "resume", "timeout": 5.0}


def test_a_start_trigger_defers_without_a_process() -> None:
    run = begin(task("a"), task("b", "a", start_trigger=START, execution_timeout=3.0, retries=1))
    execute(run, "a")
    (b,) = run.instances[1]
    assert (b.state, b.try_number, b.seq, b.queued_at, b.hostname) == ("deferred", 1, 1, None, None)
    assert (b.next_method, b.next_kwargs, b.wake_at, b.start_date) == ("resume", b"{}", 3_000_004, 4)
    assert list(run.started) == [b.id]
    first = b.trigger_id
    run.resume(b, 10)
    assert (b.state, b.next_method, b.try_number) == ("scheduled", "resume", 1)
    run.queue(b, 11)
    run.start(b, now=12, worker="w", hostname="h", pid=3)
    assert b.start_date == 4
    run.fail(b, now=13)
    run.resume(b, 14)
    assert (b.state, b.try_number, b.seq) == ("deferred", 2, 3)
    assert b.trigger_id not in (None, first)


def test_a_start_trigger_of_a_mapped_task_is_that_of_its_index() -> None:
    run = begin(task("a", start_triggers=[START, None], expand=ExpandInput(kind="expand", inputs={"x": 2})))
    assert states(run) == {"a[0]": "deferred", "a[1]": "scheduled"}


def test_a_start_trigger_of_a_paused_dag_waits_for_its_turn() -> None:
    run = begin(task("a"), task("b", "a", start_trigger=START))
    run.is_paused = True
    execute(run, "a")
    (b,) = run.instances[1]
    assert (b.state, run.started) == ("scheduled", {})
    assert run.start_trigger(b, 9)
    assert (b.state, b.try_number) == ("deferred", 1)
    assert not run.start_trigger(b, 9)


def test_a_trigger_of_what_is_ended_otherwise_is_dropped() -> None:
    run = begin(task("a", start_trigger=START), task("b"), fail_fast=True)
    execute(run, "b", "failed")
    assert states(run) == {"a": "skipped", "b": "failed"}
    assert len(run.dropped) == 1


def decide(run: LiveRun, now: int = 5, **changes: object) -> None:
    placed = []
    for i in to_ask(run):
        fields = {"queue": "q", "pool": "p", "pool_slots": 2, "priority": 9, "max_tries": i.max_tries, **changes}
        if place(i, Placement(i.try_number, **fields)):  # type: ignore[arg-type]
            placed.append(i)
    run.placed(placed, now)


def test_what_user_code_decides_on_waits_for_it_before_each_try() -> None:
    run = begin(task("a", is_asked=True, retries=1), task("b", "a", is_asked=True), task("c"))
    assert states(run) == {"a": None, "b": None, "c": "scheduled"}
    execute(run, "c")
    assert run.outcome() is None  # nothing moves, and it is no deadlock
    assert [i.node.task_id for i in to_ask(run)] == ["a", "b"]
    decide(run)
    (a,), (b,) = run.instances[0], run.instances[1]
    assert (a.state, a.queue, a.pool, a.pool_slots, a.priority) == ("scheduled", "q", "p", 2, 9)
    assert (b.state, b.queue) == (None, "q")
    execute(run, "a", "failed")
    run.resume(a, 9)
    assert (a.state, to_ask(run)) == ("up_for_retry", [a])
    decide(run, queue="other", max_tries=3)
    assert (a.state, a.queue, a.try_number, a.max_tries) == ("scheduled", "other", 2, 3)
    execute(run, "a")
    assert (b.state, to_ask(run)) == ("scheduled", [])


def test_an_answer_about_what_has_moved_on_is_void() -> None:
    run = begin(task("a", is_asked=True), task("b"), fail_fast=True)
    (a,) = to_ask(run)
    execute(run, "b", "failed")
    assert a.state == "skipped"
    assert not place(a, Placement(0, "q", "p", 1, 1, 1))
    assert (a.queue, to_ask(run), run.outcome()) == ("default", [], DagRunState.FAILED)


def test_instances_of_a_mapped_task_are_asked_about_when_they_are_there() -> None:
    expand = ExpandInput(kind="expand", inputs={"x": XComLength(task_id="a")})
    run = begin(task("a"), task("m", "a", is_asked=True, expand=expand))
    execute(run, "a", length=2)
    assert states(run) == {"a": "success", "m[0]": None, "m[1]": None}
    assert [i.map_index for i in to_ask(run)] == [0, 1]
    decide(run)
    assert states(run) == {"a": "success", "m[0]": "scheduled", "m[1]": "scheduled"}
