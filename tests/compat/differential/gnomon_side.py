"""The same questions, answered by Gnomon: through its SDK, its serialized DAG and its model."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG
from gnomon.model.backfills import runs_of
from gnomon.model.graph import Graph
from gnomon.model.retry import retry_delay
from gnomon.model.run import LiveRun
from gnomon.model.states import DagRunType
from gnomon.model.timetables import DataInterval, TimetableError, build, run_id, type_of
from gnomon.sdk.serialization import serialize_dag
from gnomon.wire import dag as wire
from tests.compat.differential.both import (
    connecting,
    expanding,
    parameters,
    passing,
    rendering,
    runs,
    schedules,
    wiring,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _as_data(dag: DAG) -> wire.SerializedDag:
    return wire.decode(wire.encode(serialize_dag(dag)))


def _graph(dag: DAG) -> Graph:
    data = _as_data(dag)
    return Graph(data.tasks, data.groups)


def _timetable(case: dict[str, Any]) -> Any:
    dag = DAG("d", schedule=schedules.schedule(case), start_date=schedules.moment(case.get("start")))
    return build(_as_data(dag).timetable)


def timetables(case: dict[str, Any]) -> Any:
    try:
        table = _timetable(case)
        last, found = None, []
        for text in case["nows"]:
            run = table.next_run(
                last,
                earliest=schedules.moment(case["start"]),
                latest=schedules.moment(case["end"]),
                catchup=case["catchup"],
                now=datetime.fromisoformat(text),
            )
            if run is None:
                found.append(None)
                continue
            times = (run.run_after, run.logical_date, *run.data_interval)
            found.append([schedules.written(time) for time in times])
            last = run.data_interval
    except Exception as error:
        return {"raises": type(error).__name__}
    return found


def manual(case: dict[str, Any]) -> Any:
    try:
        table = _timetable(case)
        spans: list[DataInterval] = [table.infer_manual_interval(datetime.fromisoformat(text)) for text in case["nows"]]
    except Exception as error:
        return {"raises": type(error).__name__}
    return [[schedules.written(span.start), schedules.written(span.end)] for span in spans]


def descriptions(case: dict[str, Any]) -> Any:
    try:
        table = _timetable(case)
        return [table.summary, table.description]
    except Exception as error:
        return {"raises": type(error).__name__}


def run_ids(case: dict[str, Any]) -> Any:
    after = datetime.fromisoformat(case["run_after"])
    made = run_id(DagRunType(case["type"]), run_after=after, logical_date=after, salt="", profile=3)
    return [made, str(type_of(made)), str(type_of(case["run_id"]))]


def backfill(case: dict[str, Any]) -> Any:
    data = _as_data(DAG("d", schedule=schedules.schedule(case), start_date=schedules.moment(case["start"])))
    first, last = (datetime.fromisoformat(case[name]) for name in ("from", "to"))
    backwards, now = case["backwards"], datetime.fromisoformat(case["now"])
    try:
        found = runs_of(
            build(data.timetable), earliest=first, latest=last, backwards=backwards, now=now, profile=3, salt=""
        )
    except TimetableError:
        found = []  # Airflow logs an expression that never comes due
    return schedules.shortened(
        [
            [run.run_after, run.logical_date, *(run.data_interval or (None, None)), *(run.partition or (None, None))]
            for run in found
        ]
    )


def backoff(case: dict[str, Any]) -> Any:
    # Through the SDK: what an author may write there is not what the model gets.
    from datetime import timedelta

    limit = case["max_delay"]
    dag = DAG(case["dag_id"], schedule=None, start_date=_EPOCH)
    wiring.Step(
        task_id=case["task_id"],
        dag=dag,
        retries=9,
        retry_delay=timedelta(seconds=case["delay"]),
        retry_exponential_backoff=case["multiplier"],
        max_retry_delay=None if limit is None else timedelta(seconds=limit),
    )
    (task,) = _as_data(dag).tasks
    logical = (datetime.fromisoformat(case["logical_date"]) - _EPOCH) // timedelta(microseconds=1)
    return [
        float(
            retry_delay(
                delay=task.retry_delay,
                multiplier=task.retry_exponential_backoff,
                max_delay=task.max_retry_delay,
                cap=86400.0,
                dag_id=case["dag_id"],
                task_id=case["task_id"],
                logical_date=logical,
                try_number=number,
            )
        )
        for number in case["tries"]
    ]


def weights(case: dict[str, Any]) -> Any:
    try:
        graph = _graph(wiring.build(case))
    except Exception as error:
        return {"raises": type(error).__name__}
    return {node.task_id: node.priority for node in graph.nodes}


def run(case: dict[str, Any]) -> Any:
    try:
        graph = _graph(runs.build(case))
    except Exception as error:
        return {"raises": type(error).__name__}
    ids = itertools.count(1)
    live = LiveRun(graph, id=1, dag_id="d", run_id="r", logical_date=0, allocate=lambda: next(ids))
    live.assemble()
    live.plan(0)
    trace = [_states(live)]
    for choice in case["choices"]:
        waiting = [state for state in trace[-1] if state[2] == "scheduled"]
        if not waiting or live.outcome() is not None:
            break
        task, index, _ = waiting[choice["which"] % len(waiting)]
        (instance,) = (i for i in live.instances[graph.index[task]] if i.map_index == index)
        live.queue(instance, 1)
        live.start(instance, now=2, worker="w", hostname="h", pid=3)
        if choice["outcome"] == "success":
            live.succeed(instance, now=4, length=choice["length"])
        else:
            {"failed": live.fail, "skipped": live.skip}[choice["outcome"]](instance, now=4)
        trace.append(_states(live))
    return {"trace": trace, "run": str(live.outcome() or "running")}


def _states(live: LiveRun) -> list[list[Any]]:
    return sorted(
        [instance.node.task_id, instance.map_index, None if instance.state is None else str(instance.state)]
        for group in live.instances
        for instance in group
    )


SUBJECTS = {
    "timetables": timetables,
    "manual intervals": manual,
    "schedules in words": descriptions,
    "run ids": run_ids,
    "dates of backfills": backfill,
    "retry delays": backoff,
    "priority weights": weights,
    "runs": run,
    "runs without mapping": run,
    "wiring": wiring.facts,
    "parts of DAGs": runs.subsets,
    "mapped arguments": expanding.instances,
    "templates": rendering.rendered,
    "connections from fields": connecting.from_fields,
    "connections from URIs": connecting.from_uri,
    "connections from JSON": connecting.from_json,
    "params": parameters.checked,
    "sets of params": parameters.together,
    "XCom values": passing.passed,
}
