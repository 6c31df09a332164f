"""One command per process, and `standalone`, which starts all of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.lazy import single
from gnomon.cli.output import Verbose

scheduler, worker, triggerer, dag_processor, api_server, standalone = (single() for _ in range(6))


def _run(name: str, argv: list[str]) -> None:
    from gnomon.cli.parts import run_part
    from gnomon.cli.project import activate

    activate()
    raise typer.Exit(run_part(name, argv))


@scheduler.command()
def run_scheduler(verbose: Verbose = False) -> None:
    """Start a scheduler. Several may run; one leads, the others take over when it ends."""
    _run("scheduler", [])


@triggerer.command()
def run_triggerer(
    capacity: Annotated[int | None, typer.Option("--capacity", min=1, help="Triggers at a time.")] = None,
    queues: Annotated[str | None, typer.Option("--queues", help="Only triggers of these queues.")] = None,
    verbose: Verbose = False,
) -> None:
    """Start a triggerer: it runs the triggers that deferred tasks wait for."""
    argv = ["--capacity", str(capacity)] if capacity else []
    _run("triggerer", [*argv, *(["--queues", queues] if queues else [])])


@dag_processor.command()
def run_dag_processor(verbose: Verbose = False) -> None:
    """Start a DAG processor: it watches and parses DAG files."""
    _run("dag-processor", [])


@api_server.command()
def run_api_server(
    port: Annotated[int | None, typer.Option("-p", "--port", help="Port.")] = None,
    host: Annotated[str | None, typer.Option("-H", "--host", help="Address to listen on.")] = None,
    workers: Annotated[int, typer.Option("-w", "--workers", hidden=True)] = 1,
    verbose: Verbose = False,
) -> None:
    """Start an API server."""
    from gnomon.cli.project import activate
    from gnomon.service.config import conf

    activate()
    chosen = port if port is not None else conf.getint("api", "port", fallback=8080)
    address = host or str(conf.get("api", "host", fallback="127.0.0.1"))
    _run("api-server", ["--port", str(chosen), "--host", address])


@worker.command()
def run_worker(
    name: Annotated[str, typer.Option("--name", help="What the scheduler knows it by.")] = "default",
    slots: Annotated[int | None, typer.Option("--slots", "-c", "--concurrency", help="Tasks at a time.")] = None,
    queues: Annotated[str | None, typer.Option("-q", "--queues", help="Serve only these queues.")] = None,
    verbose: Verbose = False,
) -> None:
    """Start a worker: it runs tasks, each in a process of its own. It gets no database settings."""
    from gnomon.cli.parts import worker_command
    from gnomon.cli.project import activate
    from gnomon.service.environment import for_user_code

    activate()
    only = ["--queues", queues] if queues else []
    command = worker_command(["--name", name, *only, *(["--slots", str(slots)] if slots else [])])
    os.execve(command[0], command, for_user_code(os.environ))


@standalone.command()
def run_standalone(
    port: Annotated[int | None, typer.Option("-p", "--port", help="Port of the API server.")] = None,
) -> None:
    """Start all processes in the foreground, and make the database if there is none."""
    from gnomon.cli import preflight, starter, statefile
    from gnomon.cli import project as projects
    from gnomon.cli.foreground import show
    from gnomon.service.config import conf
    from gnomon.service.home import airflow_home

    project = projects.activate()
    if project is not None:
        from gnomon.cli.dev_start import begin

        begin(project, None, None, 60.0, port, foreground=True)
        return
    if statefile.running():
        raise starter.already_running()
    preflight.check_settings()
    preflight.check_log_folder()
    for line in preflight.doubts():
        print(f"Warning: {line}", file=sys.stderr)
    home = airflow_home()
    home.mkdir(parents=True, exist_ok=True)
    wanted = port if port is not None else conf.getint("api", "port", fallback=8080)
    chosen = starter.free_port(wanted, host="127.0.0.1", must=port is not None)
    if chosen != wanted:
        print(f"Port {wanted} is in use, so the address is http://localhost:{chosen}", file=sys.stderr)
    started = starter.launch(
        os.environ, logs=Path(str(conf.get("logging", "base_log_folder"))) / "processes", port=chosen, bound=True
    )
    raise typer.Exit(show(started, title=str(home), port=chosen))
