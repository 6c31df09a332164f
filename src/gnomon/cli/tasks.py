"""`airflow tasks`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli import output
from gnomon.cli.arguments import (
    Bundles,
    DagId,
    DateOrRun,
    Yes,
    check_task,
    compile_regex,
    confirmed,
    json_object,
)
from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import application
from gnomon.cli.opening import dag_of, opened, parse_date, run_of
from gnomon.cli.output import Format, Output, Verbose
from gnomon.cli.replaced import ANYTHING, instead
from gnomon.service import clock

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.store.records import Run, TaskInstance
    from gnomon.wire.dag import SerializedDag

app = application("List, test, clear and inspect tasks.")

TaskId = Annotated[str, typer.Argument(help="The id of the task.")]
MapIndex = Annotated[int, typer.Option("--map-index", help="Index of a mapped task instance.")]


def serialized(store: Store, dag_id: str) -> SerializedDag:
    """Return a DAG as it was parsed last.

    Raises:
        CommandError: there is no such DAG, or it was never parsed well.
    """
    from gnomon.wire.dag import decode

    dag_of(store, dag_id)
    latest = store.dags.latest_version(dag_id)
    if latest is None:
        raise CommandError(f"DAG {dag_id} has not been parsed yet")
    return decode(latest[1])


@app.command("list")
def list_tasks(
    dag_id: DagId,
    tree: Annotated[bool, typer.Option("-t", "--tree", help="Show what comes after what.")] = False,
    bundle_name: Bundles = None,
    verbose: Verbose = False,
) -> None:
    """List the tasks of a DAG."""
    with opened() as store:
        dag = serialized(store, dag_id)
    if not tree:
        print("\n".join(sorted(task.task_id for task in dag.tasks)))
        return
    after: dict[str, list[str]] = {task.task_id: [] for task in dag.tasks}
    for task in dag.tasks:
        for upstream in task.upstream:
            after[upstream].append(task.task_id)

    def show(task_id: str, depth: int) -> None:
        print(f"{'    ' * depth}{task_id}")
        for following in after[task_id]:
            show(following, depth + 1)

    for task in dag.tasks:
        if not task.upstream:
            show(task.task_id, 0)


@app.command("state")
def state(
    dag_id: DagId,
    task_id: TaskId,
    logical_date_or_run_id: DateOrRun,
    map_index: MapIndex = -1,
    bundle_name: Bundles = None,
    verbose: Verbose = False,
) -> None:
    """Print the state of a task instance."""
    with opened() as store:
        run = run_of(store, dag_id, logical_date_or_run_id)
        found = _instance(store, run, task_id, map_index)
    print(found.state)


def _instance(store: Store, run: Run, task_id: str, map_index: int) -> TaskInstance:
    """Return a task instance.

    Raises:
        CommandError: there is none; the message says which there are.
    """
    found = store.task_instances.get(run.dag_id, run.run_id, task_id, map_index)
    if found is not None:
        return found
    check_task(serialized(store, run.dag_id), task_id)
    indexes = [ti.map_index for ti in store.task_instances.of_run(run.id) if ti.task_id == task_id]
    raise CommandError(
        f"task {task_id} has no instance with map index {map_index} in run {run.run_id}"
        + (f"; --map-index may be {min(indexes)} to {max(indexes)}" if indexes else "")
    )


@app.command("states-for-dag-run")
def states_for_dag_run(
    dag_id: DagId, logical_date_or_run_id: DateOrRun, output_format: Output = Format.TABLE, verbose: Verbose = False
) -> None:
    """Show the states of all task instances of a run."""
    with opened() as store:
        run = run_of(store, dag_id, logical_date_or_run_id)
        found = store.task_instances.of_run(run.id)
    mapped = any(ti.map_index >= 0 for ti in found)
    rows: list[dict[str, Any]] = []
    for ti in found:
        row: dict[str, Any] = {
            "dag_id": dag_id,
            "logical_date": run.logical_date or "",
            "task_id": ti.task_id,
            "state": ti.state or "",
            "start_date": ti.start_date or "",
            "end_date": ti.end_date or "",
        }
        if mapped:
            row["map_index"] = ti.map_index if ti.map_index >= 0 else ""
        rows.append(row)
    output.rows(rows, output_format)


@app.command("clear")
def clear(
    dag_id: DagId,
    task_regex: Annotated[str | None, typer.Option("-t", "--task-regex", help="Tasks whose id matches.")] = None,
    start_date: Annotated[str | None, typer.Option("-s", "--start-date", help="Runs from this logical date.")] = None,
    end_date: Annotated[str | None, typer.Option("-e", "--end-date", help="Runs up to this logical date.")] = None,
    upstream: Annotated[bool, typer.Option("-u", "--upstream", help="And the tasks before them.")] = False,
    downstream: Annotated[bool, typer.Option("-d", "--downstream", help="And the tasks after them.")] = False,
    only_failed: Annotated[bool, typer.Option("-f", "--only-failed", help="Only failed ones.")] = False,
    only_running: Annotated[bool, typer.Option("-r", "--only-running", help="Only running ones.")] = False,
    dag_regex: Annotated[bool, typer.Option("-R", "--dag-regex", help="DAG_ID is a regular expression.")] = False,
    yes: Yes = False,
    bundle_name: Bundles = None,
    verbose: Verbose = False,
) -> None:
    """Let task instances run again, as if they never had."""
    from gnomon.store.task_instances import Selection

    first = parse_date(start_date, "-s/--start-date") if start_date else None
    last = parse_date(end_date, "-e/--end-date") if end_date else None
    with opened() as store:
        selections = []
        for name in _dags_like(store, dag_id) if dag_regex else [dag_of(store, dag_id).dag_id]:
            tasks = chosen_tasks(serialized(store, name), task_regex, upstream=upstream, downstream=downstream)
            selections.append(
                Selection(
                    dag_id=name,
                    task_ids=tasks,
                    logical_date_from=first,
                    logical_date_to=last,
                    only_failed=only_failed,
                    only_running=only_running,
                )
            )
        now = clock.now()
        found = [ti for chosen in selections for ti in store.task_instances.select(chosen)]
        if not found:
            print("Nothing to clear.")
            return
        if not yes:
            output.rows(
                [{"task_id": ti.task_id, "map_index": ti.map_index, "state": ti.state} for ti in found], Format.TABLE
            )
            if not confirmed(f"clear these {len(found)} task instances"):
                print("Cancelled, nothing was cleared.")
                return
        count = sum(len(store.task_instances.clear(chosen, now).task_instances) for chosen in selections)
    print(f"Cleared {count} task instance(s).")


def _dags_like(store: Store, pattern: str) -> list[str]:
    compiled = compile_regex(pattern, "DAG_ID")
    found = [dag.dag_id for dag in store.dags.all() if compiled.search(dag.dag_id)]
    if not found:
        raise CommandError(f"no DAG matches {pattern!r}")
    return found


def chosen_tasks(dag: SerializedDag, pattern: str | None, *, upstream: bool, downstream: bool) -> list[str] | None:
    """Return the tasks whose id matches, with what they need and the relatives asked for; None for all tasks.

    Raises:
        CommandError: no task matches.
    """
    if pattern is None:
        return None
    from gnomon.api.targets import relations
    from gnomon.model.subset import with_relatives

    compiled = compile_regex(pattern, "-t/--task-regex")
    chosen = {task.task_id for task in dag.tasks if compiled.search(task.task_id)}
    if not chosen:
        raise CommandError(f"-t/--task-regex: no task of {dag.dag_id} matches {pattern!r}")
    wanted = with_relatives(relations(dag), chosen, upstream=upstream, downstream=downstream)
    return [task.task_id for task in dag.tasks if task.task_id in wanted]


@app.command("test")
def try_task(
    dag_id: DagId,
    task_id: TaskId,
    logical_date_or_run_id: Annotated[str | None, typer.Argument(help="The logical date; now, unless given.")] = None,
    task_params: Annotated[str | None, typer.Option("-t", "--task-params", help="Params, as a JSON object.")] = None,
    env_vars: Annotated[str | None, typer.Option("--env-vars", help="Environment variables, as JSON.")] = None,
    map_index: MapIndex = -1,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", hidden=True)] = False,
    post_mortem: Annotated[bool, typer.Option("-m", "--post-mortem", hidden=True)] = False,
    bundle_name: Bundles = None,
    verbose: Verbose = False,
) -> None:
    """Run one task without its dependencies, show its log, and keep nothing of it in the database."""
    from gnomon.cli.task_test import Chosen, run_task

    params = json_object(task_params, "-t/--task-params") if task_params else {}
    environment = json_object(env_vars, "--env-vars") if env_vars else {}
    code = run_task(
        Chosen(dag_id, task_id, logical_date_or_run_id, map_index),
        params=params,
        env_vars={str(name): str(value) for name, value in environment.items()},
    )
    raise typer.Exit(code)


@app.command("render")
def render(
    dag_id: DagId,
    task_id: TaskId,
    logical_date_or_run_id: DateOrRun,
    map_index: MapIndex = -1,
    bundle_name: Bundles = None,
    verbose: Verbose = False,
) -> None:
    """Print the templated fields of a task as they are for a run, or for a logical date without one."""
    from gnomon.cli.task_test import Chosen, render_task

    render_task(Chosen(dag_id, task_id, logical_date_or_run_id, map_index))


@app.command("failed-deps")
def failed_deps(
    dag_id: DagId,
    task_id: TaskId,
    logical_date_or_run_id: DateOrRun,
    map_index: MapIndex = -1,
    bundle_name: Bundles = None,
    verbose: Verbose = False,
) -> None:
    """Say why a task instance does not run yet."""
    from gnomon.api.unmet import unmet
    from gnomon.wire.dag import decode

    with opened() as store:
        run = run_of(store, dag_id, logical_date_or_run_id)
        data = store.dags.version(run.version_id) if run.version_id is not None else None
        dag = serialized(store, dag_id) if data is None else decode(data)
        check_task(dag, task_id)
        ti = _instance(store, run, task_id, map_index) if run.state != "queued" or run.expanded else None
        found = unmet(store, dag, run, ti, clock.now())
    print("Task instance dependencies not met:" if found else "Task instance dependencies are all met.")
    for one in found:
        print(f"{one.name}: {one.reason}")


app.command("run", hidden=True, context_settings=ANYTHING)(
    instead("tasks run on workers only", "airflow tasks test tries one; airflow tasks clear lets one run again")
)
