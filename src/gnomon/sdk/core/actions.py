"""What commands of provider packages use: the DAG they are about, files of daemons, tables on the terminal."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console

from gnomon.sdk.configuration import conf
from gnomon.sdk.exceptions import AirflowException
from gnomon.service.home import airflow_home


def action_cli(func: Callable[..., Any] | None = None, check_db: bool = True) -> Callable[..., Any]:
    """Decorate a command. Airflow writes an audit event of it; here the commands of Gnomon do that themselves."""
    if func is None:
        return functools.partial(action_cli, check_db=check_db)

    @functools.wraps(func)
    def command(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return command


def suppress_logs_and_warning(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command whose output is read by programs: it logs and warns of nothing."""

    @functools.wraps(f)
    def command(*args: Any, **kwargs: Any) -> Any:
        if getattr(args[0] if args else None, "verbose", False):
            return f(*args, **kwargs)
        import logging
        import warnings

        before = logging.root.manager.disable
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
            try:
                return f(*args, **kwargs)
            finally:
                logging.disable(before)

    return command


def get_bagged_dag(bundle_names: Sequence[str] | None, dag_id: str, dagfile_path: str | None = None) -> Any:
    """Return a DAG of the DAG files.

    Raises:
        AirflowException: no file defines it.
    """
    from importlib import import_module

    # The loader is above this package; a command is run by somebody who has it.
    bag = import_module("gnomon.parsing.dagbag").DagBag(dagfile_path or conf.get("core", "dags_folder"))
    dag = bag.dags.get(dag_id)
    if dag is None:
        raise AirflowException(f"Dag {dag_id!r} could not be found; either it does not exist or it failed to parse")
    return dag


def get_dag(subdir: Any, dag_id: str, from_db: bool = False) -> Any:
    """Return a DAG of the DAG files; the call of Airflow 2."""
    return get_bagged_dag(None, dag_id, subdir if isinstance(subdir, str) else None)


def get_dags(bundle_names: Any, dag_id: str, use_regex: bool = False, from_db: bool = False) -> list[Any]:
    """Return the DAGs whose id is, or matches, `dag_id`."""
    if not use_regex:
        return [get_bagged_dag(None, dag_id)]
    import re
    from importlib import import_module

    bag = import_module("gnomon.parsing.dagbag").DagBag(conf.get("core", "dags_folder"))
    found = [dag for name, dag in bag.dags.items() if re.search(dag_id, name)]
    if not found:
        raise AirflowException(f"no DAG has an id that matches {dag_id!r}")
    return found


def process_subdir(subdir: str | None) -> str | None:
    """Return the path that `--subdir` names, with DAGS_FOLDER replaced."""
    folder = conf.get("core", "dags_folder")
    return os.path.expanduser(subdir.replace("DAGS_FOLDER", folder)) if subdir else subdir


# ------------------------------------------------------------------------------------------------------ daemons


def setup_locations(
    process: str, pid: str | None = None, stdout: str | None = None, stderr: str | None = None, log: str | None = None
) -> tuple[str, str, str, str]:
    """Return the paths of (PID file, stdout, stderr, log) of a daemon; in AIRFLOW_HOME unless given."""
    home = airflow_home()
    endings = ("pid", "out", "err", "log")
    paths = [
        os.path.abspath(given) if given else str(home / f"airflow-{process}.{ending}")
        for given, ending in zip((pid, stdout, stderr, log), endings, strict=True)
    ]
    return paths[0], paths[1], paths[2], paths[3]


