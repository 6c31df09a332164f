"""Topological order."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from gnomon.sdk.exceptions import AirflowDagCycleException


def topological_order(waits: Mapping[str, set[str]], dag_id: str) -> list[str]:
    """Return the keys of `waits`, each after what it waits for, ties in their own order.

    Raises:
        AirflowDagCycleException: there is a circle.
    """
    place = {node: index for index, node in enumerate(waits)}
    missing = {node: len(before) for node, before in waits.items()}
    after: dict[str, list[str]] = {}
    for node, before in waits.items():
        for one in before:
            after.setdefault(one, []).append(node)
    ready = [place[node] for node, count in missing.items() if not count]
    nodes = list(waits)
    order: list[str] = []
    while ready:
        node = nodes[heapq.heappop(ready)]
        order.append(node)
        for later in after.get(node, ()):
            missing[later] -= 1
            if not missing[later]:
                heapq.heappush(ready, place[later])
    if len(order) < len(nodes):
        stuck = ", ".join(node for node in nodes if missing[node])
        raise AirflowDagCycleException(f"Cycle detected in DAG: {dag_id}. It goes through some of: {stuck}")
    return order
