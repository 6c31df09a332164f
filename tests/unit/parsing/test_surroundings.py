"""Plugins and cluster policies around DAG files, in this process."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.parsing import project, surroundings
from gnomon.parsing.instance_answers import UnusableError, told
from gnomon.parsing.loader import LoadedFile, import_timeout, load_file
from gnomon.sdk import listeners, plugins, policies
from gnomon.sdk.serialization import serialize_dag
from gnomon.wire.execution import RunInfo, encode
from gnomon.wire.questions import InstancesAsked, InstancesTold, TryAsked, TryTold


class Site:
    """An AIRFLOW_HOME with plugins and settings."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for name in ("dags", "plugins", "config"):
            (home / name).mkdir()
        self.save(
            "dags/one.py",
            """
            from airflow.sdk import DAG, task

            with DAG("one", schedule=None, tags=["old"]):
                @task
                def first(): ...

                first()
            with DAG("two", schedule=None):
                pass
            """,
        )

    def save(self, name: str, text: str) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def load(self) -> LoadedFile:
        return load_file(str(self.home / "dags/one.py"), bundle_root=str(self.home / "dags"), relative_path="one.py")


@pytest.fixture
def site(airflow_home: Path) -> Iterator[Site]:
    path, modules = list(sys.path), set(sys.modules)
    hooks, cache = list(sys.path_hooks), dict(sys.path_importer_cache)
    _forget()
    yield Site(airflow_home)
    _forget()
    sys.path[:], sys.path_hooks[:] = path, hooks
    sys.path_importer_cache.clear()
    sys.path_importer_cache.update(cache)
    for module in set(sys.modules) - modules:
        if str(airflow_home) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


def _forget() -> None:
    surroundings._present = None
    plugins.forget()
    policies.forget()
    project.release()


def _a_plugin(name: str, body: str = "pass") -> str:
    return (
        "from airflow.plugins_manager import AirflowPlugin\n"
        f"class Plugin(AirflowPlugin):\n    name = {name!r}\n    {body}\n"
    )


def test_without_any_of_them_nothing_is_there(site: Site) -> None:
    loaded = site.load()

    assert sorted(loaded.dags) == ["one", "two"]
    assert plugins.loaded().plugins == []
    assert (listeners.manager, policies.rules) == (None, None)
    # what may come is watched for
    home = os.path.realpath(site.home)
    assert loaded.modules == [f"{home}/config/airflow_local_settings.py", f"{home}/plugins/"]


def test_a_plugin_is_loaded_and_dag_files_depend_on_it(site: Site) -> None:
    site.save("plugins/mine.py", _a_plugin("mine", "macros = [len]") + "import beside\n")
    site.save("plugins/beside.py", "")

    loaded = site.load()

    assert [plugin.name for plugin in plugins.loaded().plugins] == ["mine"]
    assert str(plugins.loaded().plugins[0].source) == "$PLUGINS_FOLDER/mine.py"
    folder = os.path.realpath(site.home / "plugins")
    assert {f"{folder}/mine.py", f"{folder}/beside.py"} <= set(loaded.modules)
    from gnomon.sdk import macros

    assert macros.mine.len is len
    from airflow.macros.mine import len as imported

    assert imported is len


def test_a_changed_plugin_is_loaded_anew_and_changes_the_hash(site: Site) -> None:
    path = site.save("plugins/mine.py", _a_plugin("before"))
    first = site.load()
    assert site.load().source_hash == first.source_hash

    path.write_text(_a_plugin("afterwards"))

    assert site.load().source_hash != first.source_hash
    assert [plugin.name for plugin in plugins.loaded().plugins] == ["afterwards"]


