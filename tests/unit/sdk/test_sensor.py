from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from gnomon.sdk import DAG, BaseSensorOperator, PokeReturnValue, task
from gnomon.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    SerializationError,
    TaskDeferred,
)
from gnomon.sdk.sensor import poke_mode_only
from gnomon.sdk.standard.sensors import BashSensor, FileSensor, PythonSensor
from gnomon.sdk.standard.time_sensors import (
    DateTimeSensor,
    DateTimeSensorAsync,
    DayOfWeekSensor,
    TimeDeltaSensor,
    TimeDeltaSensorAsync,
    WaitSensor,
)
from gnomon.sdk.timezone import utcnow
from gnomon.sdk.trigger import StartTriggerArgs


class Answers(BaseSensorOperator):
    """Gives one answer per poke; an exception is raised."""

    def __init__(self, *, answers, **kwargs):
        super().__init__(**{"poke_interval": 0, **kwargs})
        self.answers = list(answers)

    def poke(self, context):
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def context(first_start=None):
    return {"ti": SimpleNamespace(get_first_reschedule_date=lambda context: first_start)}


def test_it_pokes_until_the_answer_is_true():
    sensor = Answers(task_id="t", answers=[False, False, True, "not asked"])

    assert sensor.execute({}) is None
    assert sensor.answers == ["not asked"]


def test_a_poke_can_return_a_value():
    assert Answers(task_id="t", answers=[False, PokeReturnValue(True, "x")]).execute({}) == "x"
    assert Answers(task_id="t", answers=[PokeReturnValue(False, "x"), True]).execute({}) is None


def test_timeout_fails_or_skips():
    with pytest.raises(AirflowSensorTimeout, match="timed out"):
        Answers(task_id="t", answers=[False] * 9, timeout=0).execute({})
    with pytest.raises(AirflowSkipException):
        Answers(task_id="t", answers=[False] * 9, timeout=0, soft_fail=True).execute({})


def test_reschedule_gives_the_slot_back():
    sensor = Answers(task_id="t", answers=[False], mode="reschedule", poke_interval=60)
    before = utcnow()

    with pytest.raises(AirflowRescheduleException) as caught:
        sensor.execute(context())

    assert timedelta(seconds=59) < caught.value.reschedule_date - before < timedelta(seconds=62)


def test_timeout_spans_reschedules():  # mistake 40
    sensor = Answers(task_id="t", answers=[False], mode="reschedule", timeout=100)

    with pytest.raises(AirflowSensorTimeout):
        sensor.execute(context(first_start=utcnow() - timedelta(seconds=101)))


@pytest.mark.parametrize(
    ("error", "options", "raised"),
    [
        (ValueError("x"), {}, ValueError),
        (ValueError("x"), {"soft_fail": True}, ValueError),
        (ValueError("x"), {"never_fail": True}, AirflowSkipException),
        (AirflowFailException("x"), {"soft_fail": True}, AirflowSkipException),
        (AirflowFailException("x"), {"never_fail": True}, AirflowSkipException),
        (AirflowFailException("x"), {"silent_fail": True}, AirflowFailException),
        (AirflowSkipException("x"), {"never_fail": True}, AirflowSkipException),
    ],
)
def test_errors_in_poke(error, options, raised):
    with pytest.raises(raised):
        Answers(task_id="t", answers=[error], **options).execute({})


def test_silent_fail_goes_on():
    assert Answers(task_id="t", answers=[ValueError("x"), True], silent_fail=True).execute({}) is None


def test_a_deferral_that_times_out_is_a_sensor_that_does():  # mistake 40
    kwargs = {"error": "Trigger timeout"}
    with pytest.raises(AirflowSensorTimeout):
        Answers(task_id="t", answers=[]).resume_execution("__fail__", kwargs, {})
    with pytest.raises(AirflowSkipException):
        Answers(task_id="t", answers=[], soft_fail=True).resume_execution("__fail__", kwargs, {})


