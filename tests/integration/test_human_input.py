"""Human in the loop with all processes: a run stops for a person, and goes on when one has answered over REST."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gnomon.cli import statefile
from tests.fixtures.standalone import Standalone

_DAG = """
from datetime import datetime, timedelta
from airflow.providers.standard.operators.hitl import (
    ApprovalOperator, HITLBranchOperator, HITLEntryOperator, HITLOperator,
)
from airflow.sdk import DAG, BaseNotifier, Param, task

class Tell(BaseNotifier):
    template_fields = ("message",)

    def __init__(self, message):
        super().__init__()
        self.message = message

    def notify(self, context):
        print("told:", self.message, HITLOperator.generate_link_to_ui_from_context(
            context=context, base_url="http://ui:1"))

with DAG("ask", schedule=None, is_paused_upon_creation=False, params={"of_dag": 1}):
    form = HITLEntryOperator(
        task_id="form", subject="Fill in for {{ dag.dag_id }}", notifiers=Tell("{{ task.subject }}"),
        params={"name": Param(type="string"), "age": Param(1, type="integer", minimum=0)},
    )
    approve = ApprovalOperator(task_id="approve", subject="Sure?",
                               body="{{ ti.xcom_pull(task_ids='form')['params_input']['name'] }}",
                               assigned_users={"id": "ann", "name": "Ann"})
    branch = HITLBranchOperator(task_id="branch", subject="Where to?", options=["Left", "right"],
                                options_mapping={"Left": "left"})

    @task
    def left(): print("went left")
    @task
    def right(): ...

    late = HITLOperator(task_id="late", subject="Nobody?", options=["a", "b"], defaults="b",
                        response_timeout=timedelta(seconds=0.2))
    form >> approve >> branch >> [left(), right()]

with DAG("refuse", schedule=None, is_paused_upon_creation=False):
    soft = ApprovalOperator(task_id="soft", subject="Sure?")
    hard = ApprovalOperator(task_id="hard", subject="Sure?", fail_on_reject=True)
    wide = ApprovalOperator(task_id="wide", subject="Sure?", ignore_downstream_trigger_rules=True)

    @task
    def after(): ...
    @task(trigger_rule="all_done")
    def later(): ...
    soft >> after.override(task_id="soft_after")() >> later.override(task_id="soft_later")()
    wide >> after.override(task_id="wide_after")() >> later.override(task_id="wide_later")()
    hard >> after.override(task_id="hard_after")()
"""


@pytest.fixture
def running(airflow_home: Path) -> Iterator[Standalone]:
    with Standalone(airflow_home, {"ask.py": _DAG}, waits_for=["ask", "refuse"]) as running:
        yield running


def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return what `what` does once it is true; the API has nothing to wait on for a task instance."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def waits(running: Standalone, run: str, task_id: str) -> bool:
    row = running.get(f"{run}/taskInstances/{task_id}")
    assert row["state"] not in ("failed", "upstream_failed"), running.log_of(run, task_id)
    return bool(row["state"] == "awaiting_input")


def test_a_run_goes_on_when_somebody_answers(running: Standalone) -> None:
    run = running.trigger("ask")
    until(lambda: waits(running, run, "form"))
    detail = running.get(f"{run}/taskInstances/form/-1/hitlDetails")
    assert (detail["subject"], detail["options"], detail["response_received"]) == ("Fill in for ask", ["OK"], False)
    assert list(detail["params"]) == ["name", "age"]
    assert detail["params"]["age"]["schema"] == {"type": "integer", "minimum": 0}
    assert f"told: Fill in for ask http://ui:1{run.removeprefix('/api/v2')}".replace("dagRuns", "runs") in (
        running.log_of(run, "form")
    )

    _kill_the_scheduler(running)
    url = f"{run}/taskInstances/form/-1/hitlDetails"
    assert running.patch(url, {"chosen_options": ["Maybe"]}).status_code == 400
    assert running.patch(url, {"chosen_options": []}).status_code == 422
    answered = running.patch(url, {"chosen_options": ["OK"], "params_input": {"name": "Ann", "age": 4}})
    assert answered.status_code == 200, answered.text
    assert answered.json()["chosen_options"] == ["OK"]
    assert running.patch(url, {"chosen_options": ["OK"]}).status_code == 409

    until(lambda: waits(running, run, "approve"))
    assert running.get(f"{run}/taskInstances/approve/-1/hitlDetails")["body"] == "Ann"
    started = time.monotonic()
    running.patch(f"{run}/taskInstances/approve/-1/hitlDetails", {"chosen_options": ["Approve"]})
    until(lambda: waits(running, run, "branch"))
    assert time.monotonic() - started < 5  # one task and a half, event-driven: tens of milliseconds when idle
    open_questions = running.get("/dags/~/dagRuns/~/hitlDetails", response_received=False, state="awaiting_input")
    assert [one["task_instance"]["task_id"] for one in open_questions["hitl_details"]] == ["branch"]
    assert [
        one["subject"] for one in running.get(f"{run}/hitlDetails", subject_search="sure|fill")["hitl_details"]
    ] == ["Fill in for ask", "Sure?"]

    running.patch(f"{run}/taskInstances/branch/-1/hitlDetails", {"chosen_options": ["Left"]})
    over = running.wait(run, result=["form", "late"])
    assert over["state"] == "success"
    assert over["results"]["form"]["params_input"] == {"name": "Ann", "age": 4}
    assert over["results"]["late"]["chosen_options"] == ["b"]
    states = running.states(run)
    assert (states["left"], states["right"], states["branch"]) == ("success", "skipped", "success")
    tried = running.get(f"{run}/taskInstances/branch/-1/hitlDetails/tries/1")
    assert (tried["chosen_options"], tried["task_instance"]["try_number"]) == (["Left"], 1)


def test_a_refusal_skips_or_fails(running: Standalone) -> None:
    run = running.trigger("refuse")
    for task_id in ("soft", "hard", "wide"):
        until(lambda task_id=task_id: waits(running, run, task_id))
        running.patch(f"{run}/taskInstances/{task_id}/-1/hitlDetails", {"chosen_options": ["Reject"]})

    assert running.wait(run)["state"] == "failed"
    assert running.states(run) == {
        "soft": "success",
        "soft_after": "skipped",
        "soft_later": "success",
        "wide": "success",
        "wide_after": "skipped",
        "wide_later": "skipped",
        "hard": "failed",
        "hard_after": "upstream_failed",
    }


def _kill_the_scheduler(running: Standalone) -> None:
    """What waits for a person is in the database only; the supervisor starts another scheduler."""
    state = statefile.read()
    assert state is not None
    os.kill(state.parts["scheduler"].pid, signal.SIGKILL)
