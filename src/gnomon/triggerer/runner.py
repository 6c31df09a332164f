"""Runs triggers, which are user code, in one event loop: `python -m gnomon.triggerer.runner <descriptor>`.

A thread of its own reads the socket, so that a trigger may ask for a connection from the event loop, from a thread or
from a coroutine, and gets its answer in each case. Another one measures whether the loop still turns: one trigger that
blocks it holds up all others, so it is named, with the line it is at.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from typing import Any

from gnomon.sdk.runtime import values
from gnomon.sdk.runtime.channel import ChannelClosedError, set_channel
from gnomon.sdk.runtime.task_end import TASK_END
from gnomon.service.config import conf
from gnomon.triggerer import runner_logs
from gnomon.wire import execution as wire
from gnomon.wire import framing, triggering

log = logging.getLogger("gnomon.triggerer.runner")

#: How often the loop is measured while it has triggers.
_MEASURE_SECONDS = 0.5


class RunnerChannel:
    """The socket to the triggerer, for all triggers of this process."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, concurrent.futures.Future[wire.Reply]] = {}
        self._closed = False

    def ask(self, request: wire.Request) -> wire.Reply:
        """Send a request of the current trigger and wait for the reply, in whatever thread this is."""
        return self._ask(request).result()

    async def ask_async(self, request: wire.Request) -> wire.Reply:
        """Send a request and wait for the reply without holding up the loop."""
        return await asyncio.wrap_future(self._ask(request))

    def tell(self, request: wire.Request) -> None:
        """Send a request whose reply is of no interest."""
        self._ask(request)

    def say(self, message: Any) -> None:
        """Send a message to the triggerer."""
        frame = framing.pack(wire.encode(message))
        with self._lock:
            self._sock.sendall(frame)

    def answered(self, answer: triggering.Answered) -> None:
        """Hand a reply to whoever waits for it."""
        waiting = self._waiting.pop(answer.n, None)
        if waiting is not None and not waiting.cancelled():
            waiting.set_result(answer.body)

    def close(self) -> None:
        """Fail what still waits."""
        self._closed = True
        for waiting in list(self._waiting.values()):
            if not waiting.done():
                waiting.set_exception(ChannelClosedError("the triggerer is gone"))

    def _ask(self, request: wire.Request) -> concurrent.futures.Future[wire.Reply]:
        if self._closed:
            raise ChannelClosedError("the triggerer is gone")
        future: concurrent.futures.Future[wire.Reply] = concurrent.futures.Future()
        number = next(self._numbers)
        self._waiting[number] = future
        self.say(triggering.TriggerAsked(n=number, id=runner_logs.current_id(), body=request))
        return future


