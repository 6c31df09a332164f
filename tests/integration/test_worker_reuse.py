"""`isolation="reuse"`: runners that take one piece after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.wire import execution as wire
from tests.integration.worker_parts.site import Site, eventually


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A folder and a scheduler; no worker yet."""
    site = Site(tmp_path)
    yield site
    site.close()


def _run_all(site: Site, workloads: list[wire.Workload]) -> dict[wire.TryKey, wire.Outcome]:
    site.scheduler.send(*workloads)
    for workload in workloads:
        site.scheduler.proceed(workload.key)
    return {workload.key: site.scheduler.settle(workload.key) for workload in workloads}


def test_processes_are_used_again_and_each_try_has_its_own_log(site: Site) -> None:
    site.write(
        """
        import subprocess
        def work(channel):
            print("printed")
            subprocess.run(["echo", "raw"])
        """
    )
    site.start()
    site.scheduler.accept()
    workloads = [site.workload("work", map_index=n, isolation="reuse") for n in range(30)]

    outcomes = _run_all(site, workloads)

    assert {o.state for o in outcomes.values()} == {"success"}
    assert len({o.pid for o in outcomes.values()}) < len(workloads)
    for workload in workloads:
        assert sorted(site.events(workload)) == ["printed", "raw"]


def test_a_crash_fails_the_current_try_only_and_the_pool_refills(site: Site) -> None:
    site.write("import os, signal\ndef bad(channel): os.kill(os.getpid(), signal.SIGKILL)\ndef fine(channel): pass")
    site.start()
    site.scheduler.accept()
    names = ["bad" if n % 5 == 0 else "fine" for n in range(30)]
    workloads = [site.workload(name, map_index=n, isolation="reuse") for n, name in enumerate(names)]

    outcomes = _run_all(site, workloads)

    for workload in workloads:
        outcome = outcomes[workload.key]
        if workload.task_id == "bad":
            assert (outcome.state, outcome.error) == ("failed", "killed by SIGKILL (signal 9)")
        else:
            assert outcome.state == "success"


def test_a_long_task_does_not_hold_up_the_others(site: Site, tmp_path: Path) -> None:
    site.write(
        f"""
        import os, pathlib, time
        def slow(channel):
            while not pathlib.Path({str(tmp_path / "gate")!r}).exists(): time.sleep(0.01)
        def quick(channel): pass
        """
    )
    site.start()
    site.scheduler.accept()
    slow = [site.workload("slow", map_index=n, isolation="reuse") for n in range(7)]
    site.scheduler.send(*slow)
    for workload in slow:
        site.scheduler.proceed(workload.key)

    assert site.scheduler.run(site.workload("quick", isolation="reuse")).state == "success"

    (tmp_path / "gate").touch()
    for workload in slow:
        assert site.scheduler.settle(workload.key).state == "success"


def test_terminate_ends_the_try_and_its_process_takes_no_other(site: Site) -> None:
    site.write("import time\ndef slow(channel):\n    print('on')\n    time.sleep(1000)\ndef quick(channel): pass")
    site.start()
    site.scheduler.accept()
    slow = site.workload("slow", isolation="reuse")
    site.scheduler.send(slow)
    site.scheduler.proceed(slow.key)
    eventually(lambda: site.events(slow) == ["on"])

    site.scheduler.send(wire.Terminate(key=slow.key, reason="no reason"))
    ended = site.scheduler.settle(slow.key)
    quick = site.scheduler.run(site.workload("quick", isolation="reuse"))

    assert (ended.state, ended.error, quick.state) == ("failed", "terminated", "success")
    assert ended.pid != quick.pid


def test_a_refused_piece_frees_its_process(site: Site) -> None:
    site.write("def work(channel): pass")
    site.start()
    site.scheduler.accept()
    refused = [site.workload("work", isolation="reuse") for _ in range(20)]
    site.scheduler.send(*refused)
    for workload in refused:
        site.scheduler.proceed(workload.key, ok=False)

    assert site.scheduler.run(site.workload("work", isolation="reuse")).state == "success"
    assert not site.scheduler.has(wire.Outcome)
