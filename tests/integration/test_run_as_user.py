"""`run_as_user`: a task is another user of the machine, or is told clearly that it cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.worker_parts.site import Site

_DAG = """
import os, subprocess
from airflow.sdk import DAG, task
with DAG("d", schedule=None):
    @task(run_as_user="nobody")
    def who():
        child = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
        print("somebody")
        return [os.getuid(), os.geteuid(), child, os.environ["USER"]]
    @task(run_as_user="nobody_of_that_name")
    def stranger(): return 1
    who(), stranger()
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, usercode="gnomon.worker.usercode")
    site.write(_DAG)
    site.start()
    site.scheduler.accept()
    yield site
    site.close()


def test_a_worker_of_root_lets_tasks_be_other_users(site: Site) -> None:
    outcome = site.scheduler.run(site.workload("who", max_tries=3))
    if os.geteuid() != 0:  # the other half of the rule
        assert (outcome.state, outcome.retryable) == ("failed", False)
        assert "only root may become another user" in str(outcome.error)
        return
    import pwd

    nobody = pwd.getpwnam("nobody")
    assert outcome.state == "success", outcome.error
    assert outcome.xcoms[0].value.decode() == f'[{nobody.pw_uid},{nobody.pw_uid},"nobody","nobody"]'
    assert "somebody" in site.events(site.workload("who"))


def test_a_user_who_is_not_there_fails_the_task_for_good(site: Site) -> None:
    outcome = site.scheduler.run(site.workload("stranger", max_tries=3))
    assert (outcome.state, outcome.retryable) == ("failed", False)
    assert "nobody_of_that_name" in str(outcome.error)
