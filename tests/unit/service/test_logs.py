"""Lines on the console, JSON for machines, secrets in neither."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gnomon.service import logs
from gnomon.service.config import ConfigError
from gnomon.service.masking import masker


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def test_a_console_line(out):
    logs.configure("scheduler", stream=out)
    logs.get_logger("gnomon.scheduler").info("run finished", dag_id="etl", state="success", note="two words")
    assert out.getvalue() == "scheduler     | run finished dag_id=etl state=success note='two words'\n"


def test_what_needs_attention_names_its_level(out):
    logs.configure("worker", stream=out)
    logs.get_logger("w").warning("slow")
    logs.get_logger("w").error("gone", pid=5)
    logs.get_logger("w").debug("unseen")
    assert out.getvalue().splitlines() == ["worker        | warning: slow", "worker        | error: gone pid=5"]


def test_the_standard_library_logs_the_same_way(out):
    logs.configure("api-server", stream=out)
    logging.getLogger("uvicorn.error").info("listening on %s", 8080)
    logging.getLogger("httpx").info("talkative")
    logging.getLogger("httpx").warning("but not mute")
    assert out.getvalue().splitlines() == [
        "api-server    | listening on 8080",
        "api-server    | warning: but not mute",
    ]


def test_a_traceback_stands_below_its_line(out):
    logs.configure("worker", stream=out)
    try:
        raise ValueError("broken")
    except ValueError:
        logs.get_logger("w").exception("could not start")
    lines = out.getvalue().splitlines()
    assert lines[0] == "worker        | error: could not start"
    assert lines[-1] == "worker        |   ValueError: broken"
    assert all(line.startswith("worker        |") for line in lines)


def test_json_lines(out, monkeypatch):
    monkeypatch.setenv("AIRFLOW__LOGGING__JSON_LOGS", "True")
    logs.configure("triggerer", stream=out)
    logs.get_logger("gnomon.triggerer").info("fired", trigger=4)
    line = json.loads(out.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "component": "triggerer",
        "event": "fired",
        "level": "info",
        "logger": "gnomon.triggerer",
        "trigger": 4,
    }


@pytest.mark.parametrize("as_json", ["True", "False"])
def test_secrets_do_not_come_out(out, monkeypatch, as_json):
    monkeypatch.setenv("AIRFLOW__LOGGING__JSON_LOGS", as_json)
    masker.add("hunter22")
    logs.configure("worker", stream=out)
    try:
        raise ValueError("hunter22 in a traceback")
    except ValueError:
        logs.get_logger("w").exception("hunter22", url="x://u:hunter22@h", password="anything")
    logging.getLogger("lib").warning("as argument: %s", "hunter22")
    assert "hunter22" not in out.getvalue()
    assert "anything" not in out.getvalue()
    assert out.getvalue().count("***") >= 5


def test_the_level_is_a_setting(out, monkeypatch):
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "warning")
    logs.configure("worker", stream=out)
    logs.get_logger("w").info("unseen")
    assert out.getvalue() == ""
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "loud")
    with pytest.raises(ConfigError, match=r"\[logging\] logging_level: 'LOUD' is none of .*AIRFLOW__LOGGING__LOGGING"):
        logs.configure("worker", stream=out)


def test_bound_context_is_shown(out):
    logs.configure("worker", stream=out)
    structlog.contextvars.bind_contextvars(run="r1")
    logs.get_logger("w").info("going")
    assert out.getvalue() == "worker        | going run=r1\n"
