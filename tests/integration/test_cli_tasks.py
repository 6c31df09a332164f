"""`airflow tasks render`, `tasks test` and `tasks failed-deps`: one task, beside a run that is there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gnomon.cli.errors import CommandError
from gnomon.cli.programs import airflow_group
from gnomon.service import clock
from gnomon.store import engine, tables
from gnomon.store.engine import Store
from gnomon.store.records import Run
from gnomon.wire.dag import ExpandInput, SerializedDag, SerializedTask, TimetableSpec, XComLength
from gnomon.wire.execution import XComEntry
from tests.fixtures.api_data import add_dag

Airflow = Callable[..., tuple[int, str, str]]
DAY = datetime(2026, 1, 5, tzinfo=UTC)
FILE = """
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

with DAG("pot", schedule=None, params={"who": "me"}):
    BashOperator(task_id="say", bash_command="echo {{ ds }} {{ run_id }} {{ params.who }}", env={"A": "{{ var.value.a }}"})
    BashOperator(task_id="bad", bash_command="{{ nothing.there }}", on_failure_callback=lambda context: open("CALLED", "w"))
    BashOperator.partial(task_id="each").expand(bash_command=["echo one {{ ds }}", "echo two {{ ds }}"])

    @task
    def numbers():
        return [5, 6, 7]

    @task
    def square(x):
        print("the square of", x, "is", x * x)
        return x * x

    square.expand(x=numbers())
