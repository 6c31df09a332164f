"""DAGs as pictures: the DOT language of Graphviz."""

from __future__ import annotations

from gnomon.wire.dag import SerializedDag


def as_dot(dag: SerializedDag) -> str:
    """Return a DAG in the DOT language."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [f"digraph {quoted(dag.dag_id)} {{", f"\tgraph [label={quoted(dag.dag_id)} labelloc=t rankdir=LR]"]
    for task in dag.tasks:
        look = f"color={quoted(task.ui_fgcolor)} fillcolor={quoted(task.ui_color)} shape=rectangle"
        lines.append(f'\t{quoted(task.task_id)} [{look} label={quoted(task.task_id)} style="filled,rounded"]')
    for task in dag.tasks:
        lines += [f"\t{quoted(up)} -> {quoted(task.task_id)}" for up in task.upstream]
    return "\n".join([*lines, "}"])