class Runner:
    """The triggers of this process."""

    def __init__(self, channel: RunnerChannel, loop: asyncio.AbstractEventLoop) -> None:
        self._channel = channel
        self._loop = loop
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._unwanted: set[int] = set()
        #: watchers that wait until their last event is stored
        self._storing: dict[int, asyncio.Event] = {}
        self.over = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether there is any trigger."""
        return bool(self._tasks)

    def receive(self, message: triggering.StartTrigger | triggering.CancelTrigger | triggering.EventStored) -> None:
        """Start or end a trigger, or let it go on; in the loop."""
        if isinstance(message, triggering.EventStored):
            if (stored := self._storing.get(message.id)) is not None:
                stored.set()
        elif isinstance(message, triggering.StartTrigger):
            if message.id not in self._tasks:
                task = self._loop.create_task(self._run(message), name=f"trigger {message.id}")
                self._tasks[message.id] = task
        elif (task := self._tasks.get(message.id)) is not None:  # type: ignore[assignment]
            if message.unwanted:
                self._unwanted.add(message.id)
            task.cancel()
        else:
            self._channel.say(triggering.TriggerEnded(id=message.id))

    async def stop(self) -> None:
        """Cancel all triggers and wait until they have cleaned up."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=10)

    async def _run(self, start: triggering.StartTrigger) -> None:
        runner_logs.enter(start.id, start.log_path)
        trigger: Any = None
        report: Any = None
        try:
            trigger = await _make(start)
            if start.watches is not None:
                await self._watch(start.id, trigger)
                return
            event = await _first_event(trigger)
            report = triggering.TriggerFired(id=start.id, payload=values.encode(_payload(event)))
            logging.getLogger("airflow.triggers").info("Trigger fired: %s", event)
        except asyncio.CancelledError:
            report = triggering.TriggerEnded(id=start.id)
            if trigger is not None and start.id in self._unwanted:
                await _on_kill(trigger)
        except BaseException as error:
            report = triggering.TriggerFailed(id=start.id, failure=_traceback(error))
            logging.getLogger("airflow.triggers").exception("Trigger failed")
        finally:
            if trigger is not None:
                await _clean_up(trigger)
            self._tasks.pop(start.id, None)
            self._storing.pop(start.id, None)
            self._unwanted.discard(start.id)
            with contextlib.suppress(OSError):
                self._channel.say(report or triggering.TriggerEnded(id=start.id))

    async def _watch(self, number: int, trigger: Any) -> None:
        """Report each event, and go on when it is stored."""
        events = trigger.run()
        try:
            async for event in events:
                stored = self._storing[number] = asyncio.Event()
                self._channel.say(triggering.TriggerEmitted(id=number, payload=values.encode(event.payload)))
                await stored.wait()
        finally:
            if hasattr(events, "aclose"):
                await events.aclose()


async def _make(start: triggering.StartTrigger) -> Any:
    # In a thread: importing a provider's module may take a second, and the other triggers must not wait for it.
    cls = await asyncio.to_thread(values.import_string, start.classpath)
    trigger = cls(**values.decode(start.kwargs))
    trigger.trigger_id = start.id
    if start.owner is not None:
        trigger.task_instance = _owner(start.owner)
    if start.watches is not None:
        trigger.asset_state_store = _states_of(start.watches)
    if start.templates is not None and start.owner is not None:
        from gnomon.triggerer.templates import render

        await asyncio.to_thread(render, trigger, start.owner, start.templates)  # it may ask for variables and XComs
    return trigger


def _states_of(assets: list[tuple[str, str]]) -> Any:
    from gnomon.sdk.assets import Asset
    from gnomon.sdk.runtime.state_store import AssetStateStores

    return AssetStateStores([Asset(name=name, uri=uri) for name, uri in assets])


def _owner(owner: triggering.TriggerOwner) -> Any:
    from types import SimpleNamespace

    from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance, TaskInstanceKey
    from gnomon.wire.identity import ti_uuid

    names = {name: getattr(owner, name) for name in ("dag_id", "run_id", "task_id", "map_index", "try_number")}
    key = TaskInstanceKey(owner.dag_id, owner.task_id, owner.run_id, owner.try_number, owner.map_index)
    questions = {
        name: getattr(RuntimeTaskInstance, name)
        for name in ("get_ti_count", "get_task_states", "get_dr_count", "get_dagrun_state")
    }
    return SimpleNamespace(**names, **questions, id=ti_uuid(owner.id), key=key, state="deferred")


async def _first_event(trigger: Any) -> Any:
    events = trigger.run()
    try:
        async for event in events:
            return event
    finally:
        if hasattr(events, "aclose"):
            await events.aclose()
    raise RuntimeError(f"{type(trigger).__name__} ended without an event")


def _payload(event: Any) -> Any:
    """Return what the resumed task gets; an event that ends the task says so instead."""
    state = getattr(event, "task_instance_state", None)
    return event.payload if state is None else {TASK_END: str(state), "xcoms": event.xcoms or {}}


