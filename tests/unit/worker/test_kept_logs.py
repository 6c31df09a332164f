"""Logs that are kept elsewhere: copied at the end of a try, read back by a question."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gnomon.parsing.inspection import QUESTIONS
from gnomon.sdk import remote_logging
from gnomon.sdk.core import remote_logs
from gnomon.sdk.exceptions import AirflowException
from gnomon.service import task_logs
from gnomon.wire import execution as wire
from gnomon.worker import kept_logs

_SETTINGS = """
import logging, pathlib

LOGGING_CONFIG = {"version": 1}

class Folder:
    processors = ()
    def __init__(self, folder): self.folder = pathlib.Path(folder)
    def upload(self, path, ti):
        if ti.task_id == "raises":
            raise OSError("the disk is full")
        if ti.task_id == "complains":
            logging.getLogger("store").warning("only half of %s", path)
        there = self.folder / f"{ti.dag_id}-{ti.run_id}-{ti.task_id}-{ti.map_index}-{ti.try_number}"
        there.write_bytes((pathlib.Path(BASE) / path).read_bytes())
    def read(self, relative_path, ti):
        there = self.folder / f"{ti.dag_id}-{ti.run_id}-{ti.task_id}-{ti.map_index}-{ti.try_number}"
        return ([str(there)], [there.read_text()]) if there.is_file() else ([], None)
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    base = task_logs.base_folder()
    text = f"{_SETTINGS}\nBASE = {base!r}\nREMOTE_TASK_LOG = Folder({str(folder)!r})\n"
    (tmp_path / "our_logging.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_LOGGING", "True")
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS", "our_logging.LOGGING_CONFIG")
    _forget()
    yield folder
    _forget()
    sys.modules.pop("our_logging", None)


def _forget() -> None:
    remote_logging.store.cache_clear()
    remote_logs._ActiveLoggingConfig.logging_config_loaded = False


def _launch(task_id: str) -> wire.Launch:
    run = wire.RunInfo(id=1, dag_id="d", run_id="r", run_type="manual", run_after=0, logical_date=0)
    path = Path(task_logs.try_log_path("d", "r", task_id, -1, 2))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"event":"first"}\nraw\n')
    workload = wire.Workload(
        key=wire.TryKey(1, 1),
        task_id=task_id,
        try_number=2,
        max_tries=3,
        file=wire.FileRef("", "", "", ""),
        run=msgspec.Raw(wire.encode(run)),
    )
    return wire.Launch(workload=workload, log_path=str(path))


def _about(task_id: str) -> dict[str, Any]:
    return {"dag_id": "d", "run_id": "r", "task_id": task_id, "map_index": -1, "try_number": 2}


def test_a_log_is_copied_and_read_back(elsewhere: Path) -> None:
    launch = _launch("t")
    kept_logs.keep(launch)
    assert (elsewhere / "d-r-t--1-2").read_text() == '{"event":"first"}\nraw\n'

    found = QUESTIONS["read-log"]({"path": launch.log_path, "ti": _about("t"), "connection": None})
    assert found == {"sources": [str(elsewhere / "d-r-t--1-2")], "logs": ['{"event":"first"}\nraw\n']}
    none = QUESTIONS["read-log"]({"path": launch.log_path, "ti": _about("other"), "connection": None})
    assert none == {"sources": [], "logs": []}


@pytest.mark.parametrize(
    ("task_id", "said"),
    [("raises", "OSError: the disk is full"), ("complains", "only half of dag_id=d/run_id=r/task_id=complains")],
)
def test_what_goes_wrong_is_in_the_local_log(elsewhere: Path, task_id: str, said: str) -> None:
    launch = _launch(task_id)
    kept_logs.keep(launch)
    last = task_logs.read_all(launch.log_path)[-1]
    assert last["level"] == "error"
    assert last["event"].startswith(f"This log cannot be kept elsewhere: {said}")


def test_settings_that_name_no_store(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS")
    with pytest.raises(AirflowException, match="remote_base_log_folder is not set"):
        remote_logging.store()
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER", "moon://logs")
    with pytest.raises(AirflowException, match="no installed provider keeps logs at moon://"):
        remote_logging.store()