def run_command_with_daemon_option(
    *,
    args: Any,
    process_name: str,
    callback: Callable[[], Any],
    should_setup_logging: bool = False,
    umask: str | None = None,
    pid_file: str | None = None,
) -> None:
    """Run a command here, or as a daemon if `--daemon` was given (which needs the package python-daemon)."""
    if not args.daemon:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, sigint_handler)
        signal.signal(signal.SIGQUIT, sigquit_handler)
        callback()
        return
    from importlib import import_module

    daemon = import_module("daemon")
    lock = import_module("daemon.pidfile").TimeoutPIDLockFile
    from gnomon.sdk.core.processes import check_if_pidfile_process_is_running

    pid, stdout, stderr, _ = setup_locations(
        process_name, pid_file or args.pid, args.stdout, args.stderr, args.log_file
    )
    check_if_pidfile_process_is_running(pid, process_name)
    mask = umask or conf.get("core", "daemon_umask", fallback=None) or "0o077"
    with (
        open(stdout, "w", encoding="utf-8") as out,
        open(stderr, "w", encoding="utf-8") as err,
        daemon.DaemonContext(pidfile=lock(pid, -1), stdout=out, stderr=err, umask=int(mask, 8)),
    ):
        callback()


def sigint_handler(sig: int, frame: Any) -> None:
    """Exit."""
    sys.exit(0)


def sigquit_handler(sig: int, frame: Any) -> None:
    """Print where every thread is."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, stack in sys._current_frames().items():
        print(f"# Thread: {names.get(ident, '')}({ident})", *traceback.format_stack(stack), sep="\n", file=sys.stderr)  # noqa: T201


# ------------------------------------------------------------------------------------------------------- tables


def is_tty() -> bool:
    """Tell whether the output is a terminal."""
    return sys.stdout.isatty()


def is_terminal_support_colors() -> bool:
    """Tell whether the terminal shows colours."""
    return is_tty() and "NO_COLOR" not in os.environ and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


class AirflowConsole(Console):
    """A terminal that prints rows of data as table, JSON, YAML or plain columns."""

    def __init__(self, show_header: bool = True, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_tty():
            self.width = 200
        self.show_header = show_header

    def print_as_json(self, data: Any) -> None:
        """Print JSON."""
        self.out(json.dumps(data), highlight=False)

    def print_as_yaml(self, data: Any) -> None:
        """Print YAML."""
        import yaml

        self.out(yaml.safe_dump(data, sort_keys=False), highlight=False)

    def print_as_table(self, data: list[dict[str, Any]]) -> None:
        """Print a table."""
        if not data:
            self.print("No data found")
            return
        from rich.box import ASCII_DOUBLE_HEAD
        from rich.table import Table

        table = Table(*data[0], box=ASCII_DOUBLE_HEAD, show_edge=False, show_header=self.show_header)
        for row in data:
            table.add_row(*map(str, row.values()))
        self.print(table)

    def print_as_plain_table(self, data: list[dict[str, Any]]) -> None:
        """Print columns with spaces between."""
        if not data:
            self.print("No data found")
            return
        rows = [list(data[0]), *([str(value) for value in row.values()] for row in data)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.out("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def print_as(self, data: Sequence[Any], output: str, mapper: Callable[[Any], dict[str, Any]] | None = None) -> None:
        """Print rows in the format called `output`; `mapper` makes a dict of what is none."""
        printers: dict[str, Callable[[Any], None]] = {
            "json": self.print_as_json,
            "yaml": self.print_as_yaml,
            "table": self.print_as_table,
            "plain": self.print_as_plain_table,
        }
        if output not in printers:
            raise ValueError(f"Unknown formatter: {output}. Allowed options: {list(printers)}")
        rows = [mapper(row) if mapper else row for row in data]
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("rows that are no dicts need a `mapper`")
        printers[output]([{key: _shown(value, output) for key, value in row.items()} for row in rows])


def _shown(value: Any, output: str) -> Any:
    if isinstance(value, (tuple, list)):
        parts = [_shown(one, output) for one in value]
        return ",".join(map(str, parts)) if output == "table" else parts
    if isinstance(value, dict) and output != "table":
        return {key: _shown(one, output) for key, one in value.items()}
    if isinstance(value, type):
        return value.__name__
    return None if value is None else str(value)
