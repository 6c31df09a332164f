"""The triggerer: claims triggers in the database, has its runner run them, and stores what fires.

A trigger belongs to one triggerer at a time. Storing its event deletes it in the same transaction, so that whatever
is killed in between, it fires once: a trigger whose event was not stored is claimed and run again, by this triggerer
after its restart or by another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from gnomon.service import clock, logs, task_logs
from gnomon.service.config import conf
from gnomon.service.service import Service
from gnomon.store import errors
from gnomon.triggerer.child import Child
from gnomon.triggerer.watching import Watching
from gnomon.wire import execution as wire
from gnomon.wire import triggering

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.store.notifier import Notice
    from gnomon.store.triggers import Trigger

log = logs.get_logger(__name__)

JOB_TYPE = "TriggererJob"
#: How often the triggerer looks for itself, should a notice have got lost.
_LOOK_SECONDS = 5.0
_RETRY_SECONDS = 1.0
_RESTART_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)

Answer = Callable[[wire.TryKey | None, wire.Request], wire.Reply]


class DeposedError(Exception):
    """The triggerer was taken for dead, and others may run its triggers by now."""


class Triggerer(Service):
    """Runs the triggers of deferred task instances.

    Args:
        store: where triggers and their events are.
        answer: answers what triggers ask (connections, variables, states).
        capacity: how many triggers at a time; `[triggerer] capacity` unless given.
        queues: only triggers of these queues; those without a queue unless given.
        environ: the environment that the runner's is made from.
    """

    def __init__(
        self,
        store: Store,
        answer: Answer,
        *,
        capacity: int | None = None,
        queues: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("triggerer")
        self._store = store
        self._answer = answer
        self._capacity = conf.getint("triggerer", "capacity", fallback=1000) if capacity is None else capacity
        self._queues = queues
        self._environ = environ
        self._beat_seconds = conf.getfloat("triggerer", "job_heartbeat_sec", fallback=5.0)
        self._alive_seconds = conf.getfloat("triggerer", "triggerer_health_check_threshold", fallback=30.0)
        self._blocked_limit = conf.getfloat("triggerer", "runner_health_check_threshold", fallback=30.0)
        self._hostname = socket.gethostname()
        self._held: dict[int, Trigger] = {}
        self._ending: set[int] = set()
        self._child: Child | None = None
        self._wake = asyncio.Event()
        self._job = 0
        # One thread, so that the verbs of this triggerer happen in the order in which they are called.
        self._database = ThreadPoolExecutor(1, thread_name_prefix="triggerer-store")
        self._answers = ThreadPoolExecutor(8, thread_name_prefix="triggerer-answer")
        self._background: set[asyncio.Task[Any]] = set()
        self._watching = Watching(store, self._in_store, self._send)

    @property
    def held(self) -> int:
        """How many triggers it runs."""
        return len(self._held)

    @property
    def runner_pid(self) -> int | None:
        """The process that runs them."""
        return self._child.pid if self._child is not None else None

    async def run(self) -> None:
        self._job = await self._in_store(self._register)
        listener = self._store.notifier.subscribe(asyncio.get_running_loop(), ("trigger", "run"), self._heard)
        works = (self._look, self._beat, self._keep_runner, self.stopping.wait)
        loops: list[asyncio.Task[Any]] = [asyncio.create_task(work()) for work in works]
        try:
            done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            for loop in done:
                loop.result()
        finally:
            for task in [*loops, *self._background]:
                task.cancel()
            await asyncio.gather(*loops, *self._background, return_exceptions=True)
            listener.close()
            await self._leave()

    async def _leave(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.end()
        with contextlib.suppress(errors.StoreError):
            await self._in_store(lambda: self._store.triggers.release(self._triggerer))
            if len(self._watching):
                await self._in_store(lambda: self._store.watchers.release(self._triggerer))
            await self._in_store(lambda: self._store.jobs.end(self._job, clock.now()))
        self._database.shutdown()
        self._answers.shutdown(wait=False, cancel_futures=True)

    # -------------------------------------------------------------------------------------- being known

    @property
    def _triggerer(self) -> str:
        return f"{self._hostname}:{self._job}"

    def _register(self) -> int:
        now = clock.now()
        for job in self._store.jobs.alive(now, job_type=JOB_TYPE, within=self._alive_seconds):
            # An earlier one of this machine that was killed: its triggers need not wait for its heartbeat to expire.
            if job.hostname == self._hostname and not _exists(job.pid):
                self._store.jobs.end(job.id, now, "failed")
        return self._store.jobs.start(JOB_TYPE, hostname=self._hostname, pid=os.getpid(), now=now)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._beat_seconds)
            with contextlib.suppress(errors.Unavailable):
                if not await self._in_store(lambda: self._store.jobs.heartbeat(self._job, clock.now())):
                    raise DeposedError("this triggerer was taken for dead; its triggers may run elsewhere")

    # ------------------------------------------------------------------------------------ claiming, ending

    def _heard(self, notice: Notice) -> None:
        if notice.topic == "trigger" or self._held:
            self._wake.set()

    async def _look(self) -> None:
        while True:
            self._wake.clear()
            if self._child is not None:
                try:
                    await self._end_unwanted()
                    await self._claim()
                    room = self._capacity - len(self._held)
                    await self._watching.look(self._triggerer, alive=self._others, room=room)
                except errors.Unavailable as error:
                    log.warning("the database cannot be reached; trying again", error=str(error))
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._wake.wait()

    async def _end_unwanted(self) -> None:
        if not self._held:
            return
        held = set(self._held)  # before asking: what is claimed meanwhile is not in the answer
        live = await self._in_store(lambda: self._store.triggers.live(self._triggerer))
        for number in held - live - self._ending:
            if number in self._held and self._child is not None:
                self._ending.add(number)
                self._child.send(triggering.CancelTrigger(id=number))

    async def _claim(self) -> None:
        room = self._capacity - len(self._held) - len(self._watching)
        if room <= 0:
            return
        claimed = await self._in_store(
            lambda: self._store.triggers.claim(self._triggerer, alive=self._others(), limit=room, queues=self._queues)
        )
        for trigger in claimed:
            if trigger.unreadable is not None:
                await self._fire(trigger.id, failure=trigger.unreadable)
                continue
            self._held[trigger.id] = trigger
            self._start(trigger)

    def _others(self) -> list[str]:
        alive = self._store.jobs.alive(clock.now(), job_type=JOB_TYPE, within=self._alive_seconds)
        return [f"{job.hostname}:{job.id}" for job in alive]

    def _start(self, trigger: Trigger) -> None:
        if self._child is None:
            return  # it is started with all others, when there is a runner again
        owner, path = None, None
        if trigger.owner is not None and trigger.ti_id is not None:
            dag_id, run_id, task_id, map_index, try_number = trigger.owner
            owner = triggering.TriggerOwner(
                id=trigger.ti_id,
                dag_id=dag_id,
                run_id=run_id,
                task_id=task_id,
                map_index=map_index,
                try_number=try_number,
            )
            path = task_logs.try_log_path(dag_id, run_id, task_id, map_index, try_number)
        self._child.send(
            triggering.StartTrigger(
                id=trigger.id,
                classpath=trigger.classpath,
                kwargs=trigger.kwargs,
                owner=owner,
                log_path=path,
                templates=trigger.templates,
            )
        )

    # ------------------------------------------------------------------------------------------ the runner

    async def _keep_runner(self) -> None:
        """Have a runner, and start all triggers again in the next one when it dies."""
        deaths = 0
        while True:
            await asyncio.sleep(_RESTART_SECONDS[min(deaths, len(_RESTART_SECONDS) - 1)])
            self._child = child = await Child.start(self._environ)
            begun = clock.monotonic()
            for trigger in self._held.values():
                self._start(trigger)
            self._watching.start_all()
            self._wake.set()
            await self._listen(child)
            self._child = None
            status = await child.end(at_once=True)
            self._held = {number: held for number, held in self._held.items() if number not in self._ending}
            self._ending.clear()
            deaths = 1 if clock.monotonic() - begun > 60 else deaths + 1
            log.error("the trigger runner died; starting its triggers anew", status=status, triggers=len(self._held))

    async def _listen(self, child: Child) -> None:
        while (message := await child.receive()) is not None:
            if isinstance(message, triggering.RunnerStarted):
                self.ready()
            elif isinstance(message, triggering.TriggerAsked):
                self._in_background(self._reply(child, message))
            elif isinstance(message, triggering.TriggerEmitted):
                self._in_background(self._watching.emitted(message, self._triggerer))
            elif isinstance(message, triggering.TriggerFailed | triggering.TriggerEnded) and message.id < 0:
                self._in_background(self._watching.ended(message.id, getattr(message, "failure", None)))
            elif isinstance(message, triggering.TriggerFired):
                self._in_background(self._over(message.id, payload=message.payload))
            elif isinstance(message, triggering.TriggerFailed):
                self._in_background(self._over(message.id, failure=message.failure))
            elif isinstance(message, triggering.TriggerEnded):
                self._forget(message.id)
            elif isinstance(message, triggering.LoopBlocked) and await self._is_stuck(message):
                return

    async def _is_stuck(self, message: triggering.LoopBlocked) -> bool:
        """Report a blocked loop; after `[triggerer] runner_health_check_threshold` seconds fail who blocks it."""
        held = self._held.get(message.id)
        log.warning(
            "a trigger blocks the event loop, and all others with it",
            trigger=held.classpath if held else message.id,
            task=".".join(map(str, held.owner[:3])) if held and held.owner else None,
            seconds=message.seconds,
            where=message.where,
        )
        if message.seconds < self._blocked_limit or (held is None and message.id >= 0):
            return False
        failure = f"the trigger blocked the event loop for {message.seconds:g} s, at\n{message.where}"
        if held is None:
            self._in_background(self._watching.ended(message.id, failure))
        else:
            await self._over(message.id, failure=failure)
        return True

    async def _reply(self, child: Child, question: triggering.TriggerAsked) -> None:
        held = self._held.get(question.id)
        key = wire.TryKey(held.ti_id, held.seq or 0) if held is not None and held.ti_id is not None else None
        loop = asyncio.get_running_loop()
        try:
            body = await loop.run_in_executor(self._answers, self._answer, key, question.body)
        except errors.StoreError as error:
            body = wire.Problem("unavailable", str(error))
        child.send(triggering.Answered(n=question.n, body=body))

    async def _over(self, number: int, *, payload: bytes | None = None, failure: str | None = None) -> None:
        await self._fire(number, payload=payload, failure=failure)
        self._forget(number)

    async def _fire(self, number: int, *, payload: bytes | None = None, failure: str | None = None) -> None:
        while True:
            try:
                await self._in_store(
                    lambda: self._store.triggers.fire(number, clock.now(), payload=payload, failure=failure)
                )
                return
            except errors.Unavailable as error:
                log.warning("the database cannot be reached; the event is kept", trigger=number, error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    def _forget(self, number: int) -> None:
        was_full = len(self._held) >= self._capacity
        self._held.pop(number, None)
        self._ending.discard(number)
        if was_full:
            self._wake.set()

    # ---------------------------------------------------------------------------------------------- plumbing

    def _send(self, message: Any) -> None:
        if self._child is not None:
            self._child.send(message)

    async def _in_store(self, verb: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._database, verb)

    def _in_background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background_over)

    def _background_over(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the triggerer could not do its part for a trigger", exc_info=error)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