async def _on_kill(trigger: Any) -> None:
    on_kill = getattr(trigger, "on_kill", None)
    if on_kill is None:
        return
    try:
        result = on_kill()
        if asyncio.iscoroutine(result):
            async with asyncio.timeout(conf.getfloat("triggerer", "on_kill_timeout", fallback=30.0)):
                await result
    except (Exception, asyncio.CancelledError):
        logging.getLogger("airflow.triggers").exception("on_kill of the trigger failed")


async def _clean_up(trigger: Any) -> None:
    clean_up = getattr(trigger, "cleanup", None)
    if clean_up is None:
        return
    try:
        result = clean_up()
        if asyncio.iscoroutine(result):
            await result
    except (Exception, asyncio.CancelledError):
        logging.getLogger("airflow.triggers").exception("cleanup of the trigger failed")


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


# ------------------------------------------------------------------------------------------------- threads


def _read(sock: socket.socket, channel: RunnerChannel, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
    """Read from the triggerer until it is gone."""
    decode = wire.decoder(triggering.ToRunner).decode
    with contextlib.suppress(OSError):
        while (payload := framing.read_frame(sock)) is not None:
            message = decode(payload)
            if isinstance(message, triggering.Answered):
                channel.answered(message)
            else:
                loop.call_soon_threadsafe(runner.receive, message)
    channel.close()
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(runner.over.set)


def _measure(channel: RunnerChannel, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
    """Name the trigger that blocks the loop, for as long as this process lives."""
    threshold = conf.getfloat("triggerer", "blocked_main_thread_warning_threshold", fallback=0.2)
    main = threading.main_thread().ident
    idle = threading.Event()
    while not idle.wait(_MEASURE_SECONDS):
        if not runner.busy:
            continue
        turned = threading.Event()
        try:
            loop.call_soon_threadsafe(turned.set)
        except RuntimeError:
            return
        waited = 0.0
        step = threshold
        while not turned.wait(step):
            waited += step
            step = min(max(waited, threshold), 5.0)
            _report_block(channel, loop, main, waited)


def _report_block(channel: RunnerChannel, loop: asyncio.AbstractEventLoop, main: int | None, waited: float) -> None:
    task = asyncio.current_task(loop)
    name = task.get_name() if task is not None else ""
    number = int(name.removeprefix("trigger ")) if name.startswith("trigger ") else 0
    frame = sys._current_frames().get(main or 0)
    where = "".join(traceback.format_stack(frame, limit=6)) if frame is not None else ""
    with contextlib.suppress(OSError):
        channel.say(triggering.LoopBlocked(id=number, seconds=round(waited, 3), where=where))


async def _main(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    channel = RunnerChannel(sock)
    runner = Runner(channel, loop)
    set_channel(channel)
    loop.add_signal_handler(signal.SIGTERM, runner.over.set)
    loop.add_signal_handler(signal.SIGINT, runner.over.set)
    for work in (_read, _measure):
        arguments = (sock, channel, runner, loop) if work is _read else (channel, runner, loop)
        threading.Thread(target=work, args=arguments, daemon=True, name=work.__name__).start()
    channel.say(triggering.RunnerStarted(pid=os.getpid()))
    await runner.over.wait()
    await runner.stop()


def main(descriptor: int) -> None:
    """Serve triggers on a connected socket until it is closed."""
    from gnomon.worker import linux

    linux.die_with_parent(os.getppid())
    sock = socket.socket(fileno=descriptor)
    _prepare_imports()
    runner_logs.install()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(sock))
    sys.stderr.flush()
    os._exit(0)  # threads that block in user code must not keep the process


def _prepare_imports() -> None:
    from gnomon.parsing import project

    folder = conf.get("core", "dags_folder", fallback="") or ""
    project.prepare_sys_path(folder, project.roots(folder))


if __name__ == "__main__":
    # Under its own name too: a trigger that imports this module must find the one that runs.
    sys.modules["gnomon.triggerer.runner"] = sys.modules["__main__"]
    main(int(sys.argv[1]))
