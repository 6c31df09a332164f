"""What only the standard provider's own users notice: scripts, old names, waits that others listen to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from airflow.providers.standard.exceptions import AirflowExternalTaskSensorException
from airflow.providers.standard.operators.trigger_dagrun import DagIsPaused
from airflow.providers.standard.triggers.file import DirectoryFileDeleteTrigger
from gnomon.sdk import DAG
from gnomon.sdk.exceptions import AirflowProviderDeprecationWarning, DagRunTriggerException
from gnomon.sdk.runtime import values
from gnomon.sdk.standard.bash import BashOperator
from gnomon.sdk.standard.external_task import ExternalDagFailedError, ExternalTaskSensor
from gnomon.sdk.standard.sensors import FileSensor
from gnomon.sdk.standard.trigger_dagrun import TriggerDagRunOperator
from tests.fixtures.loops import within


def bash(runner, command, **kwargs):
    with DAG("d") as dag:
        BashOperator(task_id="b", bash_command=command, **kwargs)
    return runner.run(dag, "b")


def test_a_script_and_a_long_command_run_from_a_file(runner, tmp_path):
    (tmp_path / "what.sh").write_text("echo $0 {{ ds }} # and no more than what.sh")
    with DAG("d", template_searchpath=str(tmp_path)) as dag:
        BashOperator(task_id="b", bash_command="what.sh")
    name, _, day = runner.run_and_return(dag, "b").partition(" ")
    assert name.endswith(".sh")
    assert day == "2024-03-10"
    assert runner.value(bash(runner, "x='" + "y" * 200_000 + "'; echo -n $x | wc -c")) == "200000"
    assert [file.name for file in tmp_path.iterdir()] == ["what.sh"]


def test_any_container_of_exit_codes(runner):
    assert bash(runner, "exit 5", skip_on_exit_code=range(3, 9)).state == "skipped"
    assert bash(runner, "exit 9", skip_on_exit_code=range(3, 9)).state == "failed"


def test_the_file_sensor_says_what_it_found(runner, tmp_path, caplog):
    (tmp_path / "a.csv").write_text("x")
    with DAG("d") as dag:
        FileSensor(task_id="f", filepath=str(tmp_path / "*.csv"))

    with caplog.at_level("INFO"):
        assert runner.run(dag, "f").state == "success"
    assert f"Found File {tmp_path}/a.csv last modified: 20" in caplog.text
    with pytest.raises(Exception, match=r"f task failed as .*\*\.csv not found"):
        dag.get_task("f").execute_complete({}, None)


def test_files_of_a_folder_are_taken_one_by_one(tmp_path):
    trigger = DirectoryFileDeleteTrigger(directory=str(tmp_path / "inbox"), filename="go", poke_interval=0.01)
    path, kwargs = trigger.serialize()
    assert values.import_string(path)(**kwargs).shared_stream_key() == trigger.shared_stream_key()

    async def scenario():
        events = trigger.run()
        found = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.03)  # the folder is not there yet
        (tmp_path / "inbox").mkdir()
        (tmp_path / "inbox" / "other").touch()
        (tmp_path / "inbox" / "go").touch()
        return (await within(10, found)).payload

    assert asyncio.run(scenario()) == {"filepath": f"{tmp_path}/inbox/go"}
    assert [file.name for file in (tmp_path / "inbox").iterdir()] == ["other"]

    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        asyncio.run(anext(DirectoryFileDeleteTrigger(directory=str(tmp_path / "file"), filename="go").run()))


def test_the_external_task_sensor_tells_listeners_which_dates_it_looks_at():
    date = datetime(2024, 1, 2, tzinfo=UTC)
    sensor = ExternalTaskSensor(task_id="s", external_dag_id="other", execution_date_fn=lambda at: [at, at])

    sensor.execute_complete({"logical_date": date, "dag_run": None}, {"status": "success"})

    assert sensor.external_dates_filter == "2024-01-02T00:00:00+00:00,2024-01-02T00:00:00+00:00"
    assert issubclass(ExternalDagFailedError, AirflowExternalTaskSensorException)


def test_poll_interval_is_an_old_name():
    with pytest.warns(AirflowProviderDeprecationWarning, match="use `poke_interval`"):
        sensor = ExternalTaskSensor(task_id="s", external_dag_id="other", poll_interval=7)
    assert sensor.poke_interval == 7
    with pytest.warns(AirflowProviderDeprecationWarning, match="use `poke_interval`"):
        sensor.poll_interval = 8
    assert sensor.poke_interval == 8


def wish(**kwargs):
    operator = TriggerDagRunOperator(task_id="t", trigger_dag_id="other", **kwargs)
    with pytest.raises(DagRunTriggerException) as asked:
        operator.execute({})
    assert operator.trigger_run_id == asked.value.dag_run_id
    return asked.value


def test_a_run_that_may_begin_later_has_no_logical_date_unless_it_is_given():
    later = "2030-01-01T00:00:00+00:00"

    assert wish(run_after=later).logical_date is None
    assert wish(run_after=later).run_after.year == 2030
    assert wish(run_after=later).dag_run_id.startswith("manual__2030-01-01")
    assert wish(run_after=later, logical_date="2024-01-01").logical_date.year == 2024
    assert wish(logical_date="").logical_date is None
    assert wish(conf='{"a": 1}').conf == {"a": 1}
    with pytest.raises(TypeError, match="'run_after'"):
        TriggerDagRunOperator(task_id="t", trigger_dag_id="other", run_after=7)


def test_a_paused_dag_is_an_error_of_its_own():
    class Instance:
        @staticmethod
        def get_dag(dag_id):
            return type("Dag", (), {"is_paused": True})

    operator = TriggerDagRunOperator(task_id="t", trigger_dag_id="other", fail_when_dag_is_paused=True)
    with pytest.raises(DagIsPaused, match="Dag other is paused"):
        operator.execute({"ti": Instance})
