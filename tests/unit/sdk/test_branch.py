from __future__ import annotations

import pytest

from gnomon.sdk import DAG, BaseBranchOperator, TaskGroup, task
from gnomon.sdk.standard.branches import BranchDateTimeOperator, BranchDayOfWeekOperator, LatestOnlyOperator
from gnomon.sdk.standard.empty import EmptyOperator
from gnomon.sdk.standard.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator
from gnomon.sdk.timezone import utcnow


def empties(names):
    return [EmptyOperator(task_id=name) for name in names]


def skipped(outcome):
    assert outcome.state == "success", outcome.error
    return {(name, index) for name, index in outcome.skip}


def diamond(choose):
    with DAG("d") as dag:
        branch = BranchPythonOperator(task_id="branch", python_callable=choose)
        a, b, join, (far,) = *empties(["a", "b", "join"]), empties(["far"])
        branch >> [a, b, join]
        a >> join >> far
    return dag


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("a", {"b"}),  # join is downstream of a, so it is not skipped
        ("b", {"a", "join"}),
        (["a", "b"], set()),
        (None, {"a", "b", "join"}),
        ([], {"a", "b", "join"}),
    ],
)
def test_a_branch_skips_what_is_directly_downstream_and_not_chosen(runner, choice, expected):  # mistake 31
    outcome = runner.run(diamond(lambda: choice), "branch")

    assert skipped(outcome) == {(name, -1) for name in expected}


def test_what_was_followed_is_kept_for_a_clear(runner):  # mistake 31
    outcome = runner.run(diamond(lambda: "b"), "branch")

    pushed = {entry.key: entry for entry in outcome.xcoms} or {
        key: entry for (*_, key), entry in runner.channel.xcoms.items()
    }
    assert b"followed" in pushed["skipmixin_key"].value
    assert b'"b"' in pushed["skipmixin_key"].value


@pytest.mark.parametrize("choice", ["nope", ["a", "nope"], 5, [5]])
def test_choosing_what_does_not_exist_fails(runner, choice):
    outcome = runner.run(diamond(lambda: choice), "branch")

    assert outcome.state == "failed"
    assert "branch_task_ids" in outcome.error


def test_choosing_a_group_goes_on_with_its_roots(runner):
    with DAG("d") as dag:

        @task.branch
        def branch():
            return "g"

        (other,) = empties(["other"])
        with TaskGroup("g") as group:
            one, two = empties(["one", "two"])
            one >> two
        branch() >> [group, other]

    assert skipped(runner.run(dag, "branch")) == {("other", -1)}


def test_in_a_mapped_instance_only_its_own_index_is_skipped(runner):
    outcome = runner.run(diamond(lambda: "b"), "branch", map_index=3)

    assert skipped(outcome) == {("a", 3), ("join", 3)}


def short_circuit(result, **kwargs):
    with DAG("d") as dag:
        gate = ShortCircuitOperator(task_id="gate", python_callable=lambda: result, **kwargs)
        a, b, t = empties(["a", "b", "t"])
        gate >> a >> b >> t.as_teardown()
    return dag


@pytest.mark.parametrize(
    ("result", "options", "expected"),
    [
        (True, {}, set()),
        (0, {}, {"a", "b"}),  # all non-teardown descendants
        (False, {"ignore_downstream_trigger_rules": False}, {"a"}),
    ],
)
def test_a_short_circuit_skips_all_that_follows(runner, result, options, expected):  # mistake 31
    outcome = runner.run(short_circuit(result, **options), "gate")

    assert skipped(outcome) == {(name, -1) for name in expected}
    if result:
        assert runner.value(outcome) is True


def test_a_short_circuit_at_the_end_has_nothing_to_skip(runner):
    with DAG("d") as dag:
        task.short_circuit(task_id="gate")(lambda: False)()

    assert skipped(runner.run(dag, "gate")) == set()


def test_a_branch_operator_of_ones_own(runner):
    class Choose(BaseBranchOperator):
        def choose_branch(self, context):
            return context["ti"].task.task_id + "_a"

    with DAG("d") as dag:
        Choose(task_id="x") >> empties(["x_a", "x_b"])

    assert skipped(runner.run(dag, "x")) == {("x_b", -1)}


def test_branch_on_time(runner):
    now = utcnow()
    options = {"follow_task_ids_if_true": "yes", "follow_task_ids_if_false": "no"}
    with DAG("d") as dag:
        for name, lower, upper in (("in", now.subtract(hours=1), None), ("out", None, now.subtract(hours=1))):
            BranchDateTimeOperator(task_id=name, target_lower=lower, target_upper=upper, **options)
        branch = BranchDateTimeOperator(
            task_id="logical",
            target_lower=now.set(2024, 3, 9),
            target_upper=now.set(2024, 3, 11),
            use_task_logical_date=True,
            **options,
        )
        [*dag.tasks] >> EmptyOperator(task_id="yes")
        for one in ("in", "out", "logical"):
            dag.get_task(one) >> (dag.task_dict.get("no") or EmptyOperator(task_id="no"))
        assert branch.task_id == "logical"

    assert skipped(runner.run(dag, "in")) == {("no", -1)}
    assert skipped(runner.run(dag, "out")) == {("yes", -1)}
    assert skipped(runner.run(dag, "logical")) == {("no", -1)}


def test_branch_on_weekday(runner):
    with DAG("d") as dag:
        BranchDayOfWeekOperator(
            task_id="b",
            follow_task_ids_if_true="sunday",
            follow_task_ids_if_false="other",
            week_day={"Sunday"},
            use_task_logical_date=True,
        ) >> empties(["sunday", "other"])

    assert skipped(runner.run(dag, "b")) == {("other", -1)}  # 2024-03-10 was a Sunday


@pytest.mark.parametrize(("run_type", "expected"), [("scheduled", {"next"}), ("manual", set())])
def test_latest_only(runner, run_type, expected):
    import pendulum

    with DAG("d", schedule="@daily", start_date=pendulum.datetime(2024, 1, 1)) as dag:
        LatestOnlyOperator(task_id="latest") >> empties(["next"])

    assert skipped(runner.run(dag, "latest", run={"run_type": run_type})) == {(name, -1) for name in expected}


def test_python_operator_gets_the_context_it_wants(runner):
    def show(first, *, ds, templates_dict, **kwargs):
        return [first, ds, templates_dict["t"], kwargs["extra"], "dag" in kwargs]

    with DAG("d") as dag:
        PythonOperator(
            task_id="p",
            python_callable=show,
            op_args=["{{ ds_nodash }}"],
            op_kwargs={"extra": "{{ 1 + 1 }}"},
            templates_dict={"t": "{{ run_id[:9] }}"},
        )

    assert runner.run_and_return(dag, "p") == ["20240310", "2024-03-10", "scheduled", "2", True]


def test_python_operator_wants_a_callable():
    with pytest.raises(TypeError, match="python_callable"):
        PythonOperator(task_id="p", python_callable="text")
