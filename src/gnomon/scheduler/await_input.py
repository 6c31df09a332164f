"""Await input: task instances that wait for a person's answer, and go on with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from gnomon.model.instance import Instance
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.scheduler.turn import InputAnswered, Internal, Turn
from gnomon.store.types import from_micros
from gnomon.wire import execution as x
from gnomon.wire.human_input import answered_event, timeout_event

if TYPE_CHECKING:
    from gnomon.scheduler.world import ActiveRun, World


class AwaitInput:
    """Parks what asked a person, and resumes what was answered or was not answered in time."""

    def __init__(self, world: World, tell: Callable[[Internal], None]) -> None:
        self._world = world
        self._tell = tell

    def park(self, run: ActiveRun, instance: Instance, outcome: x.Outcome, turn: Turn) -> None:
        """A try gave its slot back until somebody answers."""
        run.live.defer(
            instance,
            now=outcome.end_date,
            trigger=None,
            then=(outcome.next_method or "execute_complete", outcome.next_kwargs),
            timeout=outcome.timeout,
        )
        turn.clocked.append(instance)
        # Who answered between the question and this commit has rung in vain.
        turn.effects.append(lambda: self._tell(InputAnswered(instance.id)))

    def answered(self, event: InputAnswered, turn: Turn) -> None:
        """Somebody has answered, or may have: resume what waits and has an answer."""
        waiting = self._world.awaiting
        wanted = waiting if event.ti_id is None else waiting & {event.ti_id}
        if not wanted:
            return
        for ti_id, question in self._world.store.human_input.of(wanted).items():
            instance, answer = self._world.instances.get(ti_id), question.event()
            if instance is not None and answer is not None and instance.state is Ti.AWAITING_INPUT:
                self._resume(instance, answer, turn)

    def timed_out(self, instance: Instance, turn: Turn) -> None:
        """Nobody has answered in time: take the defaults, or let the task fail for it."""
        question = self._world.store.human_input.get(instance.id)
        answer = None if question is None else question.event()
        if answer is None and question is not None and question.defaults is not None:
            filled = question.default_input
            answer = answered_event(
                chosen=question.defaults,
                params_input=filled,
                responded_at=from_micros(turn.now),
                responded_by=None,
                timed_out=True,
            )
            encode = msgspec.json.encode
            row = (turn.now, encode(question.defaults).decode(), encode(filled).decode())
            turn.batch.answers.append((*row, instance.id, question.try_number))
        self._resume(instance, answer or timeout_event(), turn)

    def _resume(self, instance: Instance, event: bytes, turn: Turn) -> None:
        saved = b"null" if instance.next_kwargs is None else instance.next_kwargs
        instance.next_kwargs = b'{"kwargs":%b,"event":%b}' % (saved, event)
        turn.run_of(instance).live.resume(instance, turn.now)
