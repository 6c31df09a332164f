"""`airflow partitions`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import application
from gnomon.cli.opening import opened, parse_date
from gnomon.cli.output import Verbose

app = application("Manage partitions of DAG runs.")


@app.callback()
def _group() -> None:
    """Manage partitions of DAG runs."""


@app.command("clear")
def clear(
    dag_id: Annotated[str, typer.Option("-d", "--dag-id", help="The id of the DAG.")],
    run_id: Annotated[str | None, typer.Option("-r", "--run-id", help="Only this run.")] = None,
    start_date: Annotated[str | None, typer.Option("-s", "--start-date", help="First partition date.")] = None,
    end_date: Annotated[str | None, typer.Option("-e", "--end-date", help="Last partition date.")] = None,
    partition_key: Annotated[str | None, typer.Option("-k", "--partition-key", help="Only runs of this key.")] = None,
    date: Annotated[str | None, typer.Option("--date", help="Both dates at once, as a~b.")] = None,
    clear_task_instances: Annotated[
        bool, typer.Option("--clear-task-instances", help="Let the tasks of the runs go again as well.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be cleared.")] = False,
    verbose: Verbose = False,
) -> None:
    """Clear the partition key and the partition date of runs."""
    from gnomon.api.clear_partitions import PartitionSelection, clear_partitions
    from gnomon.store.reads.versions import VersionCache

    start, end = _window(start_date, end_date, date)
    if sum((run_id is not None, partition_key is not None, start is not None or end is not None)) != 1:
        raise CommandError(
            "exactly one of --run-id, --partition-key, or a range of dates (--start-date/--end-date or --date) is needed",
            exit_code=2,
        )
    chosen = PartitionSelection(dag_id=dag_id, run_id=run_id, partition_key=partition_key, start=start, end=end)
    with opened() as store:
        runs, count = clear_partitions(
            store, VersionCache(), chosen, task_instances=clear_task_instances, dry_run=dry_run
        )
    if not runs:
        print(f"No matching DagRuns found for dag_id={dag_id}.")
        return
    for run in runs:
        if run.partition_key is None and run.partition_date is None:
            print(f"DagRun {run.run_id}: already cleared, skipping.")
        else:
            at = run.partition_date.isoformat() if run.partition_date else None
            print(f"DagRun {run.run_id}: partition_key={run.partition_key!r} -> None, partition_date={at} -> None")
    if clear_task_instances:
        did = "Dry run: would clear" if dry_run else "Cleared"
        print(f"{did} task instances on {len(runs)} DagRun(s) ({count} task instance(s)).")


def _window(start_date: str | None, end_date: str | None, date: str | None) -> tuple[datetime | None, datetime | None]:
    if date is not None:
        if start_date or end_date:
            raise CommandError("--date cannot be combined with --start-date / --end-date", exit_code=2)
        start_date, tilde, end_date = (part.strip() for part in date.partition("~"))
        if not (start_date and tilde and end_date):
            raise CommandError(f"--date must be in the form a~b, as 2026-01-01~2026-01-31; not {date!r}", exit_code=2)
    return window(start_date, end_date, ("--start-date", "--end-date"))


def window(first: str | None, last: str | None, options: tuple[str, str]) -> tuple[datetime | None, datetime | None]:
    """Return the ends of a range of dates given on the command line.

    Raises:
        CommandError: one is no date, or they are the wrong way round.
    """
    start = parse_date(first, options[0]) if first else None
    end = parse_date(last, options[1]) if last else None
    if start is not None and end is not None and start > end:
        raise CommandError(f"{options[0]} must be on or before {options[1]}", exit_code=2)
    return start, end
