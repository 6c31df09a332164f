"""`gnomon run DAG_ID`: one run, here and now. No service has to be started, and nothing is left behind.

The scheduler works in this process, on a store of its own; tasks run below a worker process, as they do in production.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.lazy import single

if TYPE_CHECKING:
    from types import FrameType

    from gnomon.cli.local_files import LocalFile
    from gnomon.model.schedule import RunToCreate
    from gnomon.store.engine import Store
    from gnomon.store.records import Run, TaskInstance
    from gnomon.wire.dag import SerializedDag
    from gnomon.wire.execution import ParsedFile


class Shown(Protocol):
    """What is told how a run goes."""

    def show(self, run: Run, instances: list[TaskInstance]) -> None: ...

    def asking(self) -> contextlib.AbstractContextManager[bool]: ...


command = single()

Shape = Callable[["SerializedDag"], None]
#: A worker that was asked to end its tasks may take this long before it is killed.
_WORKER_GRACE_SECONDS = 10.0
_SLOTS_OF_MISSING_POOL = 128
#: How often it is looked whether callbacks have ended; nobody rings for that.
_CALLBACK_SECONDS = 0.02


@command.command()
def run(
    dag_id: Annotated[str, typer.Argument(help="The id of the DAG.")],
    dag_file: Annotated[
        str | None, typer.Option("-d", "--dag-file", help="The DAG's file, where several files define the DAG.")
    ] = None,
    conf: Annotated[str | None, typer.Option("-c", "--conf", help="The run's conf, as JSON.")] = None,
    logical_date: Annotated[
        str | None,
        typer.Option("--logical-date", "--execution-date", help="The run's logical date; now, unless given."),
    ] = None,
    env: Annotated[str | None, typer.Option("-e", "--env", help="Env file.", show_default=".env")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON, and nothing else.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show the logs of all tasks.")] = False,
) -> None:
    """Run a DAG once and show its tasks as they go. The exit code is 0 if the run succeeds, 1 if it fails.

    The run has a database of its own, so it neither needs nor disturbs what `dev start` runs. It sees the project's
    variables, connections and pools, and airflow_settings.yaml.
    """
    from gnomon.cli.arguments import json_object
    from gnomon.cli.opening import parse_date

    given = json_object(conf, "-c/--conf") if conf else {}
    moment = parse_date(logical_date, "--logical-date") if logical_date else None
    raise typer.Exit(
        run_once(dag_id, file=dag_file, conf=given, logical_date=moment, as_json=as_json, verbose=verbose, env=env)
    )


def run_once(
    dag_id: str,
    *,
    file: str | None = None,
    conf: dict[str, Any],
    logical_date: datetime | None = None,
    as_json: bool = False,
    verbose: bool = False,
    shape: Shape = lambda dag: None,
    env: str | None = None,
    at_end: Callable[[SerializedDag, list[TaskInstance]], None] = lambda dag, instances: None,
) -> int:
    """Run a DAG once on a private store and show it; return the exit code.

    Args:
        dag_id: the DAG.
        file: its file, if not any of the configured ones.
        conf: of the run.
        logical_date: now, unless given.
        as_json: print the outcome for programs, and nothing else.
        verbose: show the logs of all tasks.
        shape: changes the DAG before it runs.
        env: an env file.
        at_end: is shown what came of it.
    """
    from gnomon.cli.run_view import RunView

    with interruptible(), prepared(dag_id, file, shape, env) as (store, worker, dag):
        created = create_run(dag, conf, logical_date, store)
        view = RunView(created, dag, quiet=as_json)
        try:
            with view:
                finished = asyncio.run(until_over(created, store, view, worker))
        except KeyboardInterrupt:
            print("\nInterrupted: the tasks that ran are ended, and nothing of the run is kept.", file=sys.stderr)
            raise
        instances = store.task_instances.of_run(finished.id)
        if as_json:
            print(json.dumps(outcome(finished, instances), ensure_ascii=False))
        else:
            view.conclude(finished, instances, logs_of_all=verbose)
        at_end(dag, instances)
    return 0 if finished.state == "success" else 1


@contextlib.contextmanager
def prepared(
    dag_id: str, file: str | None, shape: Shape, env: str | None
) -> Iterator[tuple[Store, subprocess.Popen[bytes], SerializedDag]]:
    """Yield a private store that has the DAG, a worker, and the DAG with its schedule."""
    from gnomon.cli.private import private_store

    with private_store(env) as store, _worker() as worker:
        one, parsed = _find(dag_id, file, store)
        dag = _record(dag_id, one, parsed, store, shape)
        _make_missing_pools(dag, store)
        yield store, worker, dag


# -------------------------------------------------------------------------------------------------- preparing


@contextlib.contextmanager
def _worker() -> Iterator[subprocess.Popen[bytes]]:
    """A worker below this process. It starts while the DAG file is parsed."""
    from gnomon.cli.parts import worker_command
    from gnomon.cli.processes import die_with_parent
    from gnomon.service.environment import for_user_code

    log_path = Path(os.environ["AIRFLOW_HOME"]) / "worker.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            worker_command([]),
            env=for_user_code(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - there is one thread yet
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # ends its tasks, then itself
        try:
            process.wait(_WORKER_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does, so that nothing is left running."""

    def end(number: int, frame: FrameType | None) -> None:
        # Shells have what they start in the background ignore SIGINT.
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _find(dag_id: str, file: str | None, store: Store) -> tuple[LocalFile, ParsedFile]:
    """Parse files until one defines the DAG, those first whose text has its id.

    Raises:
        CommandError: none does; close ids are suggested, or the errors of the files that failed are shown.
    """
    from gnomon.api.execution.handlers import Handlers
    from gnomon.cli import local_files
    from gnomon.cli.events import ChangingLine

    handlers = Handlers(store)
    files = [local_files.one_file(file)] if file else local_files.configured_files()[0]
    likely = [one for one in files if dag_id in _text(one.path)]
    others = [one for one in files if one not in likely]
    seen: list[tuple[LocalFile, ParsedFile]] = []
    for batch in (likely, others):
        with ChangingLine() as progress:
            progress.draw(f"reading {len(batch)} DAG file{'s' * (len(batch) != 1)}")
            found = local_files.parse(
                batch,
                lambda request: handlers.handle(None, request),
                lambda one, parsed: dag_id in ids_of(parsed),
            )
        for one, parsed in found:
            if dag_id in ids_of(parsed):
                return one, parsed
        seen += found
    raise _not_found(dag_id, file, seen)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def ids_of(parsed: ParsedFile) -> list[str]:
    """Return the ids of the DAGs of a file."""
    return [json.loads(data)["dag_id"] for data in parsed.dags]


