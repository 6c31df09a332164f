"""The commands of the programs `gnomon` (also called `astro`) and `airflow`."""

from __future__ import annotations

import os
import sys

from gnomon.cli.errors import explain
from gnomon.cli.lazy import CONTEXT, Lazy, LazyGroup

_PROJECT, _PROCESSES, _OTHER = "Project", "Processes", "Administration"

#: Commands of `airflow`, one module per group.
AIRFLOW: dict[str, Lazy] = {
    "dags": Lazy("gnomon.cli.dags:app", "List, trigger, pause, test and inspect DAGs and their runs"),
    "tasks": Lazy("gnomon.cli.tasks:app", "List, test, clear and inspect tasks"),
    "backfill": Lazy("gnomon.cli.backfill:app", "Run a DAG for past dates"),
    "assets": Lazy("gnomon.cli.assets:app", "List, show and materialize assets"),
    "partitions": Lazy("gnomon.cli.partitions:app", "Take partitions away from DAG runs"),
    "variables": Lazy("gnomon.cli.variables:app", "Manage variables"),
    "connections": Lazy("gnomon.cli.connections:app", "Manage connections"),
    "pools": Lazy("gnomon.cli.pools:app", "Manage pools"),
    "providers": Lazy("gnomon.cli.providers:app", "Show the provider packages that are installed"),
    "plugins": Lazy("gnomon.cli.plugins:app", "List the plugins that are loaded"),
    "config": Lazy("gnomon.cli.configuration:app", "Show settings and where they come from"),
    "db": Lazy("gnomon.cli.database:app", "Migrate, check and reset the database"),
    "jobs": Lazy("gnomon.cli.jobs:app", "Check the processes by their heartbeats"),
    "state-store": Lazy("gnomon.cli.state_store:app", "Look after what tasks keep"),
    "scheduler": Lazy("gnomon.cli.services:scheduler", "Start a scheduler", _PROCESSES),
    "worker": Lazy("gnomon.cli.services:worker", "Start a worker: it runs tasks", _PROCESSES),
    "triggerer": Lazy("gnomon.cli.services:triggerer", "Start a triggerer: it watches for deferred tasks", _PROCESSES),
    "dag-processor": Lazy("gnomon.cli.services:dag_processor", "Start a DAG processor: it reads DAG files", _PROCESSES),
    "api-server": Lazy("gnomon.cli.services:api_server", "Start an API server", _PROCESSES),
    "standalone": Lazy("gnomon.cli.services:standalone", "Start all processes, in the foreground", _PROCESSES),
    "version": Lazy("gnomon.cli.info:version", "Show the version"),
    "cheat-sheet": Lazy("gnomon.cli.cheat_sheet:command", "List all commands of airflow"),
    "info": Lazy("gnomon.cli.info:info", "Show paths, versions and settings of this installation"),
    "rotate-fernet-key": Lazy("gnomon.cli.database:rotate", "Encrypt all secrets with the first Fernet key"),
    # What Airflow has, or had, and is not there: each says so, and what is there in its place.
    **{
        name: Lazy(f"gnomon.cli.replaced:{name.replace('-', '_')}", "Not there: it says what is", hidden=True)
        for name in ("teams", "webserver", "kerberos", "db-manager", "users", "roles", "sync-perm")
    },
}

#: Commands of `gnomon`, which is also called `astro`.
GNOMON: dict[str, Lazy] = {
    "dev": Lazy("gnomon.cli.dev:app", "Work on a project: init, start, stop, parse, pytest, run …", _PROJECT),
    "env": Lazy("gnomon.cli.env:app", "Install provider packages without Apache Airflow", _PROJECT),
    "run": Lazy("gnomon.cli.run:command", "Run one DAG now, here, and show its tasks as they go", _PROJECT),
    "airflow": Lazy("gnomon.cli.programs:airflow_group", "Airflow's own commands: dags, tasks, variables …", _PROJECT),
    **{
        name: AIRFLOW[name]
        for name in ("standalone", "scheduler", "worker", "triggerer", "dag-processor", "api-server")
    },
    "db": AIRFLOW["db"]._replace(panel=_OTHER),
    "version": AIRFLOW["version"]._replace(panel=_OTHER),
}

#: What somebody may type at the other program, and mean.
_DEV = {"dev": GNOMON["dev"], "run": GNOMON["run"], "airflow": GNOMON["airflow"]}


def _group(name: str, about: str, table: dict[str, Lazy], fallback: dict[str, Lazy]) -> LazyGroup:
    return LazyGroup(
        name=name, help=about, table=table, fallback=fallback, no_args_is_help=True, context_settings=dict(CONTEXT)
    )


airflow_group = _group("airflow", "Airflow's commands, answered by Gnomon.", AIRFLOW, _DEV)
gnomon_group = _group(
    "gnomon",
    "Gnomon runs Airflow projects, unchanged. Start with: gnomon dev init && gnomon dev start",
    GNOMON,
    AIRFLOW,
)


def run(program: str, arguments: list[str]) -> None:
    """Run a command of a program (`gnomon`, `astro` or `airflow`), and end with its exit code."""
    group = airflow_group if program == "airflow" else gnomon_group
    if arguments in (["--version"], ["-V"]):
        arguments = ["version"]
    sys.exit(call(group, program, arguments))


def call(group: LazyGroup, program: str, arguments: list[str]) -> int:
    """Run a command, say what is wrong in one sentence, and return the exit code."""
    try:
        # Typer would frame what it has to say about options.
        code = group.main(args=arguments, prog_name=program, standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has left, as `head` does; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except Exception as error:
        return explain(error)
    return code if isinstance(code, int) else 0
