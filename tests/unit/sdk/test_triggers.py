from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gnomon.sdk import DAG
from gnomon.sdk.exceptions import AirflowException, AirflowSkipException
from gnomon.sdk.runtime import values
from gnomon.sdk.standard.external_task import (
    DuplicateStateError,
    ExternalDagFailedError,
    ExternalTaskFailedError,
    ExternalTaskMarker,
    ExternalTaskSensor,
)
from gnomon.sdk.standard.trigger_dagrun import TriggerDagRunOperator
from gnomon.sdk.standard.triggers.external_task import DagStateTrigger, WorkflowTrigger
from gnomon.sdk.standard.triggers.file import FileDeleteTrigger, FileTrigger
from gnomon.sdk.standard.triggers.temporal import DateTimeTrigger, TimeDeltaTrigger
from gnomon.sdk.timezone import utcnow
from gnomon.sdk.trigger import BaseEventTrigger, BaseTrigger, TaskSuccessEvent, TriggerEvent
from gnomon.wire import execution as wire
from tests.fixtures.loops import run_within


def again(trigger):
    """Make a trigger again as the triggerer does: from JSON."""
    path, kwargs = trigger.serialize()
    return values.import_string(path)(**values.decode(values.encode(kwargs)))


async def first(trigger):
    async for event in trigger.run():
        return event
    return None


def fired(trigger):
    return run_within(10, first(trigger))


@pytest.mark.parametrize(
    "trigger",
    [
        DateTimeTrigger(utcnow() + timedelta(hours=1)),
        DateTimeTrigger(target_time="2030-01-01T00:00:00Z", end_from_trigger=True),
        TimeDeltaTrigger(timedelta(hours=1)),
        FileTrigger("/a/*", recursive=True, poke_interval=1),
        FileDeleteTrigger("/a"),
        WorkflowTrigger("d", logical_dates=[utcnow()], external_task_ids=["a"], failed_states=["failed"]),
        DagStateTrigger("d", ["success"], run_ids=["r"]),
    ],
)
def test_a_trigger_survives_its_journey(trigger):
    assert again(trigger).serialize() == trigger.serialize()
    assert again(trigger) == again(trigger)


def test_a_moment_that_has_passed_fires_at_once():
    moment = utcnow() - timedelta(seconds=1)

    assert fired(DateTimeTrigger(moment)).payload == moment
    assert isinstance(fired(DateTimeTrigger(moment, end_from_trigger=True)), TaskSuccessEvent)


def test_a_delay_is_waited_for():
    begin = utcnow()
    fired(TimeDeltaTrigger(timedelta(milliseconds=50)))

    assert utcnow() - begin >= timedelta(milliseconds=50)


@pytest.mark.parametrize(
    ("args", "error"),
    [({}, TypeError), ({"moment": "now"}, TypeError), ({"moment": datetime(2024, 1, 1)}, ValueError)],
)
def test_a_moment_has_a_zone(args, error):
    with pytest.raises(error):
        DateTimeTrigger(**args)


def test_files(tmp_path):
    path = tmp_path / "a"
    path.write_text("")

    assert fired(FileTrigger(str(tmp_path / "*"))).payload is True
    assert fired(FileDeleteTrigger(str(path))).payload is True
    assert not path.exists()


def test_event_triggers_that_watch_the_same_are_told_by_a_number():
    one = BaseEventTrigger.hash("a.B", {"x": 1})

    assert one == BaseEventTrigger.hash("a.B", {"x": 1}) != BaseEventTrigger.hash("a.B", {"x": 2})


def test_events_compare_by_payload():
    assert TriggerEvent({"a": 1}) == TriggerEvent({"a": 1})
    assert TaskSuccessEvent(xcoms={"a": 1}).xcoms == {"a": 1}
    with pytest.raises(ValueError, match="payload"):
        TaskSuccessEvent(payload=1)


def test_a_trigger_has_to_define_run_and_serialize():
    with pytest.raises(TypeError):
        BaseTrigger()


# --------------------------------------------------------------------------------------------- other DAGs


def counting(**counts):
    """Answer how many task instances or runs are in a state."""

    def answer(request):
        if isinstance(request, (wire.CountTaskInstances, wire.CountDagRuns)):
            return wire.Found(str(sum(counts.get(state, 0) for state in request.states)).encode())
        return None

    return answer


@pytest.mark.parametrize(
    ("counts", "status"),
    [({"success": 1}, "success"), ({"failed": 1, "success": 1}, "failed"), ({"skipped": 1}, "skipped")],
)
def test_workflow_trigger_says_how_it_ended(channel, counts, status):
    channel.custom = counting(**counts)
    trigger = WorkflowTrigger(
        "d",
        logical_dates=[utcnow()],
        external_task_ids=["a"],
        allowed_states=["success"],
        failed_states=["failed"],
        skipped_states=["skipped"],
    )

    assert fired(trigger).payload == {"status": status}


def sensor(**kwargs):
    return ExternalTaskSensor(task_id="s", external_dag_id="other", **kwargs)


def run_sensor(runner, **kwargs):
    with DAG("d", start_date=datetime(2024, 1, 1)) as dag:
        sensor(poke_interval=0, timeout=0, **kwargs)
    return runner.run(dag, "s")


def test_external_task_sensor_pokes(runner):
    runner.channel.custom = counting(success=2)

    assert run_sensor(runner, external_task_ids=["a", "b"]).state == "success"
    asked = runner.channel.said(wire.CountTaskInstances)[-1]
    assert (asked.dag_id, asked.task_ids, asked.states) == ("other", ["a", "b"], ["success"])
    assert asked.logical_dates == [1_710_028_800_000_000]