def _not_found(dag_id: str, file: str | None, seen: list[tuple[LocalFile, ParsedFile]]) -> CommandError:
    from gnomon.cli.dev_parse import place
    from gnomon.parsing.failures import in_short

    failed = [(one, parsed.error) for one, parsed in seen if parsed.error]
    # A file whose text has the id, and which does not import, is why the DAG is not there.
    culprits = [(one, error) for one, error in failed if file or dag_id in _text(one.path)]
    if culprits:
        one, error = culprits[0]
        details = f"\n{error.rstrip()}" if "\n" in error.rstrip() else ""
        return CommandError(f"{place(one, error)}: {in_short(error, one.path)}{details}")
    known = [name for _, parsed in seen for name in ids_of(parsed)]
    if not seen:
        from gnomon.service.config import conf

        return CommandError(f"there is no DAG file in {conf.get('core', 'dags_folder')}")
    more = did_you_mean(dag_id, known) or (f"; there is {', '.join(sorted(known)[:5])}" if known else "")
    also = f"; {len(failed)} of {len(seen)} files cannot be imported" if failed else ""
    return CommandError(
        f"there is no DAG {dag_id!r}{more}{also}", hint="gnomon dev parse shows why" if failed else None
    )


def _record(dag_id: str, file: LocalFile, parsed: ParsedFile, store: Store, shape: Shape) -> SerializedDag:
    """Write the DAG into the store, without its schedule: it is to run once. Return it with its schedule."""
    import msgspec

    from gnomon.service import clock
    from gnomon.store.parses import Parse
    from gnomon.wire import dag as wire_dag
    from gnomon.wire.execution import FileRef

    dags = {dag.dag_id: dag for dag in map(wire_dag.decode, parsed.dags)}
    shape(dags[dag_id])
    never = wire_dag.TimetableSpec(kind="null")
    once = [msgspec.structs.replace(dag, timetable=never, is_paused_upon_creation=False) for dag in dags.values()]
    ref = FileRef(
        bundle=file.bundle,
        path=file.path,
        relative_path=file.relative_path,
        source_hash=parsed.source_hash,
        bundle_root=file.root,
    )
    store.dags.record_parse(Parse(file=ref, dags=once), clock.now(), paused_at_creation=False)
    return dags[dag_id]


