"""DAGs as pictures: the DOT language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gnomon.wire.dag import SerializedDag


def quoted(text: str) -> str:
    """Return a name as DOT writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


#: Colours of states, as Airflow's pictures have them; X11 names.
_OF_STATES = {
    "success": "green",
    "failed": "red",
    "skipped": "hotpink",
    "upstream_failed": "orange",
    "removed": "lightgrey",
}


def as_dot(dag: SerializedDag, states: Mapping[str, str | None] | None = None) -> str:
    """Return a DAG in the DOT language; with the states of tasks, in their colours."""
    fills = {task_id: _OF_STATES.get(state or "", "white") for task_id, state in (states or {}).items()}
    lines = [f"digraph {quoted(dag.dag_id)} {{", f"\tgraph [label={quoted(dag.dag_id)} labelloc=t rankdir=LR]"]
    for task in dag.tasks:
        look = f"color={quoted(task.ui_fgcolor)} fillcolor={quoted(fills.get(task.task_id, task.ui_color))} shape=rectangle"
        lines.append(f'\t{quoted(task.task_id)} [{look} label={quoted(task.task_id)} style="filled,rounded"]')
    for task in dag.tasks:
        lines += [f"\t{quoted(up)} -> {quoted(task.task_id)}" for up in task.upstream]
    return "\n".join([*lines, "}"])


def dependencies_as_dot(dags: Iterable[SerializedDag]) -> str:
    """Return what DAGs have to do with each other in the DOT language: DAG → task or asset → DAG."""
    names: dict[str, str] = {}
    edges: list[str] = []

    def node(kind: str, name: str) -> str:
        key = f"{kind}:{name}"
        look = "shape=rectangle" if kind == "dag" else "shape=note" if kind.startswith("asset") else "shape=ellipse"
        names.setdefault(key, f"\t{quoted(key)} [{look} label={quoted(name)}]")
        return quoted(key)

    for dag in dags:
        own = node("dag", dag.dag_id)
        for task in dag.tasks:
            if depends := task.extra.get("dag_dependency"):
                kind, other = depends
                via = node(kind, f"{dag.dag_id}.{task.task_id}")
                ends = (own, node("dag", other)) if kind == "trigger" else (node("dag", other), own)
                edges += [f"\t{ends[0]} -> {via}", f"\t{via} -> {ends[1]}"]
            edges += [f"\t{own} -> {node(*asset)}" for outlet in task.outlets for asset in _assets_of(outlet)]
        if dag.timetable.assets:
            edges += [f"\t{node(*asset)} -> {own}" for asset in _assets_of(dag.timetable.assets)]
    return "\n".join(["digraph {", "\tgraph [rankdir=LR]", *names.values(), *dict.fromkeys(edges), "}"])


def _assets_of(expression: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (kind, name) of the assets in a condition."""
    for kind, inner in expression.items():
        if kind in ("all", "any"):
            for part in inner:
                yield from _assets_of(part)
        elif kind == "asset":
            yield "asset", str(inner.get("name") or inner.get("uri"))
        elif kind == "alias":
            yield "asset-alias", str(inner.get("name") if isinstance(inner, dict) else inner)
        elif kind in ("ref", "asset_ref"):
            yield "asset", str(inner.get("name") or inner.get("uri"))
