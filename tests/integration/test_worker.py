"""The worker's processes, all real, against a scheduler that a test drives step by step."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.wire import execution as wire
from tests.integration.worker_parts.site import Site, alive, eventually


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A folder and a scheduler; no worker yet."""
    site = Site(tmp_path)
    yield site
    site.close()


def test_a_task_succeeds_and_its_log_has_prints_logging_and_raw_output(site: Site) -> None:
    site.write(
        """
        import logging, subprocess, sys
        def work(channel):
            print("printed")
            print("half", end="")
            logging.getLogger("mine").warning("logged %s", 1)
            print("complained", file=sys.stderr)
            subprocess.run(["echo", "from a subprocess"], check=True)
        """
    )
    site.start()
    hello = site.scheduler.accept()
    workload = site.workload("work")

    outcome = site.scheduler.run(workload)

    assert (outcome.state, hello.slots, hello.held) == ("success", 8, [])
    eventually(lambda: len(site.log(workload)) == 5)
    found = {(e["event"], e["level"], e["logger"]) for e in site.log(workload)}
    assert found == {
        ("printed", "info", "task.stdout"),
        ("half", "info", "task.stdout"),
        ("logged 1", "warning", "mine"),
        ("complained", "error", "task.stderr"),
        ("from a subprocess", "info", "task.stdout"),
    }


def test_user_code_waits_until_the_scheduler_lets_it_proceed(site: Site, tmp_path: Path) -> None:
    site.write(f"def work(channel): open({str(tmp_path / 'ran')!r}, 'w')")
    site.start()
    site.scheduler.accept()
    refused, wanted = site.workload("work"), site.workload("work")
    site.scheduler.send(refused)
    site.scheduler.proceed(refused.key, ok=False)

    site.scheduler.send(wanted)
    site.scheduler.take(wire.TryStarting, wanted.key)
    assert not (tmp_path / "ran").exists()
    site.scheduler.send(wire.Proceed(key=wanted.key, ok=True))

    assert site.scheduler.settle(wanted.key).state == "success"
    assert not site.scheduler.has(wire.Outcome)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL (signal 9)"),
        ("ctypes.string_at(0)", "killed by SIGSEGV (signal 11)"),
        ("os._exit(3)", "exited with status 3 before it reported"),
        ("os._exit(0)", "exited with status 0 before it reported"),
    ],
)
def test_a_process_that_ends_without_a_report_fails_its_try_only(site: Site, body: str, error: str) -> None:
    site.write(f"import ctypes, os, signal\ndef work(channel): {body}\ndef fine(channel): pass")
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")

    outcome = site.scheduler.run(workload)

    assert (outcome.state, outcome.error, outcome.retryable) == ("failed", error, True)
    assert any(error in event for event in site.events(workload))
    assert site.scheduler.run(site.workload("fine")).state == "success"


def test_the_answer_to_a_request_reaches_the_task_that_asked(site: Site) -> None:
    site.write(
        """
        from gnomon.wire import execution as wire
        def work(channel):
            print(channel.ask(wire.GetVariable("a")).value)
            print(channel.ask(wire.GetVariable("b")).value)
        """
    )
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.send(workload)
    site.scheduler.proceed(workload.key)

    for _ in range(2):
        asked = site.scheduler.take(wire.Forward, workload.key)
        assert type(asked.body) is wire.GetVariable
        found = wire.VariableFound(asked.body.key, asked.body.key.upper())
        site.scheduler.send(wire.Answer(n=asked.n, key=asked.key, body=found))

    assert site.scheduler.settle(workload.key).state == "success"
    assert site.events(workload) == ["A", "B"]


def test_a_secret_is_hidden_in_logs_prints_and_the_output_of_subprocesses(site: Site) -> None:
    site.write(
        """
        import logging, subprocess
        from gnomon.service.masking import masker
        def work(channel):
            masker.add("geheim-123")
            print("p geheim-123")
            logging.error("l geheim-123")
            subprocess.run(["echo", "s geheim-123"])
        """
    )
    site.start()
    site.scheduler.accept()
    for _ in range(5):
        workload = site.workload("work", map_index=3)
        assert site.scheduler.run(workload).state == "success"
    eventually(lambda: len(site.log(workload)) == 15)
    assert {"p ***", "l ***", "s ***"} == set(site.events(workload))


