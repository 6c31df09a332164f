"""Commands as provider packages describe them for `airflow`, and the argparse parser made of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

_UNSET: Any = object()


class Arg:
    """One argument: its flags, and what argparse's `add_argument` takes."""

    def __init__(
        self,
        flags: Any = _UNSET,
        help: Any = _UNSET,
        action: Any = _UNSET,
        default: Any = _UNSET,
        nargs: Any = _UNSET,
        type: Any = _UNSET,
        choices: Any = _UNSET,
        required: Any = _UNSET,
        metavar: Any = _UNSET,
        dest: Any = _UNSET,
    ) -> None:
        given = {
            "help": help, "action": action, "default": default, "nargs": nargs, "type": type, "choices": choices,
            "required": required, "metavar": metavar, "dest": dest,
        }  # fmt: skip
        self.flags = flags
        self.kwargs = {name: value for name, value in given.items() if value is not _UNSET}

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        """Add the argument; one that is shown as DIRPATH must be a directory."""
        kwargs = dict(self.kwargs)
        if kwargs.get("metavar") == "DIRPATH":
            kwargs.setdefault("type", lambda text: _directory(parser, text))
        parser.add_argument(*self.flags, **kwargs)


def _directory(parser: argparse.ArgumentParser, text: str) -> str:
    if not os.path.isdir(text):
        parser.error(f"{text!r} is not a directory")
    return text


class ActionCommand(NamedTuple):
    """A command that does something."""

    name: str
    help: str
    func: Callable[..., Any]
    args: Iterable[Arg]
    description: str | None = None
    epilog: str | None = None
    hide: bool = False


class GroupCommand(NamedTuple):
    """A command that has commands."""

    name: str
    help: str
    subcommands: Iterable[Any]
    description: str | None = None
    epilog: str | None = None


CLICommand: TypeAlias = ActionCommand | GroupCommand


class CliConflictError(Exception):
    """Two commands have one name."""


def lazy_load_command(import_path: str) -> Callable[..., Any]:
    """Return a function that imports the one at `import_path` when it is called."""

    def command(*args: Any, **kwargs: Any) -> Any:
        from gnomon.sdk.runtime.values import import_string

        return import_string(import_path)(*args, **kwargs)

    command.__name__ = import_path.rpartition(".")[2]
    return command


class DefaultHelpParser(argparse.ArgumentParser):
    """A parser that shows its whole help when something is wrong."""

    def error(self, message: str) -> Any:
        """Print the help and what is wrong, and exit."""
        self.print_help()
        self.exit(2, f"\n{self.prog} command error: {message}, see help above.\n")


class AirflowHelpFormatter(argparse.HelpFormatter):
    """Shows groups and commands in two sections."""

    def _iter_indented_subactions(self, action: argparse.Action) -> Any:
        if not isinstance(action, argparse._SubParsersAction):
            yield from super()._iter_indented_subactions(action)
            return
        groups: frozenset[str] = getattr(action, "groups", frozenset())
        self._indent()
        shown = list(action._get_subactions())
        for title, is_group in (("Groups", True), ("Commands", False)):
            chosen = [one for one in shown if (one.dest in groups) == is_group]
            if chosen:
                yield argparse.Action([], f"\n{' ':{self._current_indent}}{title}", nargs=0)
                self._indent()
                yield from chosen
                self._dedent()
        self._dedent()


def add_command(subparsers: Any, command: CLICommand) -> None:
    """Add a command, and below a group all of its commands."""
    is_group = isinstance(command, GroupCommand)
    shown = {} if getattr(command, "hide", False) else {"help": command.help}
    parser = subparsers.add_parser(
        command.name,
        description=command.description or command.help,
        epilog=command.epilog,
        formatter_class=AirflowHelpFormatter,
        **shown,
    )
    if isinstance(command, GroupCommand):
        below = parser.add_subparsers(dest="subcommand", metavar="COMMAND")
        below.required = True
        for one in sorted(command.subcommands, key=lambda one: one.name):
            add_command(below, one)
    else:
        for argument in command.args:
            argument.add_to_parser(parser)
        parser.set_defaults(func=command.func)
    if is_group:
        subparsers.groups = getattr(subparsers, "groups", frozenset()) | {command.name}


def parser_of(commands: Iterable[CLICommand]) -> argparse.ArgumentParser:
    """Return a parser with these commands.

    Raises:
        CliConflictError: two of them have one name.
    """
    parser = DefaultHelpParser(prog="airflow", formatter_class=AirflowHelpFormatter)
    subparsers = parser.add_subparsers(dest="subcommand", metavar="GROUP_OR_COMMAND")
    seen: set[str] = set()
    for command in commands:
        if command.name in seen:
            raise CliConflictError(f"the command {command.name!r} is defined twice")
        seen.add(command.name)
        add_command(subparsers, command)
    return parser


# ------------------------------------------------------------------------------------------- kinds of values


def positive_int(*, allow_zero: bool) -> Callable[[Any], int]:
    """Return a type for numbers above zero, or zero too."""

    def check(value: Any) -> int:
        try:
            number = int(value)
        except ValueError:
            number = -1
        if number > 0 or (allow_zero and number == 0):
            return number
        raise argparse.ArgumentTypeError(f"invalid positive int value: {value!r}")

    return check


def string_list_type(val: str) -> list[str]:
    """Return text cut at commas."""
    return [part.strip() for part in val.split(",")]


def string_lower_type(val: str | None) -> str | None:
    """Return text in lower case."""
    return val.strip().lower() if val else None


def parsedate(value: str) -> datetime:
    """Return the moment that text names."""
    from gnomon.sdk.timezone import parse

    return parse(value)


# -------------------------------------------------------------------- arguments that providers' commands share

ARG_DAG_ID = Arg(("dag_id",), help="The DAG")
ARG_TASK_ID = Arg(("task_id",), help="The task")
ARG_RUN_ID = Arg(("run_id",), help="The DAG run")
ARG_LOGICAL_DATE = Arg(("-l", "--logical-date"), help="The logical date", type=parsedate)
ARG_EXECUTION_DATE = Arg(("execution_date",), help="The logical date", type=parsedate)
ARG_BUNDLE_NAME = Arg(("-B", "--bundle-name"), help="A DAG bundle; may be repeated", default=None, action="append")
ARG_SUBDIR = Arg(("-S", "--subdir"), help="Where the DAG file is", default=None)
ARG_OUTPUT_PATH = Arg(("-o", "--output-path"), help="Where the YAML files go", type=str, default=os.curdir)
ARG_PID = Arg(("--pid",), help="The PID file", nargs="?")
ARG_DAEMON = Arg(("-D", "--daemon"), help="Run in the background", action="store_true")
ARG_STDERR = Arg(("--stderr",), help="Where stderr goes")
ARG_STDOUT = Arg(("--stdout",), help="Where stdout goes")
ARG_LOG_FILE = Arg(("-l", "--log-file"), help="Where the log goes")
ARG_SKIP_SERVE_LOGS = Arg(("-s", "--skip-serve-logs"), default=False, help="Do not serve logs", action="store_true")
ARG_VERBOSE = Arg(("-v", "--verbose"), help="Say more", action="store_true")
ARG_YES = Arg(("-y", "--yes"), help="Do not ask", action="store_true", default=False)
ARG_OUTPUT = Arg(
    ("-o", "--output"),
    help="The format: table, json, yaml or plain",
    metavar="(table, json, yaml, plain)",
    choices=("table", "json", "yaml", "plain"),
    default="table",
)