def test_external_task_sensor_looks_where_it_is_told(runner):
    runner.channel.custom = counting(success=1)

    run_sensor(runner, execution_delta=timedelta(days=1))
    run_sensor(runner, execution_date_fn=lambda date, ds: [date, date + timedelta(days=len(ds))])

    asked = runner.channel.said(wire.CountDagRuns)
    assert asked[0].logical_dates == [1_710_028_800_000_000 - 86_400_000_000]
    assert asked[-1].logical_dates == [1_710_028_800_000_000, 1_710_028_800_000_000 + 864_000_000_000]


@pytest.mark.parametrize(
    ("options", "counts", "state", "error"),
    [
        ({"failed_states": ["failed"]}, {"failed": 1}, "failed", ExternalDagFailedError),
        ({"failed_states": ["failed"], "external_task_id": "a"}, {"failed": 1}, "failed", ExternalTaskFailedError),
        ({"failed_states": ["failed"], "soft_fail": True}, {"failed": 1}, "skipped", None),
        ({"skipped_states": ["skipped"], "external_task_id": "a"}, {"skipped": 1}, "skipped", None),
        ({"external_task_id": "a"}, {}, "failed", None),
    ],
)
def test_external_task_sensor_ends_badly(runner, options, counts, state, error):
    runner.channel.custom = counting(**counts)

    outcome = run_sensor(runner, **options)

    assert outcome.state == state
    assert error is None or error.__name__ in outcome.error


def test_external_task_sensor_defers(runner):
    outcome = run_sensor(runner, external_task_id="a", deferrable=True)

    assert outcome.state == "deferred"
    assert outcome.trigger.classpath.endswith("WorkflowTrigger")
    waiting = sensor(external_task_id="a")
    assert waiting.execute_complete({}, {"status": "success"}) is None
    with pytest.raises(AirflowSkipException):
        waiting.execute_complete({}, {"status": "skipped"})
    with pytest.raises(ExternalTaskFailedError):
        waiting.execute_complete({}, {"status": "failed"})


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"external_task_id": "a", "external_task_ids": ["b"]}, ValueError, "Only one of"),
        ({"external_task_id": "a", "external_task_group_id": "g"}, ValueError, "Only one of"),
        ({"execution_delta": timedelta(1), "execution_date_fn": print}, ValueError, "not both"),
        ({"allowed_states": ["success"], "failed_states": ["success"]}, DuplicateStateError, "Duplicate"),
        ({"allowed_states": ["skipped"]}, ValueError, "skipped: no state of a DAG run"),
        ({"external_task_id": "a", "allowed_states": ["great"]}, ValueError, "great"),
    ],
)
def test_arguments_that_contradict_each_other(kwargs, error, message):
    with pytest.raises(error, match=message):
        sensor(**kwargs)


def test_marker():
    marker = ExternalTaskMarker(task_id="m", external_dag_id="d", external_task_id="t")

    assert marker.logical_date == "{{ logical_date.isoformat() }}"
    with pytest.raises(ValueError, match="recursion_depth"):
        ExternalTaskMarker(task_id="m", external_dag_id="d", external_task_id="t", recursion_depth=0)


def trigger_run(runner, **kwargs):
    with DAG("d", start_date=datetime(2024, 1, 1)) as dag:
        TriggerDagRunOperator(task_id="t", trigger_dag_id="other", **kwargs)
    return runner.run(dag, "t")


def test_a_run_of_another_dag(runner):
    outcome = trigger_run(
        runner, conf={"day": "{{ ds }}"}, trigger_run_id="mine-{{ ds }}", logical_date="{{ ds }}", note="n"
    )

    assert outcome.state == "success", outcome.error
    asked = runner.channel.said(wire.TriggerRun)[0]
    assert (asked.dag_id, asked.run_id, asked.conf) == ("other", "mine-2024-03-10", b'{"day": "2024-03-10"}')
    assert (asked.logical_date, asked.note) == (1_710_028_800_000_000, "n")


def test_without_a_logical_date_it_is_now_and_none_is_none(runner):  # mistake 6
    trigger_run(runner)
    trigger_run(runner, logical_date=None)

    now, none = runner.channel.said(wire.TriggerRun)
    assert now.logical_date is not None
    assert now.run_id.startswith("manual__")
    assert none.logical_date is None
    assert none.run_id != now.run_id


def test_a_conf_that_is_no_json_is_said(runner):
    assert "JSON" in trigger_run(runner, conf={"x": {1, 2}}).error
    with pytest.raises(TypeError, match="logical_date"):
        TriggerDagRunOperator(task_id="t", trigger_dag_id="x", logical_date=5)


def test_after_the_wait_the_state_decides():
    operator = TriggerDagRunOperator(task_id="t", trigger_dag_id="other")
    event = ["path", {"run_ids": ["r"], "r": "success"}]

    assert operator.execute_complete({}, event) is None
    with pytest.raises(AirflowException, match="failed"):
        operator.execute_complete({}, ["path", {"run_ids": ["r"], "r": "failed"}])


def test_waiting_without_a_slot(runner):
    outcome = trigger_run(runner, wait_for_completion=True, deferrable=True)

    assert outcome.state == "deferred"
    assert outcome.trigger.classpath.endswith("DagStateTrigger")
