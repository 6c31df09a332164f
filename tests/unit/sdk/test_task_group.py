from __future__ import annotations

from datetime import datetime

import pytest

from gnomon.sdk import DAG, Label, TaskGroup, chain, chain_linear, cross_downstream, setup, task, task_group, teardown
from gnomon.sdk.exceptions import AirflowException, DuplicateTaskIdFound, NodeNotFound, TaskAlreadyInTaskGroup
from gnomon.sdk.standard.empty import EmptyOperator


def empties(text):
    return [EmptyOperator(task_id=name) for name in text]


def edges(dag):
    return {(before, after) for after, task in dag.task_dict.items() for before in task.upstream_task_ids}


# --------------------------------------------------------------------------------------------------- groups


def test_ids_are_prefixed_unless_told_not_to():
    with DAG("d") as dag, TaskGroup("a"):
        EmptyOperator(task_id="t")
        with TaskGroup("b", prefix_group_id=False):
            EmptyOperator(task_id="u")
            with TaskGroup("c"):
                EmptyOperator(task_id="v")

    assert dag.task_ids == ["a.t", "u", "c.v"]
    assert list(dag.task_group_dict) == ["a", "a.b", "c"]
    assert dag.get_task("a.t").label == "t"


def test_wiring_a_group_wires_its_roots_and_leaves(as_data):
    with DAG("d") as dag:
        start, end = empties(["start", "end"])
        with TaskGroup("g", tooltip="tip", ui_color="red") as group:
            a, b, _c = empties("abc")
            a >> b
        start >> group >> end

    assert edges(dag) == {("start", "g.a"), ("start", "g.c"), ("g.a", "g.b"), ("g.b", "end"), ("g.c", "end")}
    data = as_data(dag).groups[0]
    assert (data.tooltip, data.ui_color) == ("tip", "red")
    assert (data.upstream_tasks, data.downstream_tasks) == (["start"], ["end"])


def test_groups_wired_to_groups_know_each_other(as_data):
    with DAG("d") as dag:
        with TaskGroup("g") as g:
            empties("a")
        with TaskGroup("h") as h:
            empties("b")
        g >> Label("then") >> h

    data = {group.group_id: group for group in as_data(dag).groups}
    assert (data["g"].downstream_groups, data["h"].upstream_groups) == (["h"], ["g"])
    assert edges(dag) == {("g.a", "h.b")}
    assert as_data(dag).edge_labels == {"g.downstream_join_id": {"h.upstream_join_id": "then"}}


def test_a_list_of_groups():
    with DAG("d") as dag:
        (start,) = empties(["start"])
        groups = []
        for name in "gh":
            with TaskGroup(name) as group:
                empties("a")
            groups.append(group)
        start >> groups

    assert edges(dag) == {("start", "g.a"), ("start", "h.a")}


def test_an_empty_group_passes_the_chain_on():
    with DAG("d") as dag:
        a, b = empties("ab")
        with TaskGroup("g") as group:
            pass
        a >> group >> b

    assert edges(dag) == {("a", "b")}


def test_ids_are_taken_once():
    with DAG("d") as dag:
        with TaskGroup("g"):
            pass
        with pytest.raises(DuplicateTaskIdFound, match="'g'"):
            TaskGroup("g")
        with pytest.raises(DuplicateTaskIdFound, match="'g'"):
            EmptyOperator(task_id="g")
        EmptyOperator(task_id="t")
        with pytest.raises(DuplicateTaskIdFound, match="'t'"):
            TaskGroup("t")
        assert TaskGroup("g", add_suffix_on_collision=True).group_id == "g__1"
        assert TaskGroup("g", add_suffix_on_collision=True).group_id == "g__2"
    assert set(dag.task_group_dict) == {"g", "g__1", "g__2"}


@pytest.mark.parametrize("group_id", ["with.dot", "with space", "x" * 201])
def test_group_ids_have_no_dots(group_id):
    with DAG("d"), pytest.raises(ValueError, match="group_id"):
        TaskGroup(group_id)


