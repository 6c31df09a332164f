from __future__ import annotations

import pytest

from gnomon.cli import envfile
from gnomon.cli.errors import CommandError


def read(tmp_path, text, environ=None):
    (tmp_path / ".env").write_text(text)
    return envfile.read(tmp_path / ".env", environ or {})


def test_the_forms_that_people_write(tmp_path):
    found = read(
        tmp_path,
        "AIRFLOW__WEBSERVER__INSTANCE__NAME = ProdEnv\n"
        "# a comment\n\n"
        "export B='single $HOME ${B}'\n"
        'C="two\\nlines" # remark\n'
        "D=a#b\nE=\nF=x # remark\n",
    )

    assert found == {
        "AIRFLOW__WEBSERVER__INSTANCE__NAME": "ProdEnv",
        "B": "single $HOME ${B}",
        "C": "two\nlines",
        "D": "a#b",
        "E": "",
        "F": "x",
    }


def test_references_take_what_is_known_or_a_default(tmp_path):
    found = read(tmp_path, "A=1\nB=${A}2\nC=${SHELL_HAS}\nD=${NOBODY:-none}\nE=${NOBODY}\n", {"SHELL_HAS": "s"})

    assert found == {"A": "1", "B": "12", "C": "s", "D": "none", "E": ""}


def test_a_bare_name_passes_on_what_the_shell_has(tmp_path):
    assert read(tmp_path, "HAVE\nHAVE_NOT\n", {"HAVE": "1"}) == {"HAVE": "1"}


def test_a_line_that_is_none_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"\.env:2: expected NAME=VALUE, got 'what is this'"):
        read(tmp_path, "A=1\nwhat is this\n")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"\.dev: no such file"):
        envfile.read(tmp_path / ".dev", {})


def test_settings_with_a_slip_of_the_pen_are_noticed():
    names = {"AIFLOW__CORE__X": "", "AIRFLOW__CORE__X": "", "ENVIRONMENT": "", "DBT__X": ""}

    assert envfile.misspelt(names) == {"AIFLOW__CORE__X": "AIRFLOW__CORE__X"}
