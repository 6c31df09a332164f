"""A project with plugins, listeners, cluster policies and connections, with nothing else started."""

from __future__ import annotations

import json

import pytest

_PLUGIN = """
import os
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseOperatorLink

HEARD = os.path.join(os.path.dirname(__file__), "heard.txt")

def say(*words):
    with open(HEARD, "a") as file:
        print(*words, file=file)

class Listener:
    @hookimpl
    def on_starting(self, component): say("starting", type(component).__name__)
    @hookimpl
    def before_stopping(self): say("stopping")
    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        say(task_instance.task_id, "running", previous_state)
    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        say(task_instance.task_id, "success", previous_state)
    @hookimpl
    def on_task_instance_failed(self, task_instance, error):
        say(task_instance.task_id, "failed", repr(error))
    @hookimpl
    def on_task_instance_skipped(self, task_instance): say(task_instance.task_id, "skipped")
    @hookimpl
    def on_dag_run_running(self, dag_run): say("run", dag_run.state)
    @hookimpl
    def on_dag_run_failed(self, dag_run, msg): say("run", dag_run.state, msg)
    @hookimpl
    def on_asset_changed(self, asset): say("asset", asset.uri)

def shout(text):
    return text.upper() + "!"

class Docs(BaseOperatorLink):
    name = "Docs"
    def get_link(self, operator, *, ti_key): return f"https://docs.example/{ti_key.task_id}"

class Mine(AirflowPlugin):
    name = "mine"
    macros = [shout]
    listeners = [Listener()]
    global_operator_extra_links = [Docs()]
    external_views = [{"name": "Shop", "href": "https://shop.example", "url_route": "shop"}]
"""
_DAG = """
import time
from airflow.sdk import Asset, Variable, dag, task
from airflow.exceptions import AirflowSkipException

def remember(context):
    time.sleep(0.5)  # the run is over by then
    import mine
    mine.say("callback sees", Variable.get("known"))

@dag(schedule=None, tags=["team"])
def listened():
    @task.bash(outlets=[Asset("s3://bucket/key")])
    def speak(): return "echo {{ macros.mine.shout('hello') }} $AIRFLOW_CTX_TEAM"
    @task
    def skip(): raise AirflowSkipException
    @task(trigger_rule="all_done", on_success_callback=remember)
    def last(): pass
    @task(trigger_rule="all_done")
    def fail(): raise ValueError("no")
    speak() >> skip() >> fail() >> last()

listened()
"""
_POLICIES = """
from airflow.exceptions import AirflowClusterPolicyViolation

def dag_policy(dag):
    if not dag.tags:
        raise AirflowClusterPolicyViolation(f"{dag.dag_id} has no tags")

def get_airflow_context_vars(context):
    return {"team": "sundials"}
"""


@pytest.fixture
def site(project):
    (project.root / "config").mkdir()
    (project.root / "config/airflow_local_settings.py").write_text(_POLICIES)
    (project.root / "plugins/mine.py").write_text(_PLUGIN)
    (project.root / "plugins/broken.py").write_text("import no_such_module\n")
    (project.root / "dags/listened.py").write_text(_DAG)
    for name in ("exampledag.py", "pulse.py"):
        (project.root / "dags" / name).unlink(missing_ok=True)
    # what `dev start` does
    (project.root / "airflow_settings.yaml").write_text(
        "airflow:\n  variables:\n    - variable_name: known\n      variable_value: this\n"
    )
    return project


def test_listeners_hear_of_a_run_and_macros_and_policies_are_there(site):
    done = site("gnomon", "run", "listened", "-v")

    assert "HELLO! sundials" in done.stdout, done.stdout + done.stderr
    heard = (site.root / "plugins/heard.txt").read_text().splitlines()
    assert [line for line in heard if line.startswith(("speak", "asset"))] == [
        "speak running queued",
        "speak success running",
        "asset s3://bucket/key",
    ]
    assert [line for line in heard if line.startswith(("skip", "fail", "last"))] == [
        "skip running queued",
        "skip skipped",
        "fail running queued",
        "fail failed ValueError('no')",
        "last running queued",
        "last success running",
    ]
    assert "callback sees this" in heard
    assert heard.count("starting TaskRunnerMarker") == 4
    assert heard.count("stopping") == 5  # those who heard of the run are told that they may finish, too
    assert [line for line in heard if line.startswith("run")] == ["run running"]  # it succeeds: `last` is the only leaf


def test_a_policy_speaks_through_dev_parse(site):
    (site.root / "dags/untagged.py").write_text("from airflow.sdk import DAG\ndag = DAG('untagged', schedule=None)\n")
    done = site("gnomon", "dev", "parse")
    assert done.returncode == 1
    assert "dags/untagged.py: AirflowClusterPolicyViolation: untagged has no tags" in done.stdout


def test_plugins_are_listed_with_those_that_are_broken(site):
    done = site("airflow", "plugins", "-o", "json")
    (mine,) = json.loads(done.stdout)
    assert (mine["name"], mine["source"], mine["macros"]) == ("mine", "$PLUGINS_FOLDER/mine.py", ["mine.shout"])
    assert "plugins/broken.py cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'" in done.stderr


def test_providers_are_listed(project):
    (standard,) = [row for row in project.rows("airflow", "providers", "list") if "standard" in row["package_name"]]
    assert standard["version"] == "1.21.0"
    hooks = {row["connection_type"]: row for row in project.rows("airflow", "providers", "hooks")}
    assert hooks["fs"]["conn_id_attribute_name"] == "fs_conn_id"
    assert hooks["generic"]["class"] is None
    assert "All ok" in project.ok("airflow", "providers", "lazy-loaded")


def test_a_connection_is_tested_by_its_hook(project):
    project.ok("airflow", "db", "migrate")
    project.ok(
        "airflow",
        "connections",
        "add",
        "here",
        "--conn-json",
        json.dumps({"conn_type": "fs", "extra": '{"path": "/"}'}),
    )
    refused = project("airflow", "connections", "test", "here")
    assert (refused.returncode, "testing connections is disabled" in refused.stderr) == (1, True)
    allowed = {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}
    assert "Connection success!" in project.ok("airflow", "connections", "test", "here", **allowed)
    extra = json.dumps({"path": "/no/such/folder"})
    project.ok("airflow", "connections", "add", "gone", "--conn-type", "fs", "--conn-extra", extra)
    failed = project("airflow", "connections", "test", "gone", **allowed)
    assert (failed.returncode, "Connection failed!" in failed.stdout) == (1, True)
    assert "/no/such/folder" in failed.stdout