def _make_missing_pools(dag: SerializedDag, store: Store) -> None:
    """Make the pools that the project has not made, for a task would wait for one of them without end."""
    for pool in sorted({task.pool for task in dag.tasks} - {pool.name for pool in store.pools.all()}):
        store.pools.set(pool, _SLOTS_OF_MISSING_POOL)
        print(f"There is no pool {pool!r}; this run has one of {_SLOTS_OF_MISSING_POOL} slots.", file=sys.stderr)


def _tell_left_out(dag: SerializedDag, planned: RunToCreate) -> None:
    from gnomon.model.task_dates import TaskDates

    left_out = sorted(TaskDates(dag, dag.tasks).left_out(planned.logical_date, planned.run_type))
    if left_out:
        tasks = "all tasks" if len(left_out) == len(dag.tasks) else ", ".join(dag.tasks[i].task_id for i in left_out)
        date = planned.logical_date.isoformat() if planned.logical_date else ""
        print(f"Left out, because {date} is not between their start and end dates: {tasks}.", file=sys.stderr)


def create_run(dag: SerializedDag, conf: dict[str, Any], logical_date: datetime | None, store: Store) -> Run:
    """Create the run, as the schedule of the DAG would have one made by hand."""
    from gnomon.api.triggering import check_params
    from gnomon.model.schedule import plan_manual
    from gnomon.model.timetables import AnswerNeededError, build
    from gnomon.service import clock, config

    check_params(dag, conf)
    now, profile = clock.now(), config.profile()
    plan = partial(
        plan_manual,
        build(dag.timetable, profile),
        logical_date=logical_date or now,
        run_after=now,
        profile=profile,
        salt=secrets.token_hex(4),
    )
    try:
        planned = plan()
    except AnswerNeededError as needed:
        from gnomon.cli.asking import answer

        answer(store, dag.dag_id, needed)
        planned = plan()
    _tell_left_out(dag, planned)
    return store.runs.create(
        dag.dag_id,
        planned.run_id,
        now=now,
        run_after=min(planned.run_after, now),
        run_type=planned.run_type,
        logical_date=planned.logical_date,
        data_interval=planned.data_interval,
        conf=conf,
        triggered_by="cli",
    )


# ---------------------------------------------------------------------------------------------------- running


async def until_over(created: Run, store: Store, view: Shown, worker: subprocess.Popen[bytes]) -> Run:
    """Schedule until the run is over, showing each change; return the finished run."""
    async with _scheduler(store) as scheduler:
        triggerer: Any = None
        gone = asyncio.create_task(_wait_for(worker))
        notices = store.notifier.listen(["state"])
        died = asyncio.create_task(scheduler.wait())
        try:
            while True:
                run = store.runs.get(created.id)
                assert run is not None
                instances = store.task_instances.of_run(created.id)
                view.show(run, instances)
                if run.state in ("success", "failed"):
                    await _let_callbacks_end(store, worker, {gone, died})
                    return run
                await asyncio.to_thread(_answer_open, store)
                if any(ti.state == "awaiting_input" for ti in instances):
                    await _answer(store, instances, view)
                if triggerer is None and any(ti.state == "deferred" for ti in instances):
                    triggerer = await _start_triggerer(store)
                await _next_change(notices, [gone, died])
        except asyncio.CancelledError:
            # While the scheduler is still there to take what the worker has to say about the tasks it ends.
            worker.send_signal(signal.SIGINT)
            await asyncio.wait({gone}, timeout=_WORKER_GRACE_SECONDS)
            raise
        finally:
            if triggerer is not None:
                await triggerer.stop()
            for task in (gone, died):
                task.cancel()