def test_a_group_needs_a_dag():
    with pytest.raises(RuntimeError, match="inside a dag"):
        TaskGroup("g")


def test_children_by_label():
    with DAG("d"), TaskGroup("g") as group:
        (task,) = empties("t")

    assert group["t"] is task is group.get_child_by_label("t")
    assert group.has_task(task)
    with pytest.raises(NodeNotFound):
        group["nope"]


def test_a_task_is_in_one_group():
    dag = DAG("d")
    one, two = TaskGroup("one", dag=dag), TaskGroup("two", dag=dag)
    task = EmptyOperator(task_id="t", task_group=one)

    with pytest.raises(TaskAlreadyInTaskGroup, match="already in task group 'one'"):
        two.add(task)


def test_topological_sort_of_children():
    with DAG("d") as dag:
        z, a = empties("za")
        with TaskGroup("g") as group:
            empties("x")
        group >> z
        a >> group

    assert [node.node_id for node in dag.task_group.topological_sort()] == ["a", "g", "z"]
    assert [node.node_id for node in dag.task_group.hierarchical_alphabetical_sort()] == ["g", "a", "z"]


def test_a_group_function_returns_what_is_wired():
    @task
    def f(x=0):
        return x

    @task_group(group_id="named", tooltip="own")
    def returns(x):
        """Doc."""
        f()
        return f(x)

    @task_group
    def silent():
        f()

    with DAG("d") as dag:
        first = returns(1)
        second = silent()
        silent()
        first >> second

    assert dag.task_group_dict["named"].tooltip == "own"
    assert list(dag.task_group_dict) == ["named", "silent", "silent__1"]
    assert edges(dag) == {("named.f__1", "silent.f")}


def test_default_args_of_a_group_reach_its_groups():
    outer = {"retries": 2, "owner": "a"}
    with (
        DAG("d", default_args={"retries": 1}),
        TaskGroup("a", default_args=outer),
        TaskGroup("b", default_args={"owner": "b"}),
    ):
        task = EmptyOperator(task_id="t")

    assert (task.retries, task.owner) == (2, "b")


# ---------------------------------------------------------------------------------------------------- edges


def test_chain_wires_pairwise_and_one_to_many():
    with DAG("d") as dag:
        a, b, c, d, e = empties("abcde")
        chain(a, [b, c], [d, e])

    assert edges(dag) == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "e")}


def test_chain_takes_labels_groups_and_results():
    with DAG("d") as dag:
        a, b = empties("ab")
        with TaskGroup("g") as group:
            empties("x")
        result = task(task_id="f")(lambda: 1)()
        chain(a, Label("hi"), b, group, result)

    assert edges(dag) == {("a", "b"), ("b", "g.x"), ("g.x", "f")}
    assert dag.get_edge_info("a", "b") == {"label": "hi"}


def test_chain_wants_lists_of_one_length():
    with DAG("d"):
        a, b, c = empties("abc")
        with pytest.raises(ValueError, match="2 and 1 elements"):
            chain([a, b], [c])
        with pytest.raises(TypeError, match="int"):
            chain([a], 5)


def test_chain_linear_and_cross_downstream_wire_all_to_all():
    with DAG("d") as dag:
        a, b, c, d = empties("abcd")
        chain_linear([a, b], [c, d])
    with DAG("e") as other:
        a, b, c, d = empties("abcd")
        cross_downstream([a, b], [c, d])

    assert edges(dag) == edges(other) == {("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")}
    with pytest.raises(ValueError, match="no tasks"):
        chain_linear()
    with pytest.raises(ValueError, match="at least two"):
        chain_linear([a])


def test_labels_stand_on_their_edges(as_data):
    with DAG("d") as dag:
        a, b, c = empties("abc")
        a >> Label("yes") >> b
        c << Label("no") << a

    assert as_data(dag).edge_labels == {"a": {"b": "yes", "c": "no"}}
    with pytest.raises(TypeError, match="labels"):
        Label("a") >> Label("b")


