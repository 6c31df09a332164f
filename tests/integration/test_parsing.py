"""The dag-processor with real parser processes: what changes is recorded, and a bad file harms nobody else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gnomon.wire import execution as wire
from tests.fixtures.loops import run_within
from tests.integration.parsing_parts import Project, dag_text

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def project(airflow_home: Path, database_url: str) -> Iterator[Project]:
    made = Project(airflow_home, database_url)
    yield made
    made.store.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    run_within(60, test())  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------ changes


def test_a_saved_file_is_recorded_and_a_changed_one_again(project: Project) -> None:
    async def test() -> None:
        project.save_dag("first.py", "one")
        async with project.processing():
            assert project.dags() == ["one"]
            project.save_dag("sub/second.py", "two")
            await project.sink.until(lambda: project.dags() == ["one", "two"])
            project.save("first.py", dag_text("one") + dag_text("three"))
            await project.sink.until(lambda: project.dags() == ["one", "three", "two"])
            (project.folder / "first.py").write_text(dag_text("four"))  # in place, not renamed
            await project.sink.until(lambda: project.dags() == ["four", "two"])

    run(test)


def test_files_and_folders_that_vanish_come_back_or_are_renamed(project: Project) -> None:
    async def test() -> None:
        project.save_dag("a.py", "a")
        project.save_dag("team/b.py", "b")
        async with project.processing():
            (project.folder / "a.py").unlink()
            await project.sink.until(lambda: project.dags() == ["b"])
            (project.folder / "team").rename(project.folder / "group")
            await project.sink.until(
                lambda: (dag := project.store.dags.get("b")) and dag.relative_fileloc == "group/b.py"
            )
            assert project.dags() == ["b"]
            shutil.rmtree(project.folder / "group")
            await project.sink.until(lambda: project.dags() == [])
            project.save_dag("group/deep/c.py", "c")
            await project.sink.until(lambda: project.dags() == ["c"])

    run(test)


def test_the_bundle_folder_itself_may_come_later_and_go(project: Project) -> None:
    async def test() -> None:
        project.folder.rmdir()
        async with project.processing():
            project.save_dag("a.py", "a")
            await project.sink.until(lambda: project.dags() == ["a"])
            shutil.rmtree(project.folder)
            await project.sink.until(lambda: project.dags() == [])
            project.save_dag("b.py", "b")
            await project.sink.until(lambda: project.dags() == ["b"])

    run(test)


def test_an_imported_module_parses_again_those_that_import_it(project: Project) -> None:
    async def test() -> None:
        project.save("include/names.py", "NAME = 'old'\n")
        project.save(
            "uses.py",
            "# airflow\nfrom include.names import NAME\nfrom gnomon.sdk.dag import DAG\n"
            "dag = DAG(NAME, schedule=None)\n",
        )
        project.save_dag("other.py", "other")
        async with project.processing():
            assert project.dags() == ["old", "other"]
            project.sink.parses.clear()
            project.save("include/names.py", "NAME = 'new'\n")
            await project.sink.until(lambda: project.dags() == ["new", "other"])
            assert project.sink.parses == ["uses.py"]

    run(test)


def test_a_data_file_and_a_listed_folder_count_as_well(project: Project) -> None:
    async def test() -> None:
        project.save("configs/one.txt", "x")
        project.save(
            "factory.py",
            """
            # airflow
            from pathlib import Path
            from gnomon.sdk.dag import DAG

            for path in sorted((Path(__file__).parent / "configs").iterdir()):
                if path.suffix == ".txt":
                    globals()[path.stem] = DAG(f"{path.stem}_{path.read_text()}", schedule=None)
            """,
        )
        async with project.processing():
            assert project.dags() == ["one_x"]
            project.save("configs/one.txt", "y")
            await project.sink.until(lambda: project.dags() == ["one_y"])
            project.save("configs/two.txt", "z")
            await project.sink.until(lambda: project.dags() == ["one_y", "two_z"])

    run(test)


def test_a_new_file_is_found_in_a_folder_that_another_has_listed(project: Project) -> None:
    async def test() -> None:
        lists_its_folder = "# airflow\nimport os\nNAMES = os.listdir(os.path.dirname(__file__))\n"
        project.save("lister.py", lists_its_folder + dag_text("lister"))
        async with project.processing():
            assert project.dags() == ["lister"]
            project.save("other.py", dag_text("other"))
            await project.sink.until(lambda: project.dags() == ["lister", "other"])

    run(test)


def test_a_missing_module_that_appears_may_be_a_dag_file_too(project: Project) -> None:
    async def test() -> None:
        project.save("uses.py", "# airflow\nimport later\n" + dag_text("uses"))
        async with project.processing():
            assert "No module named 'later'" in await project.error("uses.py")
            project.save("later.py", dag_text("later"))
            await project.sink.until(lambda: project.dags() == ["later", "uses"])

    run(test)


def test_looking_for_installed_packages_is_no_dependency_on_the_folder(project: Project) -> None:
    async def test() -> None:
        searches = "# airflow\nfrom importlib.metadata import distributions\nFOUND = list(distributions())\n"
        project.save("searches.py", searches + dag_text("searches"))
        async with project.processing():
            [file] = project.store.dags.files()
            assert json.loads(file.modules or "[]") == []

    run(test)


def test_a_file_behind_a_link_is_watched(project: Project, tmp_path: Path) -> None:
    async def test() -> None:
        target = tmp_path / "elsewhere" / "real.py"
        target.parent.mkdir()
        target.write_text(dag_text("a"))
        (project.folder / "linked.py").symlink_to(target)
        async with project.processing():
            assert project.dags() == ["a"]
            target.write_text(dag_text("b"))
            await project.sink.until(lambda: project.dags() == ["b"])

    run(test)


def test_ignore_files_are_obeyed_when_they_change(project: Project) -> None:
    async def test() -> None:
        project.save_dag("keep.py", "keep")
        project.save_dag("leave.py", "leave")
        async with project.processing():
            project.save(".airflowignore", "leave.py\n")
            await project.sink.until(lambda: project.dags() == ["keep"])
            (project.folder / ".airflowignore").unlink()
            await project.sink.until(lambda: project.dags() == ["keep", "leave"])

    run(test)


def test_a_bad_line_of_an_ignore_file_is_an_import_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX", "regexp")

    async def test() -> None:
        project.save(".airflowignore", "fine\n(\n")
        async with project.processing():
            assert ".airflowignore:2: '(' is not a regular expression" in (project.error_of(".airflowignore") or "")
            project.save(".airflowignore", "fine\n")
            await project.sink.until(lambda: project.error_of(".airflowignore") is None)

    run(test)


def test_a_zip_archive_is_parsed(project: Project) -> None:
    async def test() -> None:
        async with project.processing():
            with zipfile.ZipFile(project.folder / "pack.zip", "w") as archive:
                archive.writestr("inner.py", dag_text("zipped"))
            await project.sink.until(lambda: project.dags() == ["zipped"])

    run(test)


def test_touching_a_file_parses_nothing_and_a_request_does(project: Project) -> None:
    async def test() -> None:
        path = project.save_dag("a.py", "a")
        async with project.processing() as processor:
            project.sink.parses.clear()
            os.utime(path)
            path.write_text(path.read_text())
            project.save_dag("b.py", "b")
            await project.sink.until(lambda: project.dags() == ["a", "b"])
            assert project.sink.parses == ["b.py"]
            assert processor.reparse("dags-folder", "a.py")
            await project.sink.until(lambda: project.sink.parses == ["b.py", "a.py"])
            assert not processor.reparse("dags-folder", "nowhere.py")

    run(test)


# ------------------------------------------------------------------------------------------------------ restarts


def test_unchanged_files_are_not_parsed_after_a_restart(project: Project) -> None:
    async def test() -> None:
        project.save("helper.py", "X = 1\n")
        project.save_dag("a.py", "a", before="import helper")
        project.save_dag("b.py", "b")
        project.save("broken.py", "# airflow dag\n1 / 0\n")
        project.save_dag("gone.py", "gone")
        async with project.processing():
            assert project.dags() == ["a", "b", "gone"]
        project.sink.parses.clear()
        project.save("helper.py", "X = 2\n")
        (project.folder / "gone.py").unlink()
        async with project.processing():
            await project.sink.until(lambda: project.dags() == ["a", "b"])
            # one whose module changed, and one that failed: what it was missing may be there now
            assert sorted(project.sink.parses) == ["a.py", "broken.py"]

    run(test)


def test_a_changed_setting_parses_all_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        project.save_dag("a.py", "a")
        async with project.processing():
            pass
        project.sink.parses.clear()
        monkeypatch.setenv("AIRFLOW__SCHEDULER__CATCHUP_BY_DEFAULT", "True")
        async with project.processing():
            assert project.sink.parses == ["a.py"]

    run(test)


def test_a_killed_parser_is_replaced(project: Project) -> None:
    async def test() -> None:
        project.save_dag("a.py", "a")
        async with project.processing() as processor:
            first = processor.parser_pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            project.save_dag("b.py", "b")
            await project.sink.until(lambda: project.dags() == ["a", "b"])
            assert processor.parser_pid not in (None, first)

    run(test)


def test_a_file_that_kills_the_parser_is_found_out(project: Project) -> None:
    async def test() -> None:
        project.save_dag("good.py", "good")
        project.save("killer.py", "# airflow dag\nimport os\nos.kill(os.getppid(), 9)\n")
        project.save_dag("fine.py", "fine")
        async with project.processing():
            assert project.dags() == ["fine", "good"]
            assert "was killed 3 times while it parsed this file" in await project.error("killer.py")
            assert len(project.sink.import_errors()) == 1

    run(test)


# ---------------------------------------------------------------------------------------------- files that go wrong


def bad_file(project: Project, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Parse a bad file among good ones, in one batch of one process; return its import error."""
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES", "1")
    told: list[str] = []

    async def test() -> None:
        for number in range(3):
            project.save_dag(f"a{number}.py", f"a{number}")
            project.save_dag(f"z{number}.py", f"z{number}")
        project.save("bad.py", "# airflow dag\n" + text)
        async with project.processing():
            assert project.dags() == ["a0", "a1", "a2", "z0", "z1", "z2"]
            assert len(project.sink.import_errors()) == 1
            told.append(await project.error("bad.py"))
            project.save_dag("bad.py", "good_now")
            await project.sink.until(lambda: project.error_of("bad.py") is None)
            assert "good_now" in project.dags()

    run(test)
    return told[0]