async def _let_callbacks_end(store: Store, worker: subprocess.Popen[bytes], ends: set[asyncio.Task[Any]]) -> None:
    """Wait for what runs after the last task: callbacks of it and of the run, while the scheduler answers them."""
    while list(store.scheduling.owed_callbacks()):
        if (await asyncio.wait(ends, timeout=_CALLBACK_SECONDS, return_when=asyncio.FIRST_COMPLETED))[0]:
            return
    worker.send_signal(signal.SIGTERM)  # it ends when nothing runs in it any more
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)


def _answer_open(store: Store) -> None:
    from gnomon.cli.asking import answer_open

    answer_open(store)


async def _answer(store: Store, instances: list[TaskInstance], view: Shown) -> None:
    from gnomon.cli.run_questions import answer_open

    with view.asking() as at_terminal:
        await answer_open(store, instances, at_terminal=at_terminal)


@contextlib.asynccontextmanager
async def _scheduler(store: Store) -> AsyncIterator[Any]:
    from gnomon.api.execution.handlers import Handlers
    from gnomon.executors.local import LocalExecutor
    from gnomon.scheduler.service import Scheduler
    from gnomon.service.home import runtime_dir
    from gnomon.service.logs import configure

    with (Path(os.environ["AIRFLOW_HOME"]) / "scheduler.log").open("a", encoding="utf-8") as log:
        configure("scheduler", stream=log)
        scheduler = Scheduler(store, LocalExecutor(runtime_dir() / "scheduler.sock"), Handlers(store).handle)
        await scheduler.start()
        try:
            yield scheduler
        finally:
            await scheduler.stop()


async def _start_triggerer(store: Store) -> Any:
    from gnomon.api.execution.handlers import Handlers
    from gnomon.triggerer.service import Triggerer

    triggerer = Triggerer(store, Handlers(store).handle)
    await triggerer.start()
    return triggerer


async def _wait_for(worker: subprocess.Popen[bytes]) -> None:
    """Return when the worker has ended, which it should not before the run has."""
    if not hasattr(os, "pidfd_open"):
        await asyncio.to_thread(worker.wait)
        return
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    handle = os.pidfd_open(worker.pid)
    loop.add_reader(handle, lambda: None if ended.done() else ended.set_result(None))
    try:
        await ended
    finally:
        loop.remove_reader(handle)
        os.close(handle)


async def _next_change(notices: AsyncIterator[Any], ends: list[asyncio.Task[Any]]) -> None:
    """Wait for a notice, or a second: one may get lost.

    Raises:
        CommandError: the worker or the scheduler is gone.
    """
    change = asyncio.ensure_future(anext(notices))
    await asyncio.wait({change, *ends}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
    if not change.done():
        change.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await change
    for end in ends:
        if end.done():
            end.result()
            last = _last_line(Path(os.environ["AIRFLOW_HOME"]) / "worker.log")
            raise CommandError(f"the worker has ended; its last words: {last}")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return lines[-1] if lines else "none"


def outcome(run: Run, instances: list[TaskInstance]) -> dict[str, Any]:
    """Return a finished run for programs."""
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "state": run.state,
        "logical_date": run.logical_date.isoformat() if run.logical_date else None,
        "start_date": run.start_date.isoformat() if run.start_date else None,
        "end_date": run.end_date.isoformat() if run.end_date else None,
        "seconds": seconds_between(run.start_date, run.end_date),
        "tasks": [
            {
                "task_id": ti.task_id,
                "map_index": ti.map_index,
                "state": ti.state,
                "try_number": ti.try_number,
                "seconds": seconds_between(ti.start_date, ti.end_date),
                "error": ti.error,
            }
            for ti in instances
        ],
    }


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return a duration in seconds; None if one of the ends is open."""
    return round((end - start).total_seconds(), 3) if start and end else None