def test_backoff_grows_within_its_bounds():
    sensor = Answers(task_id="t", answers=[], poke_interval=10, exponential_backoff=True, timeout=10**6)

    waits = [sensor._get_next_poke_interval(0.0, lambda: 0.0, poke) for poke in range(1, 8)]

    for poke, wait in enumerate(waits, 1):
        least = max(int(10 * 2.0 ** (poke - 2)), 1)
        assert least <= wait < 2 * least
    assert waits == [sensor._get_next_poke_interval(0.0, lambda: 0.0, poke) for poke in range(1, 8)]
    sensor.max_wait = timedelta(seconds=3)
    assert sensor._get_next_poke_interval(0.0, lambda: 0.0, 9) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"poke_interval": -1}, "poke_interval"),
        ({"timeout": "long"}, "timeout"),
        ({"max_wait": -5}, "max_wait"),
        ({"mode": "sleep"}, "mode must be one of"),
        ({"soft_fail": True, "never_fail": True}, "mutually exclusive"),
    ],
)
def test_a_wrong_argument_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        Answers(task_id="t", answers=[], **options)


def test_the_default_timeout_is_a_setting(monkeypatch):
    assert Answers(task_id="t", answers=[]).timeout == 7 * 24 * 3600
    monkeypatch.setenv("AIRFLOW__SENSORS__DEFAULT_TIMEOUT", "5")
    assert Answers(task_id="t", answers=[]).timeout == 5


def test_poke_mode_only():
    @poke_mode_only
    class Poking(Answers):
        pass

    assert Poking(task_id="t", answers=[]).mode == "poke"
    with pytest.raises(ValueError, match="reschedule"):
        Poking(task_id="t", answers=[], mode="reschedule")
    with pytest.raises(ValueError, match="BaseSensorOperator"):
        poke_mode_only(str)


def test_base_poke_has_to_be_defined():
    with pytest.raises(AirflowException, match="does not define poke"):
        BaseSensorOperator(task_id="t").poke({})


def test_sensors_as_data(as_data):
    with DAG("d") as dag:
        Answers(task_id="t", answers=[], mode="reschedule")

    assert as_data(dag).tasks[0].extra == {"is_sensor": True, "reschedule": True}


# ----------------------------------------------------------------------------------- the standard sensors


def test_python_sensor_and_its_decorator(runner):
    @task.sensor(poke_interval=0)
    def wait(x, ds):
        return PokeReturnValue(True, [x, ds])

    with DAG("d") as dag:
        wait(5)
        PythonSensor(task_id="p", python_callable=lambda ds: ds == "2024-03-10", poke_interval=0)

    assert runner.run_and_return(dag, "wait") == [5, "2024-03-10"]
    assert runner.run(dag, "p").state == "success"
    assert dag.get_task("wait").operator_name == "@task.sensor"


def test_bash_sensor():
    assert BashSensor(task_id="t", bash_command="true").poke({}) is True
    assert BashSensor(task_id="t", bash_command="exit 3").poke({}) is False
    assert BashSensor(task_id="t", bash_command="exit 3", retry_exit_code=3).poke({}) is False
    with pytest.raises(AirflowFailException, match="4"):
        BashSensor(task_id="t", bash_command="exit 4", retry_exit_code=3).poke({})


def test_file_sensor(tmp_path):
    sensor = FileSensor(task_id="t", filepath=str(tmp_path / "*.txt"))
    assert sensor.poke({}) is False
    (tmp_path / "a.txt").write_text("")
    assert sensor.poke({}) is True
    folder = FileSensor(task_id="u", filepath=str(tmp_path))
    assert folder.poke({}) is True


