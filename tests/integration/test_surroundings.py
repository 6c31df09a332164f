"""Plugins and policies in real parser processes: a change of them reaches every DAG file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures.loops import run_within
from tests.integration.parsing_parts import Project

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])

_PLUGIN = """
import os
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

class Listener:
    @hookimpl
    def on_new_dag_import_error(self, filename, stacktrace):
        self.say("new", filename, stacktrace)
    @hookimpl
    def on_existing_dag_import_error(self, filename, stacktrace):
        self.say("existing", filename, stacktrace)
    def say(self, *words):
        with open(os.path.join(os.environ["AIRFLOW_HOME"], "heard"), "a") as file:
            print(words[0], os.path.basename(words[1]), words[2].splitlines()[-1], file=file)

class Mine(AirflowPlugin):
    name = "mine"
    listeners = [Listener()]
"""


@pytest.fixture
def project(airflow_home: Path, database_url: str) -> Iterator[Project]:
    for name in ("plugins", "config"):
        (airflow_home / name).mkdir()
    made = Project(airflow_home, database_url)
    yield made
    made.store.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    run_within(60, test())  # type: ignore[arg-type]


def _hash(project: Project, dag_id: str) -> str:
    dag = project.store.dags.get(dag_id)
    assert dag is not None
    return str(dag.source_hash)


def test_a_plugin_that_comes_changes_or_goes_has_all_files_parsed_again(project: Project, airflow_home: Path) -> None:
    async def test() -> None:
        project.save_dag("one.py", "one")
        project.save_dag("two.py", "two")
        async with project.processing():
            seen = [_hash(project, "one")]

            async def changed() -> None:
                await project.sink.until(lambda: _hash(project, "one") != seen[-1] and _hash(project, "two"))
                seen.append(_hash(project, "one"))

            project.save("../plugins/mine.py", _PLUGIN)
            await changed()
            project.save("../plugins/mine.py", _PLUGIN.replace('"mine"', '"changed"'))
            await changed()
            project.save("../config/airflow_local_settings.py", "def task_policy(task): task.retries = 3\n")
            await changed()
            (airflow_home / "plugins/mine.py").unlink()
            await changed()
            assert len(set(seen)) == 5

    run(test)


def test_what_a_policy_decides_is_recorded(project: Project) -> None:
    async def test() -> None:
        project.save(
            "../config/airflow_local_settings.py",
            """
            from airflow.exceptions import AirflowClusterPolicyViolation

            def dag_policy(dag):
                if dag.dag_id == "bad":
                    raise AirflowClusterPolicyViolation("bad is not wanted")
            """,
        )
        project.save_dag("both.py", "good", before="from gnomon.sdk.dag import DAG\nbad = DAG('bad', schedule=None)")
        async with project.processing():
            assert await project.error("both.py") == "AirflowClusterPolicyViolation: bad is not wanted"
            assert project.dags() == ["good"]

            project.save("../config/airflow_local_settings.py", "import no_such_module\n")
            await project.sink.until(lambda: "no_such_module" in (project.error_of("both.py") or ""))

            project.save("../config/airflow_local_settings.py", "")
            await project.sink.until(lambda: project.error_of("both.py") is None)
            assert project.dags() == ["bad", "good"]

    run(test)


def test_listeners_hear_of_import_errors(project: Project, airflow_home: Path) -> None:
    async def test() -> None:
        project.save("../plugins/mine.py", _PLUGIN)
        project.save("wrong.py", "# airflow dag\n1 / 0\n")
        async with project.processing():
            await project.error("wrong.py")
            project.save("wrong.py", "# airflow dag\nint('a')\n")
            await project.sink.until(lambda: "ValueError" in (project.error_of("wrong.py") or ""))
        heard = (airflow_home / "heard").read_text().splitlines()
        assert heard == [
            "new wrong.py ZeroDivisionError: division by zero",
            "existing wrong.py ValueError: invalid literal for int() with base 10: 'a'",
        ]

    run(test)
