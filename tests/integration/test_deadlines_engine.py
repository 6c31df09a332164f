"""Deadlines, custom timetables and e-mails in a whole Gnomon, while its parts are killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon.cli import statefile
from tests.fixtures.smtp import MailServer, mail_server
from tests.fixtures.standalone import Standalone

_LATE = """
import os, pathlib, time
from datetime import datetime, timedelta, timezone
from airflow.sdk import (
    DAG, AsyncCallback, BaseDeadlineReference, DeadlineAlert, DeadlineReference, SyncCallback, Variable, task,
)

HOME = pathlib.Path(os.environ["AIRFLOW_HOME"])

def note(name, context):
    (HOME / name).write_text(context["dag_run"]["dag_run_id"] + " " + context["deadline"]["deadline_time"])

async def note_later(name, context):
    note(name, context)

class SecondsAgo(BaseDeadlineReference):
    required_kwargs = {"dag_id"}

    def __init__(self, seconds):
        self.seconds = seconds

    def serialize_reference(self):
        return {"reference_type": self.reference_name, "seconds": self.seconds}

    @classmethod
    def deserialize_reference(cls, data):
        return cls(data["seconds"])

    def _evaluate_with(self, *, session, **kwargs):
        assert session is None and kwargs == {"dag_id": "late"}
        return datetime.now(timezone.utc) - timedelta(seconds=self.seconds)

queued, soon = DeadlineReference.DAGRUN_QUEUED_AT, timedelta(seconds=1)
with DAG("late", schedule=None, is_paused_upon_creation=False, deadline=[
    DeadlineAlert(queued, soon, SyncCallback(note, {"name": "sync"})),
    DeadlineAlert(queued, soon, AsyncCallback(note_later, {"name": "async"})),
    DeadlineAlert(SecondsAgo(5), timedelta(seconds=6), SyncCallback(note, {"name": "custom"})),
    DeadlineAlert(queued, timedelta(hours=1), SyncCallback(note, {"name": "never"})),
]):
    @task
    def sleep():
        while not (HOME / "go").exists():
            time.sleep(0.05)
    sleep()
"""
_ODD = """
from datetime import timedelta
from airflow.sdk import DAG, task
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable

class LastTwoHours(Timetable):
    description = "Only by hand"

    def infer_manual_data_interval(self, *, run_after):
        return DataInterval(run_after - timedelta(hours=2), run_after)

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        return None

with DAG("odd", schedule=LastTwoHours(), is_paused_upon_creation=False):
    @task
    def hours(data_interval_start=None, data_interval_end=None):
        print("hours:", (data_interval_end - data_interval_start).total_seconds() / 3600)
    hours()

with DAG("asks", schedule=None, is_paused_upon_creation=False):
    TriggerDagRunOperator(task_id="go", trigger_dag_id="odd", trigger_run_id="asked", wait_for_completion=True,
                          poke_interval=1)
"""
_MAIL = """
import os, signal
from datetime import timedelta
from airflow.sdk import DAG, task

with DAG("mail", schedule=None, is_paused_upon_creation=False,
         default_args={"email": "ops@example.com", "retries": 1, "retry_delay": timedelta(0)}):
    @task
    def killed():
        os.kill(os.getpid(), signal.SIGKILL)
    killed()
"""


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def running(airflow_home: Path, mails: MailServer) -> Iterator[Standalone]:
    files = {"late.py": _LATE, "odd.py": _ODD, "mail.py": _MAIL}
    with Standalone(airflow_home, files, waits_for=["late", "odd", "asks", "mail"], settings=mails.settings()) as it:
        yield it


def kill(part: str) -> None:
    state = statefile.read()
    assert state is not None
    os.kill(state.parts[part].pid, signal.SIGKILL)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)  # what is waited for are files that callbacks write


def test_all_of_it(running: Standalone, mails: MailServer) -> None:
    late = running.trigger("late")
    for part in ("scheduler", "triggerer", "dag-processor"):  # whatever they were about to do, the next ones do
        kill(part)
    until(lambda: all((running.home / name).exists() for name in ("sync", "async", "custom")))
    assert (running.home / "sync").read_text().startswith("r1 ")

    manual = running.trigger("odd", "by_hand", logical_date="2026-03-01T12:00:00Z")
    assert running.get(manual)["data_interval_start"] == "2026-03-01T10:00:00Z"
    assert running.wait(running.trigger("asks"))["state"] == "success"
    assert "hours: 2.0" in running.log_of("/dags/odd/dagRuns/asked", "hours")
    assert running.get("/dags/odd/details")["timetable_description"] == "Only by hand"

    # Nobody is left in the process of a try that was killed: workers send the e-mails on behalf of it.
    assert running.wait(running.trigger("mail"))["state"] == "failed"
    texts = [mail.html for mail in mails.wait(2)]
    assert ["SIGKILL" in text for text in texts] == [True, True]
    # The retry may fail, and its callback run elsewhere, before the first mail is out.
    assert [any(f"try {number} of 2" in text for text in texts) for number in (1, 2)] == [True, True]

    (running.home / "go").touch()
    assert running.wait(late)["state"] == "success"
    assert not (running.home / "never").exists()
