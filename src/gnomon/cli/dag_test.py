"""`airflow dags test`: one run, here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.arguments import Bundles, DagId, compile_regex, json_object
from gnomon.cli.dag_graphs import give
from gnomon.cli.opening import parse_date
from gnomon.cli.output import Verbose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gnomon.store.records import TaskInstance
    from gnomon.wire.dag import SerializedDag


def try_dag(
    dag_id: DagId,
    logical_date: Annotated[str | None, typer.Argument(help="The logical date; now, unless given.")] = None,
    conf: Annotated[str | None, typer.Option("-c", "--conf", help="The run's conf, as JSON.")] = None,
    dagfile: Annotated[str | None, typer.Option("-f", "--dagfile-path", help="The DAG's file.")] = None,
    mark_success: Annotated[
        str | None, typer.Option("--mark-success-pattern", help="Do not run tasks that match; they succeed.")
    ] = None,
    show_dagrun: Annotated[
        bool, typer.Option("--show-dagrun", help="At the end, print the tasks with their states, in DOT.")
    ] = False,
    save_dagrun: Annotated[
        str | None, typer.Option("--save-dagrun", help="Write that to a .dot file, or a picture.")
    ] = None,
    imgcat_dagrun: Annotated[
        bool, typer.Option("--imgcat-dagrun", help="Show that as a picture in the terminal, with imgcat.")
    ] = False,
    bundle_name: Bundles = None,
    use_executor: Annotated[bool, typer.Option("--use-executor", hidden=True)] = False,
    verbose: Verbose = False,
) -> None:
    """Run a DAG once, here and now, with a private database; variables and connections are those of this one."""
    from gnomon.cli.run import run_once

    pattern = compile_regex(mark_success, "--mark-success-pattern") if mark_success else None

    def mark(dag: SerializedDag) -> None:
        for task in dag.tasks:
            if pattern is not None and pattern.search(task.task_id):
                task.inline = True  # succeeds without a process, as an EmptyOperator does

    def draw(dag: SerializedDag, instances: Iterable[TaskInstance]) -> None:
        from gnomon.cli.dot import as_dot

        text = as_dot(dag, {ti.task_id: ti.state for ti in instances})
        if save_dagrun is not None:
            give(text, save_dagrun, option="--save-dagrun")
        if imgcat_dagrun:
            give(text, imgcat=True, option="--imgcat-dagrun")
        if show_dagrun:
            give(text)

    moment = parse_date(logical_date, "logical_date") if logical_date else None
    given = json_object(conf, "-c/--conf") if conf else {}
    raise typer.Exit(run_once(dag_id, file=dagfile, conf=given, logical_date=moment, shape=mark, at_end=draw))