"""


@pytest.fixture
def airflow(airflow_home: Path) -> Airflow:
    """Run `airflow` in a process of its own, for one starts others."""
    (airflow_home / "dags").mkdir()
    (airflow_home / "dags/pot.py").write_text(FILE)
    program = "import sys; sys.argv[0] = 'airflow'; from gnomon.cli.main import airflow; airflow()"

    def call(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=airflow_home,
            env=dict(os.environ),
        )
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.fixture
def store(airflow_home: Path) -> Iterator[Store]:
    engine.migrate()
    with engine.open_store() as store:
        yield store


def add_run(store: Store, *, state: str = "running", **states: str | None) -> Run:
    """Make a run of a DAG `pot` in which `square` waits for `numbers`; the keywords are states of task instances."""
    square = SerializedTask(
        task_id="square",
        upstream=["numbers"],
        expand=ExpandInput(kind="expand", inputs={"x": XComLength(task_id="numbers")}),
    )
    tasks = [
        SerializedTask(task_id="numbers"),
        square,
        SerializedTask(task_id="last", upstream=["numbers"], pool="kettle"),
    ]
    add_dag(store, SerializedDag(dag_id="pot", tasks=tasks, timetable=TimetableSpec(kind="null"), max_active_tasks=1))
    now = clock.now()
    run = store.runs.create("pot", "r1", now=now, run_after=now, logical_date=DAY, conf={"who": "you"})
    with store.database.write() as conn:
        made = {"state": state, "expanded": bool(states)}
        conn.execute(tables.dag_run.update().where(tables.dag_run.c.id == run.id).values(**made))
        for number, (task_id, ti_state) in enumerate(states.items(), 1):
            row = {"id": number, "dag_run_id": run.id, "task_id": task_id, "state": ti_state}
            conn.execute(tables.task_instance.insert().values(**row))
    return run


def test_templates_are_rendered_as_for_a_run_that_is_there(airflow: Airflow, store: Store) -> None:
    store.variables.set("a", "of a variable")
    add_run(store, numbers=None)
    code, said, error = airflow("tasks", "render", "pot", "say", "r1")
    assert (code, error) == (0, "")
    lines = [line for line in said.splitlines() if not line.startswith("# ---")]
    assert lines == [
        "# property: bash_command",
        "echo 2026-01-05 r1 you",
        "# property: env",
        "{'A': 'of a variable'}",
        "# property: cwd",
        "None",
    ]


def test_templates_that_cannot_be_rendered_say_why_and_call_nobody(airflow: Airflow, airflow_home: Path) -> None:
    code, said, error = airflow("tasks", "render", "pot", "bad", "2026-01-05")
    assert (code, said) == (1, "")
    assert error.startswith("Error: the templates of task bad cannot be rendered: ")
    assert "'nothing' is undefined" in error
    assert not (airflow_home / "CALLED").exists()


def test_one_instance_of_a_mapped_task_by_itself(airflow: Airflow) -> None:
    code, said, _ = airflow("tasks", "test", "pot", "each", "2026-01-05", "--map-index", "1")
    assert (code, "two 2026-01-05" in said, "one 2026-01-05" in said) == (0, True, False)
    for index, why in ((("--map-index", "2"), "there is 0 to 1"), ((), "say which of its instances")):
        code, _, error = airflow("tasks", "test", "pot", "each", "2026-01-05", *index)
        assert code == 2
        assert error.rstrip().endswith(why)


def test_a_mapped_task_sees_what_a_run_has_pushed(airflow: Airflow, store: Store) -> None:
    code, _, error = airflow("tasks", "test", "pot", "square", "2026-01-05", "--map-index", "1")
    assert code == 1
    assert error.startswith("Error: task square expands over what numbers returned, and no run is given")
    run = add_run(store, numbers="success")
    store.xcoms.put("pot", run.run_id, "numbers", XComEntry("return_value", b"[5,6,7]", 3), clock.now(), -1)
    code, said, _ = airflow("tasks", "test", "pot", "square", "r1", "--map-index", "1")
    assert (code, "the square of 6 is 36" in said, "of 5" in said) == (0, True, False)
    assert store.xcoms.list("pot", "r1", "square", 1) == []
    code, _, error = airflow("tasks", "test", "pot", "square", "r1", "--map-index", "3")
    assert (code, error.rstrip().endswith("there is 0 to 2")) == (2, True)


@pytest.fixture
def unmet(store: Store, capsys: pytest.CaptureFixture[str]) -> Callable[[str], dict[str, str]]:
    def ask(task_id: str) -> dict[str, str]:
        arguments = ["tasks", "failed-deps", "pot", task_id, "r1"]
        airflow_group.main(arguments, prog_name="airflow", standalone_mode=False)
        first, *lines = capsys.readouterr().out.splitlines()
        assert first == ("Task instance dependencies not met:" if lines else "Task instance dependencies are all met.")
        return dict(line.split(": ", 1) for line in lines)

    return ask


def test_why_a_task_does_not_run(unmet: Callable[[str], dict[str, str]], store: Store) -> None:
    add_run(store, numbers="running", square=None, last=None)
    assert unmet("square") == {
        "Trigger Rule": "Task's trigger rule 'all_success' waits for numbers.",
        "Task Instance Slots Available": "1 tasks of the run are busy, and max_active_tasks is 1.",
    }
    assert unmet("numbers") == {"Task Instance Not Running": "The task is running."}
    assert unmet("last")["Pool Slots Available"] == "There is no pool 'kettle'."
    with store.database.write() as conn:
        at = clock.now() + timedelta(hours=1)
        ti = tables.task_instance
        conn.execute(ti.update().where(ti.c.task_id == "numbers").values(state="up_for_retry", wake_at=at))
    assert unmet("numbers") == {"Not In Retry Period": f"The next try begins at {at.isoformat()}."}
    with store.database.write() as conn:
        conn.execute(ti.update().where(ti.c.task_id == "numbers").values(state="failed"))
    store.pools.set("kettle", 1)
    store.dags.set_paused("pot", True)
    assert unmet("last") == {
        "Dag Not Paused": "Dag 'pot' is paused.",
        "Trigger Rule": "Task's trigger rule 'all_success' is not met: of 1 upstream, 1 failed.",
    }


def test_why_a_run_has_not_begun(unmet: Callable[[str], dict[str, str]], store: Store) -> None:
    add_run(store, state="queued")
    assert unmet("last") == {"Dagrun Running": "The run is queued, not running."}
    with pytest.raises(CommandError, match="DAG pot has no task 'lst'; did you mean last"):
        unmet("lst")
