"""What provider packages import from the core, used as they use it."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest

from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command, positive_int
from airflow.cli.cli_parser import get_parser
from airflow.cli.simple_table import AirflowConsole
from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion
from airflow.dag_processing.bundles.local import LocalDagBundle
from airflow.executors import workloads
from airflow.executors.base_executor import BaseExecutor, ExecutorConf
from airflow.executors.executor_loader import ExecutorLoader
from airflow.executors.workloads.types import state_class_for_key
from airflow.logging_config import get_remote_task_log
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.execution_time.callback_runner import create_async_executable_runner, create_executable_runner
from airflow.serialization.encoders import coerce_to_core_timetable, encode_timetable
from airflow.serialization.serialized_objects import SerializedDAG
from airflow.utils.file import correct_maybe_zipped, get_unique_dag_module_name, might_contain_dag, open_maybe_zipped
from airflow.utils.log.file_task_handler import FileTaskHandler, StructuredLogMessage
from airflow.utils.log.json_formatter import JSONFormatter
from airflow.utils.process_utils import execute_in_subprocess
from gnomon.sdk.core import dropped
from gnomon.sdk.exceptions import AirflowConfigException, AirflowException, UnknownExecutorException
from gnomon.sdk.states import CallbackState

# ------------------------------------------------------------------------------------------------ executors


class CollectingExecutor(BaseExecutor):
    """Starts nothing, remembers what it was told to start."""

    supports_callbacks = True

    def _process_workloads(self, workload_items):
        for workload in workload_items:
            self.queued_tasks.pop(workload.key, None)
            self.queued_callbacks.pop(workload.key, None)
            self.running.add(workload.key)


def task_workload(task_id, weight=1):
    ti = workloads.TaskInstanceDTO(
        id=uuid4(), task_id=task_id, dag_id="d", run_id="r", try_number=2, dag_version_id=uuid4(), pool_slots=1,
        priority_weight=weight,
    )  # fmt: skip
    bundle = workloads.BundleInfo(name="b")
    return workloads.ExecuteTask(ti=ti, token="t", dag_rel_path="d.py", bundle_info=bundle, log_path="l")


def test_an_executor_starts_callbacks_first_and_then_tasks_by_weight():
    executor = CollectingExecutor(parallelism=3)
    callback = workloads.ExecuteCallback(
        callback={"id": "c", "fetch_method": "import_path", "data": {"path": "a.b"}}, token="t", dag_rel_path="d.py",
        bundle_info={"name": "b"}, log_path=None,
    )  # fmt: skip
    light, heavy, middle = task_workload("light", 1), task_workload("heavy", 9), task_workload("middle", 5)
    for workload in (light, heavy, middle, callback):
        executor.queue_workload(workload, session=None)

    executor.heartbeat()

    assert executor.running == {callback.key, heavy.key, middle.key}
    assert list(executor.queued_tasks) == [light.key]
    assert (executor.slots_occupied, executor.slots_available) == (4, -1)
    assert callback.display_name == "b"


def test_what_an_executor_hears_is_told_once():
    executor = CollectingExecutor(parallelism=1)
    one, other = task_workload("one").key, task_workload("other").key._replace(dag_id="e")
    executor.running |= {one, other}

    executor.success(one, "fine")
    executor.fail(other)

    assert executor.get_event_buffer(["e"]) == {other: ("failed", None)}
    assert executor.get_event_buffer() == {one: ("success", "fine")}
    assert executor.get_event_buffer() == {}
    assert executor.running == set()


def test_what_an_executor_does_not_support_is_refused():
    executor = BaseExecutor(parallelism=1)
    test = workloads.TestConnection(connection_test_id=uuid4(), connection_id="c", timeout=5, token="t")

    with pytest.raises(NotImplementedError, match="TestConnection"):
        executor.queue_workload(test, session=None)
    with pytest.raises(ValueError, match="cannot run a str"):
        executor.queue_workload("x", session=None)
    with pytest.raises(ValueError, match="parallelism"):
        BaseExecutor(parallelism=0)
    with pytest.raises(AirflowException, match="gnomon worker"):
        BaseExecutor.run_workload(task_workload("t"))
    assert state_class_for_key(workloads.CallbackKey("c")) is CallbackState


def test_workloads_survive_json():
    workload = task_workload("t")

    again = workloads.ExecuteTask.model_validate_json(workload.model_dump_json())

    assert again.key == workload.key
    assert again.key.try_number == 2
    assert "token" not in repr(workload)


def test_a_team_has_settings_of_its_own(monkeypatch):
    monkeypatch.setenv("AIRFLOW__BLUE___CELERY__WORKER_CONCURRENCY", "3")
    monkeypatch.setenv("AIRFLOW__CELERY__WORKER_CONCURRENCY", "7")

    assert ExecutorConf("blue").getint("celery", "worker_concurrency") == 3
    assert ExecutorConf("red").getint("celery", "worker_concurrency") == 7
    assert ExecutorConf().get("celery", "worker_concurrency") == "7"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("LocalExecutor", [(None, "LocalExecutor", "airflow.executors.local_executor.LocalExecutor")]),
        ("a.b.Mine", [(None, None, "a.b.Mine")]),
        ("x:a.b.Mine,LocalExecutor", [(None, "x", "a.b.Mine"), (None, "LocalExecutor", ExecutorLoader.executors["LocalExecutor"])]),
        ("a.A;blue=b.B", [(None, None, "a.A"), ("blue", None, "b.B")]),
    ],
)  # fmt: skip
def test_the_executors_of_the_settings(setting, expected, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", setting)

    found = ExecutorLoader.get_executor_names()

    assert [(name.team_name, name.alias, name.module_path) for name in found] == expected
    assert ExecutorLoader.lookup_executor_name_by_str(expected[0][2].rpartition(".")[2]) == found[0]
    with pytest.raises(UnknownExecutorException):
        ExecutorLoader.lookup_executor_name_by_str("Nobody")


@pytest.mark.parametrize("setting", ["Nonsense", "a:", "a.A,a.A", "a:b:c"])
def test_executors_that_cannot_be_meant(setting, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", setting)

    with pytest.raises(AirflowConfigException, match="executor"):
        ExecutorLoader.get_executor_names()


# ------------------------------------------------------------------------------------------------- commands


def test_commands_of_providers_become_a_parser(capsys):
    seen = []
    commands = [
        GroupCommand(
            name="thing",
            help="Things",
            subcommands=[
                ActionCommand("count", "Count", seen.append, [Arg(("--number",), type=positive_int(allow_zero=False))])
            ],
        ),
        ActionCommand("load", "Load", lazy_load_command("json.loads"), (Arg(("text",)),)),
    ]
    parser = get_parser(commands)

    given = parser.parse_args(["thing", "count", "--number", "5"])
    given.func(given)
    loads = parser.parse_args(["load", "[1]"])

    assert seen[0].number == 5
    assert loads.func(loads.text) == [1]
    assert loads.func.__name__ == "loads"
    with pytest.raises(SystemExit):
        parser.parse_args(["thing", "count", "--number", "0"])
    assert "Groups" in parser.format_help()
    assert "see help above" in capsys.readouterr().err
    with pytest.raises(argparse.ArgumentTypeError):
        positive_int(allow_zero=True)("x")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("json", '[{"a": "1", "b": ["x", "y"]}]'),
        ("plain", "a  b\n1  ['x', 'y']"),
        ("yaml", "- a: '1'\n  b:\n  - x\n  - y"),
    ],
)
def test_rows_are_printed(output, expected, capsys):
    AirflowConsole().print_as([{"a": 1, "b": ["x", "y"]}], output)

    assert capsys.readouterr().out.strip() == expected


# ----------------------------------------------------------------------------------------------------- logs


def test_a_task_handler_writes_a_file_per_try_and_reads_it(tmp_path):
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1, state="success")
    handler = FileTaskHandler(str(tmp_path))
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.set_context(ti)
    handler.emit(logging.LogRecord("x", logging.INFO, "f", 1, "hello %s", ("you",), None))
    handler.close()

    lines, position = handler.read(ti, 1)

    assert (tmp_path / "dag_id=d" / "run_id=r" / "task_id=t" / "attempt=1.log").read_text() == "hello you\n"
    assert [line.event for line in lines][-1] == "hello you"
    assert position["end_of_log"]
    lines, _ = handler.read(ti, 0)
    assert "invalid" in next(iter(lines)).event


def test_a_remote_handler_is_asked_when_there_is_no_file(tmp_path):
    class Remote(FileTaskHandler):
        def _read_remote_logs(self, ti, try_number, metadata=None):
            return ["there"], ['{"event": "far", "timestamp": "2024-01-01T00:00:00Z"}\nplain']

    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=3, try_number=2, state="running")

    lines, position = Remote(str(tmp_path)).read(ti)

    assert [line.event for line in lines] == ["::group::Log message source details", "::endgroup::", "far", "plain"]
    assert not position["end_of_log"]


def test_lines_of_logs_are_ordered_by_time():
    early = StructuredLogMessage(event="a", timestamp=datetime(2024, 1, 1, tzinfo=UTC), more=1)

    assert StructuredLogMessage(event="b") < early
    assert early.more == 1


def test_records_become_json():
    record = logging.LogRecord("x", logging.INFO, "f", 1, "hi", None, None)

    text = JSONFormatter(json_fields=["message", "levelname"], extras={"host": "h"}).format(record)

    assert json.loads(text) == {"message": "hi", "levelname": "INFO", "host": "h"}


def test_logs_are_local_unless_a_logging_class_says_otherwise(monkeypatch):
    from gnomon.sdk.core import remote_logs

    monkeypatch.setattr(remote_logs._ActiveLoggingConfig, "logging_config_loaded", False)
    assert get_remote_task_log() is None
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS", "no.such.THING")
    with pytest.raises(ImportError, match="logging_config_class"):
        remote_logs.load_logging_config()


# ----------------------------------------------------------------------------------------- files, processes


def test_files_in_archives(tmp_path):
    archive = tmp_path / "dags.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a.py", "from airflow import DAG\n")
    plain = tmp_path / "b.py"
    plain.write_text("print('no such thing')\n")

    assert correct_maybe_zipped(f"{archive}/a.py") == str(archive)
    assert correct_maybe_zipped(str(plain)) == str(plain)
    assert open_maybe_zipped(f"{archive}/a.py").read() == "from airflow import DAG\n"
    assert might_contain_dag(str(archive), safe_mode=True)
    assert not might_contain_dag(str(plain), safe_mode=True)
    assert might_contain_dag(str(plain), safe_mode=False)
    assert get_unique_dag_module_name("/x/a-b.py").startswith("unusual_prefix_")
    assert get_unique_dag_module_name("/x/a-b.py").endswith("_a_b")


def test_a_subprocess_logs_and_fails(caplog):
    with caplog.at_level(logging.INFO):
        execute_in_subprocess([sys.executable, "-c", "print('said')"])
        with pytest.raises(subprocess.CalledProcessError):
            execute_in_subprocess([sys.executable, "-c", "raise SystemExit(3)"])

    assert "said" in caplog.messages


def test_a_bundle_locks_and_knows_its_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path))

    class Mine(BaseDagBundle):
        path = tmp_path

        def get_current_version(self):
            return BundleVersion("1", {"a": 1})

        def refresh(self):
            with self.lock(), self.lock():
                self.refreshed = True

    bundle = Mine(name="m", refresh_interval=5)
    bundle.initialize()
    bundle.refresh()

    assert bundle.is_initialized
    assert bundle.refreshed
    assert bundle.base_dir == tmp_path / "m"
    assert (tmp_path / "_locks" / "m.lock").exists()
    assert LocalDagBundle(name="l", path="/x").path.as_posix() == "/x"


# -------------------------------------------------------------------------------------- stored forms, others


def test_dags_and_timetables_in_their_stored_form():
    with DAG("d", schedule="@daily", start_date=datetime(2024, 1, 1, tzinfo=UTC)) as dag:
        BaseOperator(task_id="t")

    stored = SerializedDAG.to_dict(dag)
    encoded = encode_timetable(coerce_to_core_timetable(dag.timetable))

    assert stored["dag_id"] == "d"
    assert json.loads(SerializedDAG.to_json(dag))["dag_id"] == "d"
    assert set(encoded) == {"__type", "__var"}
    assert encoded["__var"]["expression"] == "0 0 * * *"
    assert not isinstance(dag, SerializedDAG)
    with pytest.raises(AirflowException, match="stored"):
        SerializedDAG.from_dict({})


def test_a_generator_hands_metadata_to_its_outlets():
    from airflow.sdk import Asset, Metadata

    events = {asset: SimpleNamespace(extra={}) for asset in [Asset("a")]}

    def work(x):
        yield Metadata(Asset("a"), {"rows": x})
        return x + 1

    async def gather(x):
        return x * 2

    assert create_executable_runner(work, events, logger=logging.getLogger()).run(4) == 5
    assert events[Asset("a")].extra == {"rows": 4}
    assert asyncio.run(create_async_executable_runner(gather, {}, logger=logging.getLogger()).run(4)) == 8


def test_an_auth_manager_answers_for_many():
    class Manager(BaseAuthManager):
        def is_authorized_connection(self, *, method, user, details=None):
            return method == "GET" and details.conn_id != "secret"

    Manager.__abstractmethods__ = frozenset()
    manager, user = Manager(), BaseUser()

    assert manager.filter_authorized_connections(conn_ids={"a", "secret"}, user=user) == {"a"}
    assert not manager.filter_authorized_connections(conn_ids={"a"}, user=user, method="PUT")
    with pytest.raises(AirflowException, match="tokens"):
        manager.generate_jwt(user)


def test_dates_of_airflow_2():
    start = datetime(2024, 1, 1, tzinfo=UTC)

    assert dropped.date_range(start, num=2, delta=timedelta(days=1)) == [start, start + timedelta(days=1)]
    assert dropped.date_range(start, num=-2, delta="@daily") == [start - timedelta(days=1), start]
    assert dropped.date_range(start, start + timedelta(hours=2), delta="@hourly")[-1].hour == 2
    assert dropped.round_time(datetime(2015, 1, 1, 6), timedelta(days=1)) == datetime(2015, 1, 1)
    assert dropped.round_time(datetime(2015, 9, 16), timedelta(1), datetime(2015, 9, 14)) == datetime(2015, 9, 16)
    assert dropped.infer_time_unit([130, 5400, 10]) == "minutes"
    assert dropped.scale_time_units([60, 120], "minutes") == [1, 2]


def test_masking_as_providers_extend_it():
    from airflow.sdk._shared.secrets_masker import SecretsMasker, _secrets_masker

    class Deeper(SecretsMasker):
        MAX_RECURSION_DEPTH = 20

    assert Deeper().redact({"a": [{"password": "x", "n": 5}], "b": "y"}) == {
        "a": [{"password": "***", "n": 5}],
        "b": "y",
    }
    assert _secrets_masker().should_hide_value_for_key("api_key")


def test_settings_as_providers_ask_for_them(monkeypatch):
    from airflow.configuration import AirflowConfigParser, conf

    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "5")
    monkeypatch.setenv("AIRFLOW__SMTP__SMTP_PASSWORD", "secret")

    assert isinstance(conf, AirflowConfigParser)
    assert conf.as_dict()["core"]["parallelism"] == "5"
    assert conf.as_dict()["smtp"]["smtp_password"] == "< hidden >"
    assert conf.as_dict(display_sensitive=True, display_source=True)["smtp"]["smtp_password"] == (
        "secret",
        "the environment variable AIRFLOW__SMTP__SMTP_PASSWORD",
    )
    assert conf.get_default_value("core", "parallelism") == "32"
    assert conf.get_mandatory_list_value("core", "parallelism") == ["5"]
    with pytest.raises(AirflowConfigException):
        conf.getenum("core", "parallelism", CallbackState)
    with pytest.raises(AirflowConfigException):
        ExecutorConf().get("nonsense", "nothing")