def test_terminate_calls_on_kill_and_the_group_gets_the_signal(site: Site, tmp_path: Path) -> None:
    site.write(
        f"""
        import pathlib, subprocess, time
        def work(channel):
            child = subprocess.Popen(["sleep", "1000"])
            pathlib.Path({str(tmp_path)!r}, "child").write_text(str(child.pid))
            print("sleeping")
            time.sleep(1000)
        def on_kill(): print("on_kill was called")
        """
    )
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.send(workload)
    site.scheduler.proceed(workload.key)
    eventually(lambda: site.events(workload) == ["sleeping"])

    site.scheduler.send(wire.Terminate(key=workload.key, reason="somebody cleared it"))

    assert site.scheduler.settle(workload.key).error == "terminated"
    assert "on_kill was called" in site.events(workload)
    child = int((tmp_path / "child").read_text())
    eventually(lambda: not alive(child))


def test_a_task_that_ignores_sigterm_is_killed_when_patience_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME", "0.2")
    site.write(
        """
        import signal, time
        def work(channel):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("deaf")
            time.sleep(1000)
        """
    )
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.send(workload)
    site.scheduler.proceed(workload.key)
    eventually(lambda: site.events(workload) == ["deaf"])

    site.scheduler.send(wire.Terminate(key=workload.key, reason="it was marked failed"))

    error = site.scheduler.settle(workload.key).error
    assert error == "killed by SIGKILL (signal 9), after it was told to end: it was marked failed"


def test_a_workload_that_comes_twice_runs_once(site: Site) -> None:
    site.write("def work(channel): print('once')")
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.send(workload, workload)
    site.scheduler.proceed(workload.key)
    assert site.scheduler.take(wire.Outcome, workload.key).state == "success"
    site.scheduler.send(workload, wire.Settled(keys=[workload.key]))

    assert site.scheduler.run(site.workload("work", map_index=1)).state == "success"
    assert site.events(workload) == ["once"]