def test_file_sensor_is_relative_to_its_connection(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_FS", f'{{"conn_type": "fs", "extra": {{"path": "{tmp_path}"}}}}')

    assert FileSensor(task_id="t", filepath="a.txt", fs_conn_id="fs").path == str(tmp_path / "a.txt")


def test_a_deferrable_file_sensor_looks_first(tmp_path):
    sensor = FileSensor(task_id="t", filepath=str(tmp_path / "a"), deferrable=True)
    with pytest.raises(TaskDeferred) as caught:
        sensor.execute({})
    assert caught.value.trigger.filepath == str(tmp_path / "a")
    (tmp_path / "a").write_text("")
    assert sensor.execute({}) is None


def interval(end):
    return {"data_interval_end": end, "dag_run": SimpleNamespace(run_after=end)}


def test_time_delta_sensor_counts_from_the_end_of_the_interval():
    sensor = TimeDeltaSensor(task_id="t", delta=timedelta(hours=1))

    assert sensor.poke(interval(utcnow() - timedelta(hours=2))) is True
    assert sensor.poke(interval(utcnow())) is False


def test_time_delta_sensor_defers():
    end = utcnow()
    sensor = TimeDeltaSensorAsync(task_id="t", delta=timedelta(hours=1))

    with pytest.raises(TaskDeferred) as caught:
        sensor.execute(interval(end))

    assert caught.value.trigger.moment == end + timedelta(hours=1)
    assert caught.value.method_name == "execute_complete"
    assert sensor.execute(interval(end - timedelta(hours=2))) is True


def test_date_time_sensors():
    assert DateTimeSensor(task_id="t", target_time="2020-01-01T00:00:00+00:00").poke({}) is True
    assert DateTimeSensor(task_id="t", target_time=utcnow() + timedelta(days=1)).poke({}) is False
    with pytest.raises(TypeError, match="target_time"):
        DateTimeSensor(task_id="t", target_time=5)
    with pytest.raises(TaskDeferred):
        DateTimeSensorAsync(task_id="t", target_time="2020-01-01").execute({})


def test_start_from_trigger_is_data(as_data):
    with DAG("d") as dag:
        DateTimeSensorAsync(task_id="t", target_time="2030-01-01T00:00:00+00:00", start_from_trigger=True)

    start = as_data(dag).tasks[0].start_trigger

    assert start["trigger_cls"].endswith("DateTimeTrigger")
    assert start["next_method"] == "execute_complete"
    assert start["trigger_kwargs"] == {"target_time": "2030-01-01T00:00:00+00:00", "end_from_trigger": False}


def test_wait_sensor_defers_to_the_end():
    with pytest.raises(TaskDeferred) as caught:
        WaitSensor(task_id="t", time_to_wait=5, deferrable=True).execute({})

    assert caught.value.trigger.end_from_trigger


def test_day_of_week_sensor():
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    today = days[utcnow().isoweekday() - 1]

    assert DayOfWeekSensor(task_id="t", week_day=today).poke({}) is True
    assert DayOfWeekSensor(task_id="t", week_day=set(days) - {today}).poke({}) is False
    with pytest.raises(AttributeError, match="Someday"):
        DayOfWeekSensor(task_id="t", week_day="Someday")


def test_start_from_trigger_names_what_is_rendered(as_data):
    with DAG("d") as dag:
        FileSensor(task_id="plain", filepath="/x", deferrable=True, start_from_trigger=True)
        FileSensor(task_id="t", filepath="/x/{{ ds }}", deferrable=True, start_from_trigger=True, timeout=9)
        FileSensor(task_id="process", filepath="/x", start_from_trigger=True)

    plain, rendered, process = (task.start_trigger for task in as_data(dag).tasks)

    assert "templates" not in plain
    assert (rendered["templates"], rendered["timeout"]) == (["filepath"], 9)
    assert process is None


def test_start_from_trigger_of_a_mapped_sensor_is_known_for_what_is_written_down(as_data):
    with DAG("d") as dag:
        partial = FileSensor.partial(deferrable=True, start_from_trigger=True, task_id="two")
        partial.expand(filepath=["/a", "/b"])
        first = BashSensor(task_id="first", bash_command="true")
        FileSensor.partial(deferrable=True, start_from_trigger=True, task_id="later").expand(filepath=first.output)
        FileSensor.partial(deferrable=True, filepath="/c", task_id="one_of_two").expand_kwargs(
            [{"start_from_trigger": True}, {}]
        )

    found = {task.task_id: task.start_triggers for task in as_data(dag).tasks}

    assert [start["trigger_kwargs"]["filepath"] for start in found["two"]] == ["/a", "/b"]
    assert found["later"] == []
    assert (found["one_of_two"][0]["trigger_kwargs"]["filepath"], found["one_of_two"][1]) == ("/c", None)
    assert set(dag.task_dict) == {"two", "first", "later", "one_of_two"}


def test_a_callable_cannot_go_to_a_trigger_without_a_process(as_data):
    class Calls(BaseSensorOperator):
        start_from_trigger = True
        start_trigger_args = StartTriggerArgs("x.Y", "resume", trigger_kwargs={"call": print})

    with DAG("d") as dag:
        Calls(task_id="t")

    with pytest.raises(SerializationError, match=r"task .t.: .call. in the trigger_kwargs .* is callable"):
        as_data(dag)
