"""`airflow jobs`."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import application
from gnomon.cli.opening import opened
from gnomon.cli.output import Verbose
from gnomon.service import clock

app = application("Check the processes.")


@app.callback()
def _group() -> None:
    """Check the processes by their heartbeats."""


@app.command("check")
def check(
    job_type: Annotated[str | None, typer.Option("--job-type", help="SchedulerJob, TriggererJob …")] = None,
    hostname: Annotated[str | None, typer.Option("--hostname", help="Only on the host of this name.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Only on this host.")] = False,
    limit: Annotated[int, typer.Option("--limit", help="Look at so many; 0 for all.")] = 1,
    allow_multiple: Annotated[bool, typer.Option("--allow-multiple", help="Several may be alive.")] = False,
    verbose: Verbose = False,
) -> None:
    """Say whether a process is alive; the exit code is 1 if none is."""
    if allow_multiple and limit == 1:
        raise CommandError("--allow-multiple needs a --limit other than 1", exit_code=2)
    host = socket.gethostname() if local else hostname
    with opened() as store:
        alive = store.jobs.alive(clock.now(), job_type=job_type)
    found = [job for job in alive if host is None or job.hostname == host]
    found = found[:limit] if limit else found
    if not found:
        raise CommandError("No alive jobs found.")
    if len(found) > 1 and not allow_multiple:
        raise CommandError(f"{len(found)} jobs are alive; --allow-multiple accepts that")
    print("Found one alive job." if len(found) == 1 else f"Found {len(found)} alive jobs.")
