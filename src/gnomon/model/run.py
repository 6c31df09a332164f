"""One DAG run in memory, and what follows from each thing that happens to it.

All decisions about states are made here and nowhere else, without I/O and with `now` as an argument. What an event
costs is the out-degree of the task it is about, never the size of the DAG: each task keeps a tally of its upstream
instances, which a finished instance only increments.

Every change of an instance goes through `LiveRun.move`, which records it in `dirty`, so that the caller can commit
exactly what changed, as compare-and-set against what the database holds (`Instance.stored`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gnomon.model import transitions
from gnomon.model.asking import must_ask
from gnomon.model.expansion import literal_length, total_length
from gnomon.model.graph import Graph, Node
from gnomon.model.instance import Instance
from gnomon.model.retry import may_retry, retry_delay
from gnomon.model.start_trigger import ends_at, resumed_with, start_trigger_of
from gnomon.model.states import FAILURES, FINISHED, DagRunState
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.model.trigger_rules import Tally, Verdict, evaluate
from gnomon.model.verdicts import verdict_of

_SECOND = 1_000_000


class LiveRun:
    """A running DAG run. Create it, give it its instances (`assemble`), then tell it what happens."""

    def __init__(
        self,
        graph: Graph,
        *,
        id: int,  # noqa: A002 as the table calls it
        dag_id: str,
        run_id: str,
        logical_date: int | None,
        allocate: Callable[[], int],
        max_task_retry_delay: float = 86400.0,
        fail_fast: bool = False,
        left_out: frozenset[int] = frozenset(),
    ) -> None:
        self.graph = graph
        self.id = id
        self.dag_id = dag_id
        self.run_id = run_id
        self.logical_date = logical_date
        self.state = DagRunState.RUNNING
        self.fail_fast = fail_fast
        #: tasks that it has no instances of
        self.left_out = left_out
        self._allocate = allocate
        self._cap = max_task_retry_delay
        #: per task its instances: one while unmapped or not expanded, else one per map index
        self.instances: list[list[Instance]] = [[] for _ in graph.nodes]
        self.tallies: list[Tally] = []
        #: instances that are not finished, and those of them that something will move without a new event
        self.unfinished = 0
        self.active = 0
        #: length of what (task, map_index) returned, for expansion; -1 if it returned something without length
        self.lengths: dict[tuple[int, int], int] = {}
        #: (task, map_index) → tasks that decided to skip it; map_index -1 stands for all
        self.skips: dict[tuple[int, int], set[int]] = {}
        #: tasks with depends_on_past whose past is not good yet
        self.past_unmet: set[int] = set()
        #: changed since the last commit, in order
        self.dirty: dict[int, Instance] = {}
        #: deferred without a process since the last commit, and triggers that nothing waits for any more since then
        self.started: dict[int, Instance] = {}
        self.dropped: list[int] = []
        #: what user code has to decide on before it can be scheduled
        self.asking: dict[int, Instance] = {}
        #: the DAG is paused: what would start a trigger waits among the candidates for a slot
        self.is_paused = False
        #: what to evaluate: (task, map index), or (task, -1) for all its instances; a dict keeps the order
        self._check: dict[tuple[int, int], None] = {}

    # ------------------------------------------------------------------------------------------ becoming alive

    def assemble(self, instances: Iterable[Instance] = (), *, complete: bool = False) -> None:
        """Take over the instances that the database holds, and make those of tasks that have none yet.

        Mapped tasks of known length are expanded at once.

        Args:
            instances: of this run, in any order.
            complete: nothing is to be made: the database holds all of them.
        """
        for instance in instances:
            self.instances[instance.node.index].append(instance)
        for node in self.graph.nodes:
            group = self.instances[node.index]
            if group:
                group.sort(key=lambda instance: instance.map_index)
            elif not complete and node.index not in self.left_out:
                length = literal_length(self.graph.expansions_of(node)) if node.is_mapped else None
                for index in range(length) if length else [-1]:
                    instance = Instance(self, node, self._allocate(), index)
                    group.append(instance)
                    self.dirty[instance.id] = instance
        self._count()

    def _count(self) -> None:
        self.tallies = [Tally() for _ in self.graph.nodes]
        for node in self.graph.nodes:
            group = self.instances[node.index]
            for down in node.downstream:
                tally = self.tallies[down]
                count = len(group) or 1  # one that is left out is waited for in vain
                tally.total += count
                tally.setups += count if node.is_setup else 0
                for instance in group:
                    if instance.state in FINISHED:
                        tally.add(instance.state, is_setup=node.is_setup)
            for instance in group:
                if instance.state not in FINISHED:
                    self.unfinished += 1
                    if instance.state is not None:
                        self.active += 1

    # ------------------------------------------------------------------------------------------- what can happen

    def plan(self, now: int) -> None:
        """Evaluate every instance that waits for its dependencies: at the start, and after a reload."""
        self._recheck(range(len(self.graph)))
        self._settle(now)

    def release(self, tasks: Iterable[int], now: int) -> None:
        """The past of these depends_on_past tasks is good now."""
        released = list(tasks)
        self.past_unmet.difference_update(released)
        self._recheck(released)
        self._settle(now)

    def queue(self, instance: Instance, now: int) -> None:
        """It got its slots and will be handed to an executor as soon as this is committed."""
        instance.seq += 1
        instance.queued_at = now
        self.move(instance, Ti.QUEUED)

    def start(self, instance: Instance, *, now: int, worker: str, hostname: str, pid: int) -> None:
        """A worker asked to go ahead with it."""
        if instance.first_start is None:
            instance.first_start = now
        instance.start_date = instance.first_start
        instance.end_date = None
        if instance.next_method is None:  # it starts without what an earlier try returned
            self.lengths.pop((instance.node.index, instance.map_index), None)
        instance.worker, instance.hostname, instance.pid = worker, hostname, pid or None
        self.move(instance, Ti.RUNNING)

    def succeed(self, instance: Instance, *, now: int, length: int | None = None) -> None:
        """It finished well. `length` is that of its return value, -1 if it returned something without length."""
        if length is not None:
            self.lengths[instance.node.index, instance.map_index] = length
        self._end(instance, Ti.SUCCESS, now)
        self._settle(now)

    def skip(self, instance: Instance, *, now: int) -> None:
        """It skipped itself."""
        self._end(instance, Ti.SKIPPED, now)
        self._settle(now)

    def fail(
        self,
        instance: Instance,
        *,
        now: int,
        retryable: bool = True,
        delay: float | None = None,
        error: str | None = None,
    ) -> None:
        """Its try failed: another one follows after a delay, or it has failed for good."""
        instance.error = error
        spec = instance.node.spec
        if may_retry(try_number=instance.try_number, max_tries=instance.max_tries, retryable=retryable):
            if delay is None:
                delay = retry_delay(
                    delay=spec.retry_delay,
                    multiplier=spec.retry_exponential_backoff,
                    max_delay=spec.max_retry_delay,
                    cap=self._cap,
                    dag_id=self.dag_id,
                    task_id=spec.task_id,
                    logical_date=self.logical_date,
                    try_number=instance.try_number,
                )
            self._end(instance, Ti.UP_FOR_RETRY, now)
            instance.wake_at = now + int(delay * _SECOND)
        else:
            self._end(instance, Ti.FAILED, now)
            if self.fail_fast:
                self._stop_remaining(now)
        self._settle(now)

    def reschedule(self, instance: Instance, *, now: int, at: int) -> None:
        """A sensor gave its slot back until its next poke."""
        self._end(instance, Ti.UP_FOR_RESCHEDULE, now)
        instance.wake_at = at

    def defer(
        self, instance: Instance, *, now: int, trigger: int | None, then: tuple[str, bytes | None], timeout: int | None
    ) -> None:
        """It gave its slot back until its trigger fires, without one until a person answers, or until `timeout`."""
        instance.trigger_id = trigger
        instance.next_method, instance.next_kwargs = then
        instance.wake_at = timeout
        instance.end_date = now
        self.move(instance, Ti.AWAITING_INPUT if trigger is None else Ti.DEFERRED)

    def start_trigger(self, instance: Instance, now: int) -> bool:
        """Defer what needs no process before its trigger fires; False if it is not of that kind."""
        args = start_trigger_of(instance)
        if args is None:
            return False
        instance.seq += 1
        if instance.first_start is None:
            instance.first_start = now
        timeout = ends_at(args, instance, now)
        self.defer(instance, now=now, trigger=self._allocate(), then=resumed_with(args), timeout=timeout)
        instance.start_date, instance.end_date = instance.first_start, None
        self.started[instance.id] = instance
        return True

    def resume(self, instance: Instance, now: int) -> None:
        """What it waited for is over: the retry delay, the time to the next poke, or its trigger."""
        self._schedule(instance, now)

    def placed(self, instances: Iterable[Instance], now: int) -> None:
        """User code has decided on these (`asking.place`): those that only waited for that go on."""
        for instance in instances:
            self.dirty[instance.id] = instance
            if self.asking.pop(instance.id, None) is None:
                continue
            if instance.state is Ti.UP_FOR_RETRY:
                self._schedule(instance, now)
            else:
                self._recheck([instance.node.index])
        self._settle(now)

    def requeue(self, instance: Instance, now: int) -> None:
        """It was handed over, but user code never began: hand it over once more."""
        instance.worker = None
        instance.scheduled_at = now
        self.move(instance, Ti.SCHEDULED)

    def restart(self, instance: Instance, now: int) -> None:
        """It was cleared while running, and its process has ended."""
        instance.max_tries = instance.try_number + instance.node.spec.retries
        self._forget_piece(instance)
        self.move(instance, None)
        self._recheck([instance.node.index])
        self._settle(now)

    def expire(self, now: int) -> list[Instance]:
        """The run took longer than dagrun_timeout: skip what is unfinished, fail the run; return what still runs."""
        running = []
        for group in self.instances:
            for instance in group:
                if instance.state in (Ti.RUNNING, Ti.QUEUED, Ti.RESTARTING):
                    running.append(instance)
                if instance.state not in FINISHED:
                    if instance.state is Ti.RESTARTING:
                        self.move(instance, None)
                    self._end(instance, Ti.SKIPPED, now)
        self._check.clear()
        return running

    def skip_downstream(self, by: Instance, targets: Iterable[tuple[str, int]], now: int) -> None:
        """`by` (a branch, a short circuit) decided that these are to be skipped; -1 stands for all of a task.

        What one instance of a mapped branch says counts for the instances of its index, never for an unmapped task.
        """
        for task_id, map_index in targets:
            index = self.graph.index.get(task_id)
            if index is None:
                continue
            self.skips.setdefault((index, map_index), set()).add(by.node.index)
            for instance in self.instances[index]:
                if instance.state in (None, Ti.SCHEDULED) and map_index in (-1, instance.map_index):
                    self._end(instance, Ti.SKIPPED, now)

    def outcome(self) -> DagRunState | None:
        """Return how the run ended, or None while it goes on. A run in which nothing can move any more has failed."""
        if self.unfinished == 0:
            leaves = (i for node in self.graph.nodes if node.is_leaf for i in self.instances[node.index])
            return DagRunState.FAILED if any(leaf.state in FAILURES for leaf in leaves) else DagRunState.SUCCESS
        return DagRunState.FAILED if self.is_deadlocked else None

    @property
    def is_deadlocked(self) -> bool:
        """Nothing is under way, yet something waits that only the run itself could release (spec: mistake 17)."""
        return self.unfinished > 0 and self.active == 0 and not self.past_unmet and not self.asking

    # ------------------------------------------------------------------------------------------------- deciding

    def move(self, instance: Instance, state: Ti | None) -> None:
        """Change the state of an instance and tell the tallies of its downstream tasks."""
        before = instance.state
        transitions.check(before, state)
        instance.state = state
        self.dirty[instance.id] = instance
        was_finished, is_finished = before in FINISHED, state in FINISHED
        self.active += (state is not None and not is_finished) - (before is not None and not was_finished)
        if was_finished == is_finished and before == state:
            return
        self.unfinished += was_finished - is_finished
        node = instance.node
        if was_finished or is_finished:
            for down in node.downstream:
                tally = self.tallies[down]
                if was_finished:
                    tally.add(before, is_setup=node.is_setup, count=-1)
                if is_finished:
                    tally.add(state, is_setup=node.is_setup)
        if is_finished:
            self._recheck(node.watchers)
            for down in node.downstream:
                together = node.mapped_group is not None and self.graph.nodes[down].mapped_group == node.mapped_group
                self._check[down, instance.map_index if together else -1] = None

    def _end(self, instance: Instance, state: Ti, now: int) -> None:
        if instance.start_date is None:
            instance.start_date = now
        instance.end_date = now
        if instance.state is Ti.DEFERRED and instance.trigger_id is not None:
            self.dropped.append(instance.trigger_id)
        if state is not Ti.UP_FOR_RESCHEDULE:
            self._forget_piece(instance)
        else:
            instance.trigger_id = instance.next_method = instance.next_kwargs = None
        self.move(instance, state)

    @staticmethod
    def _forget_piece(instance: Instance) -> None:
        instance.trigger_id = instance.next_method = instance.next_kwargs = None
        instance.wake_at = None
        instance.reschedules = 0
        instance.first_start = None

    def _recheck(self, tasks: Iterable[int]) -> None:
        for index in tasks:
            self._check[index, -1] = None

    def _settle(self, now: int) -> None:
        """Evaluate the tasks whose upstream changed, until nothing changes any more.

        What is evaluated together is decided on the same states, so that its order does not matter.
        """
        while self._check:
            batch, self._check = self._check, {}
            decided = {
                instance.id: (instance, verdict)
                for instance in self._waiting(batch, now)
                if (verdict := verdict_of(self, instance)) is not Verdict.WAIT
            }
            for instance, verdict in decided.values():
                self._apply(instance, verdict, now)

    def _waiting(self, batch: Iterable[tuple[int, int]], now: int) -> Iterator[Instance]:
        """Yield the instances to evaluate."""
        for index, map_index in batch:
            node, group = self.graph.nodes[index], self.instances[index]
            if map_index >= 0:
                group = [i for i in group if i.map_index in (map_index, -1)]
            elif len(group) > 1 and self._all_wait(node):
                continue
            elif node.is_mapped and group and group[0].map_index >= 0:
                self._revise(node, now)
            yield from (instance for instance in list(group) if instance.state is None)

    def _all_wait(self, node: Node) -> bool:
        """Whether one look tells that no instance of an expanded task can move: spares a look at each of them."""
        if node.mapped_group is not None or node.setups or node.scope:
            return False
        return evaluate(node.rule, self.tallies[node.index]) is Verdict.WAIT

    def _apply(self, instance: Instance, verdict: Verdict, now: int) -> None:
        node = instance.node
        past_unmet = node.index in self.past_unmet
        if verdict is Verdict.RUN:
            if past_unmet:
                return
            if self._is_skipped_by_decision(instance):
                self._end(instance, Ti.SKIPPED, now)
            elif instance.map_index < 0 and node.is_mapped:
                self._expand(node, now)
            elif node.spec.inline:
                instance.try_number += 1
                self._end(instance, Ti.SUCCESS, now)
            else:
                self._schedule(instance, now)
        elif verdict is Verdict.SKIP:
            if not (past_unmet and node.spec.wait_for_past_depends_before_skipping):
                self._end(instance, Ti.SKIPPED, now)
        else:
            self._end(instance, Ti.UPSTREAM_FAILED if verdict is Verdict.FAIL else Ti.REMOVED, now)

    def _schedule(self, instance: Instance, now: int) -> None:
        """Make it wait for its slots. A new try counts here; a poke or a resumption is the same try (mistake 24)."""
        if instance.state in (None, Ti.UP_FOR_RETRY):
            if must_ask(instance):
                self.asking[instance.id] = instance
                return
            if instance.node.spec.weights and not instance.node.spec.is_asked:
                instance.priority = instance.weight
            instance.try_number += 1
            instance.start_date = instance.end_date = None
            self._forget_piece(instance)
        elif instance.state is Ti.UP_FOR_RESCHEDULE:
            instance.reschedules += 1
        instance.wake_at = None
        instance.scheduled_at = now
        if self.is_paused or not self.start_trigger(instance, now):
            self.move(instance, Ti.SCHEDULED)

    def _is_skipped_by_decision(self, instance: Instance) -> bool:
        index = instance.node.index
        deciders = self.skips.get((index, -1), set()) | self.skips.get((index, instance.map_index), set())
        return any(any(i.state is Ti.SUCCESS for i in self.instances[decider]) for decider in deciders)

    def _stop_remaining(self, now: int) -> None:
        """fail_fast: end everything else but teardowns; what runs fails, what waits is skipped."""
        for group in self.instances:
            for instance in group:
                if instance.state in FINISHED or instance.node.is_teardown:
                    continue
                if instance.state is Ti.RESTARTING:
                    self.move(instance, None)
                self._end(instance, Ti.FAILED if instance.state is Ti.RUNNING else Ti.SKIPPED, now)

    # ------------------------------------------------------------------------------------------------ expansion

    def length_of(self, node: Node) -> int | None:
        """Return how many instances a mapped task has; None if something it expands over was not pushed."""
        return total_length(self.graph.expansions_of(node), self.pushed_length)

    def pushed_length(self, task_id: str) -> int | None:
        """Of an unmapped task, how long its value is; of a mapped one, how many instances returned something."""
        index = self.graph.index[task_id]
        if self.graph.nodes[index].is_mapped:
            group = self.instances[index]
            if any(instance.state not in FINISHED for instance in group):
                return None
            return sum(1 for i in group if i.map_index >= 0 and (index, i.map_index) in self.lengths)
        length = self.lengths.get((index, -1))
        return None if length is None or length < 0 else length

    def _expand(self, node: Node, now: int) -> None:
        """Turn the one unexpanded instance into as many as there is input for (spec: mistake 14)."""
        group = self.instances[node.index]
        length = self.length_of(node)
        if not length:
            self._end(group[0], Ti.UPSTREAM_FAILED if length is None else Ti.SKIPPED, now)
            return
        group[0].map_index = 0
        self.dirty[group[0].id] = group[0]
        self._add_instances(node, length)
        self._recheck([node.index, *(d for d in node.downstream if self.graph.nodes[d].mapped_group is not None)])

    def _revise(self, node: Node, now: int) -> None:
        """After a clear, the input may have another length: add what is missing, remove what is left over."""
        group = self.instances[node.index]
        if all(instance.state is not None for instance in group):
            return
        length = self.length_of(node)
        if length is None or length == len(group):
            return
        for instance in group[length:]:
            if instance.state is None or instance.state in FINISHED:
                self._end(instance, Ti.REMOVED, now)
        self._add_instances(node, length)

    def _add_instances(self, node: Node, length: int) -> None:
        group = self.instances[node.index]
        missing = range(len(group), length)
        for index in missing:
            instance = Instance(self, node, self._allocate(), index)
            group.append(instance)
            self.dirty[instance.id] = instance
        self.unfinished += len(missing)
        for down in node.downstream:
            self.tallies[down].total += len(missing)
            self.tallies[down].setups += len(missing) if node.is_setup else 0
