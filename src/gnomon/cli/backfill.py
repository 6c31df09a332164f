"""`airflow backfill`."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli import output
from gnomon.cli.arguments import json_object
from gnomon.cli.lazy import application
from gnomon.cli.opening import opened, parse_date
from gnomon.cli.output import Format
from gnomon.model.backfills import ReprocessBehavior
from gnomon.service import clock

if TYPE_CHECKING:
    from gnomon.api.backfilling import BackfillRequest
    from gnomon.model.schedule import RunToCreate

app = application("Manage backfills.")


@app.callback()
def _group() -> None:
    """Manage backfills."""


@app.command("create")
def create(
    dag_id: Annotated[str, typer.Option("--dag-id", help="The DAG to backfill.")],
    from_date: Annotated[
        str, typer.Option("--from-date", help="First logical date, or partition date; this one included.")
    ],
    to_date: Annotated[str, typer.Option("--to-date", help="Last logical date, or partition date; this one included.")],
    dag_run_conf: Annotated[
        str | None, typer.Option("--dag-run-conf", help="JSON object: the conf of the runs.")
    ] = None,
    run_backwards: Annotated[
        bool, typer.Option("--run-backwards", help="The latest date first; not with tasks that depend on their past.")
    ] = False,
    max_active_runs: Annotated[
        int, typer.Option("--max-active-runs", min=1, help="How many runs of this backfill go at a time.")
    ] = 10,
    reprocess_behavior: Annotated[
        ReprocessBehavior,
        typer.Option("--reprocess-behavior", help="Which runs that are over already are made to run again."),
    ] = ReprocessBehavior.NONE,
    run_on_latest_version: Annotated[
        bool | None,
        typer.Option(
            "--run-on-latest-version/--no-run-on-latest-version",
            help="Runs that are made again go on with the newest version of the DAG; unless given, as the DAG or the"
            " setting rerun_with_latest_version says, or else yes.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the runs that would be made.")] = False,
) -> None:
    """Run a DAG for the dates of a range in the past; a running scheduler does the work."""
    from gnomon.api import backfilling
    from gnomon.store.reads.versions import VersionCache

    request = backfilling.BackfillRequest(
        dag_id=dag_id,
        from_date=parse_date(from_date, "--from-date"),
        to_date=parse_date(to_date, "--to-date"),
        now=clock.now(),
        conf=None if dag_run_conf is None else json_object(dag_run_conf, "--dag-run-conf"),
        backwards=run_backwards,
        reprocess=reprocess_behavior,
        max_active_runs=max_active_runs,
        user=getpass.getuser(),
        latest_version=run_on_latest_version,
    )
    with opened() as store:
        if dry_run:
            _show(request, backfilling.dry_run(store, VersionCache(), request))
            return
        made = backfilling.create_backfill(store, VersionCache(), request)
    parts = [f"{made.created} created"] + [f"{made.cleared} cleared to run again"] * bool(made.cleared)
    if made.left:
        parts.append(f"{made.left} left as they are: those dates have runs")
    print(f"Backfill {made.backfill.id} of DAG {dag_id}: {', '.join(parts)}.")


def _show(request: BackfillRequest, runs: list[RunToCreate]) -> None:
    for name in ("dag_id", "from_date", "to_date", "max_active_runs", "backwards", "conf", "reprocess"):
        print(f"    {name} = {getattr(request, name)}")
    print("Runs that would be made:")
    rows = [
        {
            "logical_date": run.logical_date or "",
            "partition_key": run.partition.key if run.partition else "",
            "partition_date": run.partition.date if run.partition else "",
        }
        for run in runs
    ]
    output.rows(rows, Format.TABLE, empty="None")
