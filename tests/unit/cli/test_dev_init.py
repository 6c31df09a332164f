"""`dev init`, in folders of all kinds."""

from __future__ import annotations

import io
import shlex
import sys

import pytest
import yaml

from gnomon.cli import main


@pytest.fixture
def init(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def _call(*arguments):
        monkeypatch.setattr(sys, "argv", ["gnomon", "dev", "init", *arguments])
        with pytest.raises(SystemExit) as leave:
            main.main()
        said = capsys.readouterr()
        return leave.value.code or 0, said.out, said.err

    return _call


def test_a_folder_may_be_called_what_a_project_may_not(init, tmp_path):
    code, out, err = init("my sales (2026)")
    assert (code, err) == (0, "")
    assert yaml.safe_load((tmp_path / "my sales (2026)/.astro/config.yaml").read_text()) == {
        "project": {"name": "my-sales-2026"}
    }
    words = shlex.split(out.splitlines()[-1])
    assert words[:3] == ["Next:", "cd", "my sales (2026)"]


def test_a_folder_with_something_in_it_is_not_written_to_without_a_question(init, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "README.md").write_text("mine too")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    code, out, err = init()
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"Error: {tmp_path} is not empty, and there is no terminal to ask on",
        "       -f/--force adds the project to it; files that are there stay as they are",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "notes.txt"]

    code, out, _ = init("--force")
    assert code == 0
    assert ", 1 were there" in out
    assert (tmp_path / "README.md").read_text() == "mine too"
