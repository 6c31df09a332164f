"""Topological order."""

from __future__ import annotations

from collections.abc import Mapping

from gnomon.sdk.exceptions import AirflowDagCycleException


def topological_order(waits: Mapping[str, set[str]], dag_id: str) -> list[str]:
    """Return the keys of `waits`, each after what it waits for.

    The order is that of going through them again and again as they are given, taking each whose predecessors were
    taken before. So what waits for a later one comes a round later; rounds are counted rather than gone through.

    Raises:
        AirflowDagCycleException: there is a circle.
    """
    place = {node: index for index, node in enumerate(waits)}
    missing = {node: len(before) for node, before in waits.items()}
    after: dict[str, list[str]] = {}
    for node, before in waits.items():
        for one in before:
            after.setdefault(one, []).append(node)
    rounds = dict.fromkeys(waits, 0)
    ready = [node for node, count in missing.items() if not count]
    done = 0
    while ready:
        node = ready.pop()
        done += 1
        for later in after.get(node, ()):
            rounds[later] = max(rounds[later], rounds[node] + (place[node] > place[later]))
            missing[later] -= 1
            if not missing[later]:
                ready.append(later)
    if done < len(rounds):
        stuck = ", ".join(node for node, count in missing.items() if count)
        raise AirflowDagCycleException(f"Cycle detected in DAG: {dag_id}. It goes through some of: {stuck}")
    return sorted(rounds, key=lambda node: (rounds[node], place[node]))