# ------------------------------------------------------------------------------------- setup and teardown


def test_a_block_wires_setup_work_and_teardown(as_data):  # mistake 15
    with DAG("d") as dag:
        s, w1, w2, t = empties(["s", "w1", "w2", "t"])
        s.as_setup()
        with t.as_teardown(setups=s):
            w1 >> w2

    assert edges(dag) == {("s", "w1"), ("w1", "w2"), ("w2", "t"), ("s", "t")}
    data = {one.task_id: one for one in as_data(dag).tasks}
    assert data["s"].is_setup
    assert data["t"].is_teardown
    assert data["t"].trigger_rule == "all_done_setup_success"


def test_decorated_setups_and_teardowns():
    @setup
    def begin():
        return "resource"

    @teardown(on_failure_fail_dagrun=True)
    def end(resource):
        pass

    @task
    def work(resource):
        pass

    with DAG("d") as dag:
        resource = begin()
        with end(resource).as_teardown(setups=resource):
            work(resource)

    assert edges(dag) == {("begin", "work"), ("begin", "end"), ("work", "end")}
    assert dag.get_task("end").on_failure_fail_dagrun
    assert [one.task_id for one in dag.teardowns] == ["end"]


def test_a_chain_goes_through_empty_groups():
    with DAG("d") as dag:
        a, b, z = empties("abz")
        with TaskGroup("full") as full:
            EmptyOperator(task_id="t")
        with TaskGroup("none") as none:
            pass
        with TaskGroup("nothing") as nothing:
            pass
        full >> none >> z
        a >> nothing
        b >> none >> nothing >> EmptyOperator(task_id="end")
    assert edges(dag) == {("full.t", "z"), ("a", "end"), ("b", "end"), ("full.t", "end")}


def test_leaves_of_a_group_are_its_work_not_its_teardown():
    with DAG("d") as dag:
        with TaskGroup("g") as group:
            s, w, t = empties("swt")
            s.as_setup() >> w >> t.as_teardown(setups=s)
        (after,) = empties(["after"])
        group >> after

    assert ("g.w", "after") in edges(dag)
    assert ("g.t", "after") not in edges(dag)


def test_after_a_setup_comes_all_success():  # mistake 15
    with DAG("d") as dag:
        s, w = empties("sw")
        s.as_setup() >> w
        w.trigger_rule = "all_done"

    with pytest.raises(ValueError, match="ALL_SUCCESS"):
        dag.validate()


def test_a_task_is_a_setup_or_a_teardown():
    with DAG("d"):
        before, after = empties("ab")
        with pytest.raises(ValueError, match="'a' as teardown; task is already a setup"):
            before.as_setup().as_teardown()
        with pytest.raises(ValueError, match="'b' as setup; task is already a teardown"):
            after.as_teardown().as_setup()


def test_a_teardowns_rule_is_not_free():
    @teardown
    @task(trigger_rule="all_done")
    def end():
        pass

    with DAG("d"), pytest.raises(ValueError, match="not configurable for teardown"):
        end()


def test_only_setups_and_teardowns_are_blocks():
    with DAG("d"):
        (plain,) = empties("p")
        with pytest.raises(RuntimeError, match="Only setup/teardown"), plain:
            pass
        with pytest.raises(AirflowException, match="Only setup/teardown"), task(task_id="f")(lambda: 1)():
            pass
        with pytest.raises(ValueError, match="not a teardown"):
            plain.on_failure_fail_dagrun = True


def test_setups_that_count_for_a_task():
    with DAG("d", start_date=datetime(2024, 1, 1)):
        s1, s2, w, t1 = empties(["s1", "s2", "w", "t1"])
        s1.as_setup() >> w >> t1.as_teardown(setups=s1)
        s2.as_setup() >> w

    assert {one.task_id for one in w.get_upstreams_only_setups()} == {"s1", "s2"}
    assert {one.task_id for one in w.get_upstreams_only_setups_and_teardowns()} == {"s1", "s2", "t1"}
