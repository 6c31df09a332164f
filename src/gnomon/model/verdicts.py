"""What becomes of one task instance, given the states of those it waits for, in a run with mapped tasks and setups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gnomon.model.expansion import total_length
from gnomon.model.graph import Node
from gnomon.model.instance import Instance
from gnomon.model.states import FAILURES, FINISHED
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.model.states import TriggerRule as Rule
from gnomon.model.trigger_rules import Tally, Verdict, evaluate, evaluate_setups

if TYPE_CHECKING:
    from gnomon.model.run import LiveRun

#: Rules that may be met, or missed, by some of the upstream instances.
_DECIDED_BY_A_PART = frozenset(
    {
        *(Rule.ONE_SUCCESS, Rule.ONE_FAILED, Rule.ONE_DONE, Rule.NONE_FAILED_MIN_ONE_SUCCESS),
        Rule.ALL_DONE_MIN_ONE_SUCCESS,
    }
)


def verdict_of(run: LiveRun, instance: Instance) -> Verdict:
    """Return whether an instance that has not been scheduled may run, has to wait, or never will run."""
    verdict = _verdict_of_upstream(run, instance)
    if instance.node.sources and verdict is not Verdict.FAIL:
        unexpandable = _verdict_of_sources(run, instance.node)
        if unexpandable is Verdict.WAIT:
            return Verdict.WAIT if verdict is Verdict.RUN else verdict
        return unexpandable or verdict
    return verdict


def _verdict_of_upstream(run: LiveRun, instance: Instance) -> Verdict:
    node = instance.node
    setups = Verdict.RUN
    if node.setups and not node.is_teardown:
        setups = evaluate_setups(_tally_over(run, node.setups, instance), instance.map_index)
        if setups not in (Verdict.RUN, Verdict.WAIT):
            return setups
    tally = run.tallies[node.index] if node.mapped_group is None else _tally_over(run, node.upstream, instance)
    direct = evaluate(node.rule, tally, instance.map_index)
    if direct is Verdict.RUN and node.scope and not _scope_is_done(run, instance):
        return Verdict.WAIT
    return Verdict.WAIT if direct is Verdict.RUN and setups is Verdict.WAIT else direct


def _verdict_of_sources(run: LiveRun, node: Node) -> Verdict | None:
    """Return what becomes of a mapped task, whatever its rule, when something it expands over did not succeed."""
    groups = [run.instances[source] for source in node.sources]
    if not all(groups):
        return Verdict.WAIT
    states = {group[0].state for group in groups if group[0].map_index < 0}
    if states & FAILURES:
        return Verdict.FAIL
    if Ti.SKIPPED in states:
        return Verdict.SKIP
    return Verdict.WAIT if Ti.REMOVED in states else None


def _tally_over(run: LiveRun, upstream: Iterable[int], instance: Instance) -> Tally:
    """Count only the upstream instances that belong to this one: in a mapped group those of its own index."""
    tally = Tally()
    for up in upstream:
        node = run.graph.nodes[up]
        if not run.instances[up]:
            tally.total += 1
            tally.setups += node.is_setup
        for relative in _relevant(run, node, instance):
            tally.total += 1
            tally.setups += node.is_setup
            tally.add(relative.state, is_setup=node.is_setup)
    return tally


def _relevant(run: LiveRun, upstream: Node, instance: Instance) -> list[Instance]:
    """Return the instances of `upstream` that `instance` waits for.

    In a mapped group these are the ones of its own index. An unexpanded instance waits only until the others of its
    group can be expanded: what they become is the matter of the instances that it turns into. But a rule that a part
    of the upstream may decide is asked about all of them first, so that nothing is skipped too early.
    """
    group = run.instances[upstream.index]
    node = instance.node
    shared = run.graph.shared_mapped_group(upstream, node)
    if shared is None or not group:
        return group
    if instance.map_index < 0:
        if node.rule in _DECIDED_BY_A_PART or not run.length_of(node):
            return group
        return [i for i in group if i.map_index < 0]
    if group[0].map_index < 0:
        return group
    width = _width_inside(run, upstream, shared)
    start = instance.map_index // _width_inside(run, node, shared) * width
    return group[start : start + width]


def _width_inside(run: LiveRun, node: Node, shared: str) -> int:
    """Return how many instances of a task there are per instance of a mapped group around it."""
    return total_length(run.graph.expansions_inside(node, shared), run.pushed_length) or 1


def _scope_is_done(run: LiveRun, instance: Instance) -> bool:
    return all(
        relative.state in FINISHED
        for index in instance.node.scope
        for relative in _relevant(run, run.graph.nodes[index], instance)
    )