def test_a_result_is_said_again_to_the_next_scheduler_until_it_is_settled(site: Site, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    site.write(f"def work(channel): print(open({str(tmp_path / 'gate')!r}).read())")
    site.start()
    first = site.scheduler.accept()
    running, waiting = site.workload("work"), site.workload("work", map_index=1)
    site.scheduler.send(running, waiting)
    site.scheduler.proceed(running.key)
    site.scheduler.take(wire.TryStarting, waiting.key)
    site.scheduler.hang_up()
    (tmp_path / "gate").write_text("opened")

    second = site.scheduler.accept()
    assert second.incarnation == first.incarnation
    assert set(second.held) == {running.key, waiting.key}
    site.scheduler.take(wire.TryStarting, waiting.key)
    assert site.scheduler.take(wire.Outcome, running.key).state == "success"
    site.scheduler.hang_up()

    site.scheduler.accept()
    assert site.scheduler.settle(running.key).state == "success"
    site.scheduler.hang_up()

    assert site.scheduler.accept().held == [waiting.key]
    site.scheduler.proceed(waiting.key, ok=False)


def test_a_request_that_a_scheduler_left_unanswered_is_asked_again(site: Site) -> None:
    site.write(
        """
        from gnomon.wire import execution as wire
        def work(channel): print(channel.ask(wire.GetVariable("a")).value)
        """
    )
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.send(workload)
    site.scheduler.proceed(workload.key)
    site.scheduler.take(wire.Forward)
    site.scheduler.hang_up()

    site.scheduler.accept()
    asked = site.scheduler.take(wire.Forward, workload.key)
    site.scheduler.send(wire.Answer(n=asked.n, key=asked.key, body=wire.VariableFound("a", "1")))

    assert site.scheduler.settle(workload.key).state == "success"


def test_a_file_that_cannot_be_imported_fails_the_try_and_its_log_says_why(site: Site) -> None:
    site.write("import no_such_module_anywhere")
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.send(workload)

    outcome = site.scheduler.settle(workload.key)

    assert outcome.state == "failed"
    assert "d.py cannot be imported: ModuleNotFoundError" in str(outcome.error)
    assert "no_such_module_anywhere" in site.events(workload)[0]
    site.write("def work(channel): pass")
    assert site.scheduler.run(site.workload("work")).state == "success"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV (signal 11)"),
        ("import os; os._exit(7)", "the process that imports it exited with status 7"),
        ("while True: pass", "the import took more than 0.3 s ([core] dagbag_import_timeout)"),
    ],
)
def test_a_file_whose_import_never_ends_or_ends_the_process(
    site: Site, monkeypatch: pytest.MonkeyPatch, source: str, error: str
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT", "0.3")
    site.write(source)
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.send(workload)

    assert error in str(site.scheduler.settle(workload.key).error)


def test_a_killed_worker_takes_its_tasks_along_and_a_successor_starts_when_they_are_gone(
    site: Site, tmp_path: Path
) -> None:
    site.write(
        f"""
        import os, pathlib, subprocess, time
        def work(channel):
            child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            pathlib.Path({str(tmp_path)!r}, "pids").write_text(f"{{os.getpid()}} {{child.pid}} {{os.getppid()}}\\n")
            time.sleep(1000)
        def fine(channel): pass
        """
    )
    worker = site.start()
    first = site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.send(workload)
    site.scheduler.proceed(workload.key)
    pids = tmp_path / "pids"
    eventually(lambda: pids.exists() and pids.read_text().endswith("\n"))
    task, child, template = map(int, pids.read_text().split())

    worker.kill()
    site.start()
    site.scheduler.hang_up()
    second = site.scheduler.accept()

    assert not alive(task)
    assert not alive(template)
    eventually(lambda: not alive(child))
    assert second.incarnation != first.incarnation
    assert second.held == []
    assert site.scheduler.run(site.workload("fine")).state == "success"


def test_a_killed_template_fails_its_tasks_with_the_signal_and_no_others(site: Site, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    gate = str(tmp_path / "gate")
    source = f"import os\ndef work(channel):\n    print(os.getppid())\n    open({gate!r}).read()\n"
    site.write(source)
    site.start()
    site.scheduler.accept()
    struck = site.workload("work")
    site.scheduler.send(struck)
    site.scheduler.proceed(struck.key)
    site.write(source + "# another version")
    other = site.workload("work", map_index=1)
    site.scheduler.send(other)
    site.scheduler.proceed(other.key)
    eventually(lambda: bool(site.events(struck)) and bool(site.events(other)))

    os.kill(int(site.events(struck)[0]), signal.SIGKILL)

    assert str(site.scheduler.settle(struck.key).error).startswith("killed by SIGKILL (signal 9)")
    assert any("SIGKILL" in event for event in site.events(struck))
    (tmp_path / "gate").write_text("")
    assert site.scheduler.settle(other.key).state == "success"


def test_callbacks_are_run_and_reported(site: Site, tmp_path: Path) -> None:
    site.write(f"def dag_failure(channel): open({str(tmp_path / 'called')!r}, 'w')\ndef dag_success(channel): 1 / 0")
    site.start()
    site.scheduler.accept()
    good, bad = site.callback("dag_failure"), site.callback("dag_success")
    site.scheduler.send(good, bad)

    done = {site.scheduler.take(wire.CallbackDone).id for _ in range(2)}

    assert done == {good.id, bad.id}
    assert (tmp_path / "called").exists()


def test_drain_takes_nothing_new_and_leaves_when_all_is_settled(site: Site, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    site.write(f"def work(channel): open({str(tmp_path / 'gate')!r}).read()")
    worker = site.start()
    site.scheduler.accept()
    workload, late = site.workload("work"), site.workload("work")
    site.scheduler.send(workload)
    site.scheduler.proceed(workload.key)
    site.scheduler.send(wire.Drain(), late)
    (tmp_path / "gate").write_text("")

    assert site.scheduler.settle(workload.key).state == "success"
    assert worker.wait(20) == 0
    assert not site.scheduler.has(wire.TryStarting)


def test_a_refused_worker_ends_with_the_reason(site: Site) -> None:
    worker = site.start()
    site.scheduler.accept(welcome=False)
    site.scheduler.send(wire.Refused(reason="another protocol version"))
    assert worker.wait(20) == 1


def test_user_code_does_not_get_the_secrets_of_the_control_side(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "very-secret")
    site.write("import os\ndef work(channel): print('very-secret' in str(os.environ))")
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.run(workload)
    assert site.events(workload) == ["False"]


def test_a_crash_leaves_its_stack_in_the_log(site: Site) -> None:
    site.write("import ctypes\ndef work(channel): ctypes.string_at(0)")
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.run(workload)
    events = "\n".join(site.events(workload))
    assert "Fatal Python error: Segmentation fault" in events
    assert "d.py" in events


def test_a_lost_base_fails_what_ran_and_starts_anew_what_had_not_begun(site: Site, tmp_path: Path) -> None:
    site.write(
        """
        import os, time
        def work(channel):
            print(open(f"/proc/{os.getppid()}/stat").read().rpartition(")")[2].split()[1])
            time.sleep(1000)
        def waits(channel): pass
        """
    )
    site.start()
    site.scheduler.accept()
    begun, waiting = site.workload("work"), site.workload("waits")
    site.scheduler.send(begun, waiting)
    site.scheduler.proceed(begun.key)
    site.scheduler.take(wire.TryStarting, waiting.key)
    eventually(lambda: bool(site.events(begun)))

    os.kill(int(site.events(begun)[0]), signal.SIGKILL)

    assert str(site.scheduler.settle(begun.key).error).startswith("killed by SIGKILL (signal 9)")
    site.scheduler.send(wire.Proceed(key=waiting.key, ok=True))
    assert site.scheduler.settle(waiting.key).state == "success"


def test_a_killed_template_leaves_no_subprocess_of_its_tasks(site: Site) -> None:
    site.write(
        """
        import os, subprocess, time
        def work(channel):
            print(os.getppid(), subprocess.Popen(["sleep", "1000"], start_new_session=True).pid)
            time.sleep(1000)
        """
    )
    site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.send(workload)
    site.scheduler.proceed(workload.key)
    eventually(lambda: bool(site.events(workload)))
    template, subprocess = map(int, site.events(workload)[0].split())

    os.kill(template, signal.SIGKILL)

    site.scheduler.settle(workload.key)
    eventually(lambda: not alive(subprocess))


def test_the_process_that_waits_for_the_next_try_may_be_killed(site: Site) -> None:
    site.write("import os\ndef work(channel): print(os.getpid(), os.getppid())")
    site.start()
    site.scheduler.accept()
    first, second = site.workload("work"), site.workload("work", map_index=1)
    site.scheduler.run(first)
    task, template = map(int, site.events(first)[0].split())

    def spares() -> list[int]:
        children = Path(f"/proc/{template}/task/{template}/children").read_text().split()
        return [pid for pid in map(int, children) if pid != task and alive(pid)]

    eventually(lambda: len(spares()) == 1)
    for pid in spares():
        os.kill(pid, signal.SIGKILL)

    assert site.scheduler.run(second).state == "success"
    assert site.scheduler.run(site.workload("work", map_index=2)).state == "success"


def test_each_try_has_a_process_and_random_numbers_of_its_own(site: Site) -> None:
    site.write("import os, random\ndef work(channel): print(os.getpid(), os.getsid(0) == os.getpid(), random.random())")
    site.start()
    site.scheduler.accept()
    seen = set()
    for n in range(6):
        workload = site.workload("work", map_index=n)
        assert site.scheduler.run(workload).state == "success"
        pid, leads, number = site.events(workload)[0].split()
        assert leads == "True"
        seen |= {pid, number}
    assert len(seen) == 12


def test_a_log_that_cannot_be_written_fails_the_try_with_a_sentence(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path / "file"))
    site.write("def work(channel): pass")
    site.start()
    site.scheduler.accept()
    outcome = site.scheduler.run(site.workload("work"))
    assert outcome.state == "failed"
    assert "attempt=1.log cannot be written: Not a directory" in str(outcome.error)


def test_a_worker_that_is_interrupted_ends_its_tasks_even_if_no_scheduler_hears(site: Site) -> None:
    site.write(
        "import time\ndef work(channel):\n    print('on')\n    time.sleep(1000)\ndef on_kill(): print('on_kill')"
    )
    worker = site.start()
    site.scheduler.accept()
    workload = site.workload("work")
    site.scheduler.send(workload)
    site.scheduler.proceed(workload.key)
    eventually(lambda: site.events(workload) == ["on"])
    site.scheduler.close()

    worker.send_signal(signal.SIGINT)

    assert worker.wait(20) == 0
    assert "on_kill" in site.events(workload)
