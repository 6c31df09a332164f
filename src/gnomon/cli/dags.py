"""`airflow dags`."""

from __future__ import annotations

import getpass
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli import dag_files, dag_graphs, dag_test, output
from gnomon.cli.arguments import Bundles, DagId, DateOrRun, Yes, confirmed, json_object
from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.lazy import application
from gnomon.cli.opening import dag_of, find_run, opened, parse_date, run_of
from gnomon.cli.output import Format, Output, Verbose
from gnomon.cli.replaced import ANYTHING, instead
from gnomon.service import clock

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.store.records import Run

app = application("List, trigger, pause, test and inspect DAGs and their runs.")

#: What `dags list` shows when --columns does not say: Airflow shows all its columns, which no terminal can hold.
_SHOWN = ("dag_id", "fileloc", "owners", "is_paused", "bundle_name", "bundle_version")


class RunState(StrEnum):
    """What `--state` of a run may be."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


# ---------------------------------------------------------------------------------------------------- looking


@app.command("list")
def list_dags(
    output_format: Output = Format.TABLE,
    columns: Annotated[str | None, typer.Option("--columns", help="Columns to show, separated by commas.")] = None,
    bundle_name: Bundles = None,
    local: Annotated[bool, typer.Option("-l", "--local", help="Parse the files now instead.")] = False,
    verbose: Verbose = False,
) -> None:
    """List all DAGs."""
    if local:
        from gnomon.cli.local_files import list_local

        list_local(output_format)
        return
    with opened() as store:
        found = _all_dags(store)
        errors = store.dags.import_errors()
    if bundle_name:
        found = [row for row in found if row["bundle_name"] in bundle_name]
    if errors:
        output.note("Failed to load all files. For details, run `airflow dags list-import-errors`")
    wanted = _columns(columns, found, output_format)
    output.rows([{name: row[name] for name in wanted} for row in found], output_format)


def _all_dags(store: Store) -> list[dict[str, Any]]:
    from gnomon.store.reads import dags as reads
    from gnomon.store.reads.listing import Query
    from gnomon.store.reads.versions import VersionCache

    with store.database.snapshot() as conn:
        return [_plain(row) for row in reads.page(conn, VersionCache(), Query(limit=1_000_000)).rows]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    row = {**row, "tags": [tag["name"] for tag in row["tags"]]}
    row.pop("version_id", None)
    return row


def _columns(asked: str | None, found: list[dict[str, Any]], output_format: Format) -> list[str]:
    known = list(found[0]) if found else list(_SHOWN)
    if asked is None:
        return known if output_format in (Format.JSON, Format.YAML) else [name for name in _SHOWN if name in known]
    wanted = [name.strip() for name in asked.split(",") if name.strip()]
    if found and (wrong := [name for name in wanted if name not in known]):
        raise CommandError(f"--columns: there is no column {wrong[0]!r}{did_you_mean(wrong[0], known)}", exit_code=2)
    return [name for name in wanted if name in known]


@app.command("details")
def details(dag_id: DagId, output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """Show everything about a DAG."""
    from gnomon.store.reads import dags as reads
    from gnomon.store.reads.versions import VersionCache

    with opened() as store:
        dag_of(store, dag_id)
        with store.database.snapshot() as conn:
            row = reads.one(conn, VersionCache(), dag_id)
    found = _plain(row or {})
    if output_format in (Format.JSON, Format.YAML):
        output.rows([found], output_format)
    else:
        output.rows([{"property_name": name, "property_value": value} for name, value in found.items()], output_format)


@app.command("list-import-errors")
def list_import_errors(
    output_format: Output = Format.TABLE,
    bundle_name: Bundles = None,
    local: Annotated[bool, typer.Option("-l", "--local", help="Parse the files now instead.")] = False,
    verbose: Verbose = False,
) -> None:
    """List the DAG files that cannot be imported; the exit code is 1 if there are any."""
    if local:
        from gnomon.cli.local_files import list_local_errors

        failed = list_local_errors(output_format)
    else:
        with opened() as store:
            found = store.dags.import_errors()
        failed = [
            {"bundle_name": bundle, "filepath": path, "error": trace}
            for bundle, path, trace in found
            if not bundle_name or bundle in bundle_name
        ]
        output.rows(failed, output_format)
    if failed:
        raise typer.Exit(1)


@app.command("list-runs")
def list_runs(
    dag_id: Annotated[str | None, typer.Argument(help="The id of the DAG.")] = None,
    old_dag_id: Annotated[str | None, typer.Option("-d", "--dag-id", hidden=True)] = None,
    state: Annotated[RunState | None, typer.Option("--state", help="Only runs in this state.")] = None,
    no_backfill: Annotated[bool, typer.Option("--no-backfill", help="Leave backfill runs out.")] = False,
    start_date: Annotated[str | None, typer.Option("-s", "--start-date", help="Logical dates from here.")] = None,
    end_date: Annotated[str | None, typer.Option("-e", "--end-date", help="Logical dates up to here.")] = None,
    output_format: Output = Format.TABLE,
    verbose: Verbose = False,
) -> None:
    """List the runs of a DAG, the newest first."""
    dag_id = dag_id or old_dag_id  # Airflow 2 has it as an option
    if dag_id is None:
        raise CommandError("airflow dags list-runs needs DAG_ID", exit_code=2)
    first = parse_date(start_date, "-s/--start-date") if start_date else None
    last = parse_date(end_date, "-e/--end-date") if end_date else None
    with opened() as store:
        dag_of(store, dag_id)
        runs = store.runs.all(dag_id, state=state.value if state else None)
    if no_backfill:
        runs = [run for run in runs if run.run_type != "backfill"]
    if first:
        runs = [run for run in runs if run.logical_date and run.logical_date >= first]
    if last:
        runs = [run for run in runs if run.logical_date and run.logical_date <= last]
    runs.sort(key=lambda run: run.run_after, reverse=True)
    output.rows([_run_row(run) for run in runs], output_format)


def _run_row(run: Run) -> dict[str, Any]:
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "state": run.state,
        "run_after": run.run_after,
        "logical_date": run.logical_date or "",
        "start_date": run.start_date or "",
        "end_date": run.end_date or "",
    }


@app.command("state")
def state(dag_id: DagId, logical_date_or_run_id: DateOrRun, verbose: Verbose = False) -> None:
    """Print the state of a run, and its conf if it has one."""
    with opened() as store:
        dag_of(store, dag_id)
        run = find_run(store, dag_id, logical_date_or_run_id)
    if run is None:
        print(None)
    else:
        conf = json.loads(run.conf or "{}")
        print(f"{run.state}, {json.dumps(conf)}" if conf else run.state)


@app.command("next-execution")
def next_execution(
    dag_id: DagId,
    count: Annotated[int, typer.Option("-n", "--num-executions", min=1, help="How many.")] = 1,
    table: Annotated[bool, typer.Option("--table", help="All dates of each, as a table.")] = False,
    field: Annotated[
        str | None, typer.Option("--field", help="logical_date, data_interval.start, data_interval.end, run_after")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Print when a DAG runs next, by logical date."""
    if table and field:
        raise CommandError("--table and --field cannot be combined", exit_code=2)
    with opened() as store:
        dag = dag_of(store, dag_id)
        latest = store.dags.latest_version(dag_id)
        if dag.is_paused:
            output.note(f"DAG {dag_id} is paused: nothing runs before it is unpaused.")
        coming = _coming(dag, latest, count)
    if not coming:
        output.note(f"DAG {dag_id} has no next run: its schedule is {dag.timetable_summary or None}.")
    names = ("logical_date", "data_interval.start", "data_interval.end", "run_after")
    if field is not None and field not in names:
        raise CommandError(f"--field: {field!r} is none of {', '.join(names)}", exit_code=2)
    if table:
        output.rows(coming, Format.TABLE)
        return
    for row in coming or [dict.fromkeys(names)]:
        moment = row[field or "logical_date"]
        print(moment.isoformat() if moment else None)


