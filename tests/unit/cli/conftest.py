"""Commands in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from gnomon.cli import main


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command of `airflow`; return (exit code, standard output, standard error)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["airflow", *arguments])
        with pytest.raises(SystemExit) as leave:
            main.airflow()
        said = capsys.readouterr()
        code = leave.value.code
        return code if isinstance(code, int) else 0, said.out, said.err

    return call
