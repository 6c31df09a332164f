"""Callbacks on their way to workers: sent when they are committed, or as soon as a worker has room."""

from __future__ import annotations

from functools import partial

from gnomon.executors.executor import Executor
from gnomon.scheduler.turn import Turn
from gnomon.wire import execution as x

#: Callbacks take part in no pool, and any worker runs them.
_QUEUE = "default"


class Callbacks:
    """Hands callbacks to workers. What is not confirmed is in the database, and is sent again when a worker joins."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        #: found no worker with room
        self._unsent: dict[int, x.CallbackWorkload] = {}

    def forget(self) -> None:
        """Begin anew: everything that is owed is read from the database and sent."""
        self._unsent.clear()

    def send(self, workload: x.CallbackWorkload) -> None:
        """Send a callback to any worker, now or when one has room."""
        worker = self._executor.place(_QUEUE)
        if worker is None:
            self._unsent[workload.id] = workload
        else:
            self._executor.send(worker, workload)

    def place(self, turn: Turn) -> None:
        """Give room to the callbacks that wait for it, before tasks take it."""
        for callback_id in self._unsent:
            worker = self._executor.place(_QUEUE)
            if worker is None:
                return
            turn.effects.append(partial(self._send_late, worker, callback_id))

    def _send_late(self, worker: str, callback_id: int) -> None:
        workload = self._unsent.pop(callback_id, None)
        if workload is not None:
            self._executor.send(worker, workload)