def _coming(dag: Any, latest: tuple[int, bytes] | None, count: int) -> list[dict[str, Any]]:
    if dag.next_run_after is None or latest is None:
        return []
    from gnomon.model.timetables import AnswerNeededError, Bare, DataInterval, build
    from gnomon.service import config
    from gnomon.wire.dag import decode

    timetable = build(decode(latest[1]).timetable, config.profile())
    rows = [_dates(dag.next_logical_date, dag.next_interval_start, dag.next_interval_end, dag.next_run_after)]
    interval = DataInterval(dag.next_interval_start or dag.next_run_after, dag.next_interval_end or dag.next_run_after)
    if dag.next_interval_start is None:
        interval = Bare(*interval)
    while len(rows) < count:
        try:
            coming = timetable.next_run(interval, earliest=None, latest=None, catchup=True, now=clock.now())
            runs = [] if coming is None else [coming]
        except AnswerNeededError as needed:  # only the class of a user knows what follows the next one
            from gnomon.cli.asking import following

            runs, count = following(dag, needed, interval, count - len(rows)), 0
        if not runs:
            break
        interval = runs[-1].data_interval
        rows += map(_dates_of, runs)
    return rows


def _dates_of(run: Any) -> dict[str, Any]:
    from gnomon.model.timetables import Bare

    if isinstance(run.data_interval, Bare):
        return _dates(None, None, None, run.run_after)
    return _dates(run.logical_date, run.data_interval.start, run.data_interval.end, run.run_after)