def test_a_new_plugin_changes_the_hash_too(site: Site) -> None:
    before = site.load().source_hash
    site.save("plugins/new.py", _a_plugin("new"))

    assert site.load().source_hash != before
    assert [plugin.name for plugin in plugins.loaded().plugins] == ["new"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1/0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "it ends the process that loads it: SystemExit(3)"),
        (_a_plugin(""), "AirflowPluginException: Your plugin needs a name."),
        (
            _a_plugin("x", "on_load = classmethod(lambda cls: 1/0)"),
            "ZeroDivisionError: division by zero",
        ),
    ],
)
def test_a_broken_plugin_is_its_own_error_alone(site: Site, text: str, error: str) -> None:
    path = site.save("plugins/broken.py", text)
    site.save("plugins/good.py", _a_plugin("good"))

    assert sorted(site.load().dags) == ["one", "two"]
    assert plugins.loaded().errors == {str(path): error}
    assert [plugin.name for plugin in plugins.loaded().plugins] == ["good"]


def test_of_two_plugins_with_one_name_the_first_counts(site: Site) -> None:
    site.save("plugins/a.py", _a_plugin("same"))
    site.save("plugins/b.py", _a_plugin("same"))
    site.load()

    assert plugins.loaded().errors == {"$PLUGINS_FOLDER/b.py": "there is another plugin named 'same'"}


def test_a_plugin_that_another_file_imports_is_there_once(site: Site) -> None:
    site.save("plugins/a.py", _a_plugin("mine"))
    site.save("plugins/b.py", "from a import Plugin\n")
    site.load()

    assert plugins.loaded().errors == {}
    assert len(plugins.loaded().plugins) == 1


def test_an_ignore_file_keeps_files_out(site: Site) -> None:
    site.save("plugins/.airflowignore", "broken.py\n")
    site.save("plugins/broken.py", "1/0")
    site.load()

    assert plugins.loaded().errors == {}


# ------------------------------------------------------------------------------------------------- listeners


def test_listeners_are_registered_and_seen_in_what_the_scheduler_gets(site: Site) -> None:
    site.save(
        "plugins/mine.py",
        """
        import sys
        from airflow.listeners import hookimpl
        from airflow.plugins_manager import AirflowPlugin

        heard = []

        @hookimpl
        def on_dag_run_failed(dag_run, msg):
            heard.append((dag_run, msg))

        @hookimpl
        def on_dag_run_success(dag_run):
            raise ValueError("a listener fails")

        class Plugin(AirflowPlugin):
            name = "mine"
            listeners = [sys.modules[__name__]]
        """,
    )
    serialized = serialize_dag(site.load().dags["one"])
    assert (serialized.has_failure_callback, serialized.has_success_callback) == (True, True)
    assert (serialized.has_running_listener, serialized.tasks[0].has_failure_callback) == (False, False)

    listeners.tell("on_dag_run_failed", dag_run="run", msg="why")
    listeners.tell("on_dag_run_success", dag_run="run", msg="why")  # logged, and no more
    assert sys.modules["mine"].heard == [("run", "why")]

    with plugins.suspended():
        listeners.tell("on_dag_run_failed", dag_run="nobody's", msg="")
    assert len(sys.modules["mine"].heard) == 1


# --------------------------------------------------------------------------------------------------- policies