def test_a_syntax_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    error = bad_file(project, "x = (\n", monkeypatch)

    assert f'{project.folder}/bad.py", line 2' in error
    assert "SyntaxError" in error


def test_exit(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ended its process" in bad_file(project, "import sys\nsys.exit(1)\n", monkeypatch)


def test_a_hard_exit(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    error = bad_file(project, "import os\nos._exit(7)\n", monkeypatch)

    assert error == f"{project.folder}/bad.py: it ended the process that parsed it with exit code 7"


def test_a_crash(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "killed by SIGSEGV" in bad_file(project, "import os\nos.kill(os.getpid(), 11)\n", monkeypatch)


def test_a_hang_that_can_be_interrupted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT", "0.5")
    error = bad_file(project, "import threading\nthreading.Event().wait()\n", monkeypatch)

    assert 'bad.py", line 3' in error
    assert "after 0.5 s, the limit of [core] dagbag_import_timeout" in error


def test_a_hang_that_cannot(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT", "1")
    text = "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True:\n    pass\n"

    assert "longer than 1 s, the limit of [dag_processor] dag_file_processor_timeout" in bad_file(
        project, text, monkeypatch
    )


def test_a_fork(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    error = bad_file(project, "import os\nwhile True:\n    os.fork()\n", monkeypatch)

    assert 'bad.py", line 4' in error
    assert "must not fork" in error


def test_too_much_memory(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__PARSING_MEMORY_LIMIT", "300")
    error = bad_file(project, "x = []\nwhile True:\n    x.append(bytearray(50_000_000))\n", monkeypatch)

    assert 'bad.py", line 4' in error
    assert "300 MiB of memory, the limit of [dag_processor] parsing_memory_limit" in error


def test_noise_goes_to_a_log_and_not_into_the_protocol(project: Project, airflow_home: Path) -> None:
    async def test() -> None:
        noise = (
            "import os\nprint('hello' * 10)\nos.write(1, b'raw')\nos.write(2, bytes(range(256)) * 100)\nos.close(1)\n"
        )
        project.save_dag("noisy.py", "noisy", before=noise)
        project.save_dag("quiet.py", "quiet")
        async with project.processing():
            assert project.dags() == ["noisy", "quiet"]

    run(test)
    logs = airflow_home / "logs" / "dag_processor" / "latest" / "dags-folder"
    assert b"hellohello" in (logs / "noisy.py.log").read_bytes()
    assert not (logs / "quiet.py.log").exists()


def test_what_a_file_prints_is_kept_without_the_secrets_that_it_was_told(project: Project, airflow_home: Path) -> None:
    project.variables["api_token"] = "hunter2-hunter2"
    said = """
        import logging, os, subprocess
        from airflow.sdk import Variable
        token = Variable.get("api_token")
        print("printed", token)
        logging.getLogger("mine").warning("logged %s", token)
        subprocess.run(["sh", "-c", 'echo "echoed $T"'], env={"T": token})
        """

    async def test() -> None:
        project.save_dag("chatty.py", "chatty", before=said)
        async with project.processing():
            assert project.dags() == ["chatty"]

    run(test)
    kept = (airflow_home / "logs" / "dag_processor" / "latest" / "dags-folder" / "chatty.py.log").read_text()
    assert "printed ***" in kept
    assert "logged ***" in kept
    assert "echoed ***" in kept
    assert "hunter2" not in kept


@pytest.mark.parametrize("own_session", [False, True])
def test_programs_that_a_file_starts_do_not_outlive_it(project: Project, tmp_path: Path, *, own_session: bool) -> None:
    async def test() -> None:
        pid_file = tmp_path / "pid"
        start = f"""
            import subprocess
            with open({str(pid_file)!r}, "w") as file:
                file.write(str(subprocess.Popen(["sleep", "1000"], start_new_session={own_session}).pid))
            """
        project.save_dag("starts.py", "starts", before=start)
        async with project.processing():
            assert project.dags() == ["starts"]
        assert not psutil.pid_exists(int(pid_file.read_text()))

    run(test)


def test_what_a_file_does_to_its_process_is_undone_for_the_next(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES", "1")

    async def test() -> None:
        for name in ("a.py", "b.py"):
            check = """
                import os, sys
                assert "LEFT" not in os.environ and "/left" not in sys.path and os.getcwd() != "/usr", "seen"
                os.environ["LEFT"] = "1"; sys.path.append("/left"); os.chdir("/usr")
                """
            project.save_dag(name, name.removesuffix(".py"), before=check)
        async with project.processing():
            assert project.dags() == ["a", "b"]

    run(test)


def test_a_file_is_not_blamed_for_its_predecessor(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES", "1")

    async def test() -> None:
        # whichever is parsed first breaks a library for the other one
        for name in ("a.py", "b.py"):
            project.save_dag(name, name.removesuffix(".py"), before="import json\njson.loads('{}')\ndel json.loads")
        async with project.processing():
            assert project.dags() == ["a", "b"]
            assert project.sink.import_errors() == []

    run(test)


# ---------------------------------------------------------------------------------------- the control side, and ids


def test_variables_are_asked_for_and_the_file_looked_at_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL", "0.2")

    async def test() -> None:
        project.variables["name"] = "before"
        ask = """
            from gnomon.sdk.runtime.channel import require_channel
            from gnomon.wire.execution import GetVariable
            name = require_channel().ask(GetVariable("name")).value
            """
        text = "from gnomon.sdk.dag import DAG\ndag = DAG(name, schedule=None)\n"
        for number in range(3):  # several at once, so that replies must find those who asked
            project.variables[f"name{number}"] = f"dag{number}"
            project.save(f"asks{number}.py", "# airflow\n" + _dedent(ask).replace('"name"', f'"name{number}"') + text)
        async with project.processing():
            assert project.dags() == ["dag0", "dag1", "dag2"]
            project.variables["name1"] = "changed"
            await project.sink.until(lambda: project.dags() == ["changed", "dag0", "dag2"])
        assert {request.key for request in project.asked if isinstance(request, wire.GetVariable)} == {
            "name0",
            "name1",
            "name2",
        }

    run(test)


def _dedent(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"


def test_user_code_gets_no_secrets_of_the_control_side(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret-of-the-control-side")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:///secret-of-the-control-side")

    async def test() -> None:
        look = "import os\nassert not [v for v in os.environ.values() if 'secret-of-the' in v]"
        project.save_dag("a.py", "a", before=look)
        async with project.processing():
            assert project.sink.import_errors() == []
            assert project.dags() == ["a"]

    run(test)


def test_a_dag_id_belongs_to_one_file_until_that_gives_it_up(project: Project) -> None:
    async def test() -> None:
        project.save_dag("first.py", "same")
        async with project.processing():
            project.save_dag("second.py", "same")
            assert "already defined in first.py" in await project.error("second.py")
            (project.folder / "first.py").unlink()
            await project.sink.until(
                lambda: (dag := project.store.dags.get("same")) and dag.relative_fileloc == "second.py"
            )
            assert project.error_of("second.py") is None

    run(test)


def test_a_missing_module_that_appears_mends_the_file(project: Project) -> None:
    async def test() -> None:
        project.save(
            "uses.py", "# airflow\nimport later\nfrom gnomon.sdk.dag import DAG\ndag = DAG(later.X, schedule=None)\n"
        )
        async with project.processing():
            assert "No module named 'later'" in await project.error("uses.py")
            project.save("later.py", "X = 'mended'\n")
            await project.sink.until(lambda: project.dags() == ["mended"])
            assert project.error_of("uses.py") is None

    run(test)


def test_a_schedule_that_cannot_be_is_an_import_error(project: Project) -> None:
    async def test() -> None:
        project.save("odd.py", "# airflow\nfrom gnomon.sdk.dag import DAG\ndag = DAG('odd', schedule='61 * * * *')\n")
        async with project.processing():
            error = await project.error("odd.py")
            assert "'odd'" in error
            assert "61 * * * *" in error

    run(test)


def test_secrets_in_an_error_are_hidden(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://bob:s3cr3t-word@h/db")
    monkeypatch.setenv("AIRFLOW_VAR_API_KEY", "k3y-of-the-api")
    monkeypatch.setenv("AIRFLOW_VAR_REGION", "north-west")
    text = "import os\nraise ValueError(*(os.environ['AIRFLOW_' + n] for n in ('CONN_WAREHOUSE', 'VAR_API_KEY', 'VAR_REGION')))\n"
    error = bad_file(project, text, monkeypatch)

    assert "ValueError: ('postgres://bob:***@h/db', '***', 'north-west')" in error


def test_our_own_exceptions_go_by_their_names_and_are_told_in_the_log(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    error = bad_file(project, "from airflow.sdk import Variable\nVariable.get('nope')\n", monkeypatch)

    assert error.splitlines()[-1] == "VariableNotFound: Variable nope does not exist"
    told = [record.getMessage() for record in caplog.records if record.name == "gnomon.parsing.recorder"]
    assert told == [f"{project.folder}/bad.py: VariableNotFound: Variable nope does not exist"]