def _dates(logical: Any, start: Any, end: Any, after: Any) -> dict[str, Any]:
    return {"logical_date": logical, "data_interval.start": start, "data_interval.end": end, "run_after": after}


app.command("backfill", hidden=True, context_settings=ANYTHING)(
    instead("dags backfill is a command of Airflow 2", "airflow backfill create has taken its place")
)
app.command("show")(dag_graphs.show)
app.command("show-dependencies")(dag_graphs.show_dependencies)
app.command("report")(dag_files.report)
app.command("reserialize")(dag_files.reserialize)


@app.command("list-jobs")
def list_jobs(
    dag_id: Annotated[str | None, typer.Option("-d", "--dag-id", hidden=True)] = None,
    state: Annotated[str | None, typer.Option("--state", help="running, success or failed.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 100,
    output_format: Output = Format.TABLE,
    verbose: Verbose = False,
) -> None:
    """List the processes that the database knows of, the newest first."""
    from gnomon.store.reads import admin, listing

    with opened() as store, store.database.read() as conn:
        found = listing.fetch(conn, admin.JOBS, listing.Query(order_by=["-start_date"], limit=limit)).rows
    rows = [
        {name: row.get(name) for name in ("dag_id", "state", "job_type", "start_date", "end_date")}
        for row in found
        if state is None or row.get("state") == state
    ]
    output.rows(rows, output_format)


# --------------------------------------------------------------------------------------------------- changing


@app.command("trigger")
def trigger(
    dag_id: DagId,
    run_id: Annotated[str | None, typer.Option("-r", "--run-id", help="The run's id.")] = None,
    conf: Annotated[str | None, typer.Option("-c", "--conf", help="The run's conf, as JSON.")] = None,
    logical_date: Annotated[
        str | None, typer.Option("-l", "--logical-date", "-e", "--exec-date", help="The run's logical date.")
    ] = None,
    keep_microseconds: Annotated[
        bool, typer.Option("--no-replace-microseconds", help="Keep the microseconds of the logical date.")
    ] = False,
    output_format: Output = Format.TABLE,
    verbose: Verbose = False,
) -> None:
    """Start a run of a DAG. While the DAG is paused, the run waits."""
    from gnomon.api.triggering import TriggerRequest, trigger_run
    from gnomon.store.reads.versions import VersionCache

    given = json_object(conf, "-c/--conf") if conf else {}
    moment = parse_date(logical_date, "-l/--logical-date") if logical_date else None
    if moment is not None and not keep_microseconds:
        moment = moment.replace(microsecond=0)
    with opened() as store:
        dag = dag_of(store, dag_id)
        now = clock.now()
        request = TriggerRequest(
            dag_id=dag_id,
            now=now,
            run_id=run_id,
            logical_date=moment,
            conf=given,
            triggered_by="cli",
            user=getpass.getuser(),
            infer_from_logical_date=False,
        )
        run = trigger_run(store, VersionCache(), request)
    if dag.is_paused:
        output.note(f"DAG {dag_id} is paused: the run waits until `airflow dags unpause {dag_id}`.")
    row = {
        "conf": json.loads(run.conf),
        "dag_id": run.dag_id,
        "dag_run_id": run.run_id,
        "data_interval_start": run.data_interval_start,
        "data_interval_end": run.data_interval_end,
        "end_date": run.end_date,
        "external_trigger": "True",
        "last_scheduling_decision": run.last_scheduling_decision,
        "logical_date": run.logical_date,
        "run_type": run.run_type,
        "start_date": run.start_date,
        "state": run.state,
        "triggering_user_name": run.triggering_user_name,
    }
    output.rows([row], output_format)


@app.command("pause")
def pause(
    dag_id: DagId,
    regex: Annotated[bool, typer.Option("--treat-dag-id-as-regex", help="All DAGs whose id matches.")] = False,
    yes: Yes = False,
    output_format: Output = Format.TABLE,
    verbose: Verbose = False,
) -> None:
    """Pause a DAG: no run of it starts; running tasks go on."""
    _set_paused(dag_id, True, regex, yes, output_format)


@app.command("unpause")
def unpause(
    dag_id: DagId,
    regex: Annotated[bool, typer.Option("--treat-dag-id-as-regex", help="All DAGs whose id matches.")] = False,
    yes: Yes = False,
    output_format: Output = Format.TABLE,
    verbose: Verbose = False,
) -> None:
    """Unpause a DAG."""
    _set_paused(dag_id, False, regex, yes, output_format)


def _set_paused(dag_id: str, is_paused: bool, regex: bool, yes: bool, output_format: Format) -> None:
    import re

    with opened() as store:
        if regex:
            try:
                pattern = re.compile(dag_id)
            except re.error as error:
                raise CommandError(f"{dag_id!r} is not a regular expression: {error}", exit_code=2) from None
            matching = [dag for dag in store.dags.all() if pattern.search(dag.dag_id)]
        else:
            matching = [dag_of(store, dag_id)]
        concerned = [dag.dag_id for dag in matching if dag.is_paused != is_paused]
        if not concerned:
            print(f"No {'un' if is_paused else ''}paused DAGs were found")
            return
        verb = "pause" if is_paused else "unpause"
        if regex and not yes and not confirmed(f"{verb} {', '.join(concerned)}"):
            print("Operation cancelled by user")
            return
        for name in concerned:
            store.dags.set_paused(name, is_paused)
    # As Airflow does: the value that it had before.
    output.rows([{"dag_id": name, "is_paused": not is_paused} for name in concerned], output_format)


@app.command("delete")
def delete(dag_id: DagId, yes: Yes = False, verbose: Verbose = False) -> None:
    """Delete everything about a DAG from the database. It comes back if its file is still there."""
    with opened() as store:
        dag_of(store, dag_id)
        if not yes and not confirmed(f"delete all runs and all history of {dag_id}"):
            print("Cancelled")
            return
        count = store.dags.delete(dag_id)
    print(f"Removed {count} record(s)")


@app.command("clear")
def clear(
    dag_id: DagId,
    run_id: Annotated[str | None, typer.Option("--run-id", help="Clear this run.")] = None,
    partition_key: Annotated[str | None, typer.Option("--partition-key", help="Clear the runs of this key.")] = None,
    start: Annotated[
        str | None, typer.Option("--partition-date-start", help="Clear the runs of partitions from this date.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--partition-date-end", help="Clear the runs of partitions up to this date.")
    ] = None,
    only_failed: Annotated[bool, typer.Option("-f", "--only-failed", help="Only failed tasks.")] = False,
    only_running: Annotated[bool, typer.Option("-r", "--only-running", help="Only running tasks.")] = False,
    yes: Yes = False,
    verbose: Verbose = False,
) -> None:
    """Let the tasks of runs run again: of one run, or of all about a partition or a range of them."""
    from gnomon.store.task_instances import Selection

    if sum((run_id is not None, partition_key is not None, bool(start or end))) != 1:
        raise CommandError(
            "one of --run-id, --partition-key and --partition-date-start/--partition-date-end says what to clear",
            exit_code=2,
        )
    with opened() as store:
        runs = (
            _runs_about(store, dag_id, partition_key, start, end) if run_id is None else [run_of(store, dag_id, run_id)]
        )
        if not runs:
            print("No matching Dag runs found.")
            return
        names = [run.run_id for run in runs]
        if not yes and not confirmed(f"clear {', '.join(names)} of {dag_id}"):
            print("Cancelled, nothing was cleared.")
            return
        chosen = Selection(dag_id=dag_id, run_ids=names, only_failed=only_failed, only_running=only_running)
        cleared = store.task_instances.clear(chosen, clock.now())
    print(f"Cleared {len(cleared.task_instances)} task instance(s) across {len(names)} Dag run(s).")


def _runs_about(store: Store, dag_id: str, key: str | None, start: str | None, end: str | None) -> list[Run]:
    """Return the runs of a partition, or of a range of dates."""
    from gnomon.api.clear_partitions import PartitionSelection, select
    from gnomon.cli.partitions import window
    from gnomon.store.reads.versions import VersionCache

    dag_of(store, dag_id)
    first, last = window(start, end, ("--partition-date-start", "--partition-date-end"))
    chosen = PartitionSelection(dag_id=dag_id, partition_key=key, start=first, end=last)
    return select(store, VersionCache(), chosen)


# ----------------------------------------------------------------------------------------------------- trying


app.command("test")(dag_test.try_dag)