def test_policies_change_refuse_and_skip_dags(site: Site) -> None:
    site.save(
        "config/airflow_local_settings.py",
        """
        from airflow.exceptions import AirflowClusterPolicySkipDag, AirflowClusterPolicyViolation

        def dag_policy(any_name):
            if "old" in any_name.tags:
                any_name.tags.add("seen")
            if any_name.dag_id == "two":
                raise AirflowClusterPolicyViolation("two is not wanted")

        def task_policy(task):
            task.retries = 7

        def task_instance_mutation_hook(ti, run):
            ti.executor_config = {"isolation": "reuse"}
            if run is None:
                return
            ti.queue = f"{run.conf['queue']}-{ti.try_number}"
            ti.pool_slots = ti.map_index + 3 + ti.priority_weight
            ti.max_tries += ti.run_id == run.run_id == ti.get_dagrun().run_id
            ti.priority_weight = run.conf.get("weight", 40)

        def get_airflow_context_vars(context):
            return {"team": "ours", "airflow_ctx_x": "y"}

        def get_dagbag_import_timeout(path):
            return 90 if path.endswith("one.py") else -1
        """,
    )
    loaded = site.load()

    assert sorted(loaded.dags) == ["one"]
    assert loaded.refused == {"two": "AirflowClusterPolicyViolation: two is not wanted"}
    assert loaded.error is None
    task = serialize_dag(loaded.dags["one"]).tasks[0]
    assert (task.retries, task.queue, task.is_asked, task.isolation) == (7, "default", True, "reuse")
    assert loaded.dags["one"].tags == {"old", "seen"}
    assert policies.context_variables({}) == {"team": "ours", "airflow_ctx_x": "y"}
    root = str(site.home / "dags")
    assert import_timeout(f"{root}/one.py", root, 30.0) == 90
    assert import_timeout(f"{root}/other.py", root, 30.0) == 0

    def ask(conf: str) -> InstancesTold:
        info = RunInfo(id=1, dag_id="one", run_id="r", run_type="manual", run_after=0, conf=conf.encode())
        tries = [TryAsked(5, task.task_id, 2, 1, 7, 30), TryAsked(6, "gone", -1, 0, 0, 1)]
        return told(loaded.dags["one"], InstancesAsked(encode(info), tries))

    assert ask('{"queue": "slow"}').tries == [TryTold(5, 1, "slow-1", "default_pool", 35, 40, 8)]
    with pytest.raises(UnusableError, match=r"gave .high. as priority_weight of task .*, which is no int"):
        ask('{"queue": "slow", "weight": "high"}')


def test_a_policy_that_skips_leaves_no_error(site: Site) -> None:
    site.save(
        "config/airflow_local_settings.py",
        """
        from airflow.exceptions import AirflowClusterPolicySkipDag

        def dag_policy(dag):
            raise AirflowClusterPolicySkipDag
        """,
    )
    loaded = site.load()
    assert (loaded.dags, loaded.refused, loaded.error) == ({}, {}, None)


def test_a_policy_that_fails_refuses_the_dag(site: Site) -> None:
    site.save("config/airflow_local_settings.py", "def task_policy(task): return 1 / 0\n")
    loaded = site.load()
    assert sorted(loaded.dags) == ["two"]
    assert loaded.refused == {
        "one": "AirflowClusterPolicyError: a policy failed for DAG 'one': ZeroDivisionError: division by zero"
    }


def test_without_its_policies_no_dag_runs(site: Site) -> None:
    path = site.save("config/airflow_local_settings.py", "import no_such_module\n")
    loaded = site.load()
    assert loaded.dags == {}
    expected = "airflow_local_settings.py cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"
    assert loaded.error == expected

    path.write_text("")
    assert sorted(site.load().dags) == ["one", "two"]


def test_context_variables_have_to_be_text(site: Site) -> None:
    site.save("config/airflow_local_settings.py", "def get_airflow_context_vars(context): return {'n': 1}\n")
    site.load()
    with pytest.raises(TypeError, match="get_airflow_context_vars: the value of n must be a string, not 1"):
        policies.context_variables({})


def test_policies_of_a_package_are_called_after_the_installations_own(site: Site) -> None:
    site.save("config/shop-1.0.dist-info/entry_points.txt", "[airflow.policy]\nshop = shop_policies\n")
    site.save(
        "config/shop_policies.py",
        """
        from airflow.policies import hookimpl

        @hookimpl
        def task_policy(task):
            task.retries, task.owner = 1, "package"
        """,
    )
    site.save("config/airflow_local_settings.py", "def task_policy(task): task.retries += 1\n")
    task = site.load().dags["one"].tasks[0]
    # pluggy calls the one that was registered last first
    assert (task.retries, task.owner) == (1, "package")
