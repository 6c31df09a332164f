from __future__ import annotations

from gnomon.store.engine import Store
from gnomon.store.records import Job

from .conftest import NOW, later


def start(store: Store, kind: str = "SchedulerJob", seconds: float = 0) -> int:
    return store.jobs.start(kind, hostname="host", pid=42, now=later(seconds), unixname="me")


def test_a_job_lives_until_it_ends(store: Store) -> None:
    number = start(store)

    assert store.jobs.heartbeat(number, later(20)) is True
    assert store.jobs.latest("SchedulerJob") == Job(
        number, "SchedulerJob", "running", "host", 42, None, "me", NOW, later(20), None
    )
    store.jobs.end(number, later(25))
    job = store.jobs.latest("SchedulerJob")
    assert job is not None
    assert (job.state, job.end_date) == ("success", later(25))
    assert store.jobs.heartbeat(number, later(30)) is False
    assert store.jobs.alive(later(25)) == []


def test_only_those_heard_of_lately_are_alive(store: Store) -> None:
    old, new = start(store, seconds=0), start(store, seconds=40)
    triggerer = start(store, "TriggererJob", 41)

    assert [job.id for job in store.jobs.alive(later(60))] == [triggerer, new]
    assert [job.id for job in store.jobs.alive(later(60), job_type="SchedulerJob")] == [new]
    assert [job.id for job in store.jobs.alive(later(60), within=60)] == [triggerer, new, old]
    assert store.jobs.latest("DagProcessorJob") is None


def test_jobs_that_were_not_heard_of_for_long_have_failed(store: Store) -> None:
    start(store)
    start(store, seconds=100)

    assert store.jobs.end_dead(later(350), within=300) == 1
    assert store.jobs.end_dead(later(350), within=300) == 0
    assert [job.start_date for job in store.jobs.alive(later(350), within=300)] == [later(100)]
