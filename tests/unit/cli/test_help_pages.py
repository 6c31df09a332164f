"""Help pages of all commands, their examples, and what is said about options that do not fit."""

from __future__ import annotations

import shlex
import sys

import pytest
import typer

from gnomon.cli import main, programs
from gnomon.cli.examples import EXAMPLES
from gnomon.cli.help_page import first_sentence
from gnomon.cli.lazy import LazyGroup, load

#: Commands that hand all their options to another program.
_WITHOUT_PAGE = {"dev run"}


def commands(group, path=(), parent=None):
    """Yield the words, the command and the context of each command below a group."""
    context = typer.Context(group, info_name=path[-1] if path else "gnomon", parent=parent)
    for name in group.list_commands(context):
        lazy = isinstance(group, LazyGroup)
        command = load(name, group._table[name]) if lazy else group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name), context)
        else:
            yield (*path, name), command, context


ALL = {" ".join(words): (command, context) for words, command, context in commands(programs.gnomon_group)}


@pytest.fixture
def call(monkeypatch, capsys):
    def _call(*arguments, program="gnomon"):
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        with pytest.raises(SystemExit) as leave:
            (main.airflow if program == "airflow" else main.main)()
        said = capsys.readouterr()
        return leave.value.code or 0, said.out, said.err

    return _call


@pytest.mark.parametrize("path", sorted(set(ALL) - _WITHOUT_PAGE))
def test_a_page_fits_the_terminal_and_explains_every_option(path, monkeypatch):
    command, parent = ALL[path]
    monkeypatch.setenv("COLUMNS", "80")
    context = command.make_context(path.split()[-1], [], parent=parent, resilient_parsing=True)
    usage, *lines = command.get_help(context).partition("\nExamples\n")[0].splitlines()
    assert usage.startswith("Usage: ")
    assert [line for line in lines if len(line) > 80] == []
    assert command.help
    for param in command.get_params(context):
        assert param.help or getattr(param, "hidden", False), f"{param.opts} is not explained"


@pytest.mark.parametrize(("path", "example"), [(path, line) for path, lines in EXAMPLES.items() for line in lines])
def test_an_example_is_understood(path, example):
    program, *words = shlex.split(example)
    assert " ".join(words).startswith(path)
    group = programs.airflow_group if program == "airflow" else programs.gnomon_group
    context = typer.Context(group, info_name=program)
    name, command, rest = group.resolve_command(context, words)
    while hasattr(command, "list_commands"):
        context = typer.Context(command, info_name=name, parent=context)
        name, command, rest = command.resolve_command(context, rest)
    command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("path", ["dev init", "dev start", "run", "dags trigger", "connections add", "env install"])
def test_the_commands_of_every_day_have_examples(path, call):
    code, out, err = call(*path.split(), "--help")
    assert (code, err) == (0, "")
    assert "\nExamples\n  " in out
    assert "<" not in out.partition("\nExamples")[0]


def test_a_long_name_of_an_option_gets_a_line_of_its_own(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    out = call("run", "-h")[1]
    assert out.startswith("Usage: gnomon run [OPTIONS] DAG_ID\n\nRun a DAG once and show its tasks")
    assert "\n  --logical-date, --execution-date LOGICAL_DATE\n      " in out


def test_a_group_without_a_command_shows_its_commands_as_an_error(call):
    code, out, err = call("variables", program="airflow")
    assert (code, out) == (2, "")
    assert "airflow variables COMMAND" in err
    assert "  get " in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("dev init --nmae x", "gnomon dev init has no option '--nmae'; did you mean --name?"),
        ("dags --out", "gnomon dags has no option '--out'"),
        ("run", "gnomon run needs DAG_ID"),
        ("dags trigger", "gnomon dags trigger needs DAG_ID"),
        ("dev start --port abc", "-p/--port: "),
        ("dags list -o xml", "-o/--output: 'xml' is not one of 'table', 'json', 'yaml', 'plain'"),
        ("dev stop now", "gnomon dev stop: got unexpected extra argument"),
        ("dev logs --lines -1", "-n/--lines: input should be greater than or equal to 0"),
        ("dev start --docker", "--docker: projects run as processes of this machine"),
        ("dags list-runs d -s 2026-01-01T00:00+25:00", "-s/--start-date: '2026-01-01T00:00+25:00' is not a date"),
        ("variables gte", "gnomon variables has no command 'gte'; did you mean get"),
        ("dev run dags trigger", "airflow dags trigger needs DAG_ID"),
    ],
)
def test_options_that_do_not_fit_are_told_in_one_sentence(call, arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dags").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    code, out, err = call(*arguments.split())
    first, *others = [line for line in err.splitlines() if not line.startswith("Running: ")]
    assert (code, out) == (2, "")
    assert first.startswith(f"Error: {said}")
    assert all("--help" in line for line in others)


def test_the_first_sentence_of_a_text():
    assert first_sentence("Read a.py and stop. Then go on.\n\nMore.") == "Read a.py and stop"
    assert first_sentence("Start … here") == "Start … here"
