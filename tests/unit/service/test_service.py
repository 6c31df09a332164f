"""Start, ready, stop."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from gnomon.service.service import Service, ServiceDied, run_services
from tests.fixtures.loops import within


class Loop(Service):
    """Says what happens to it in `story`."""

    def __init__(self, name: str, story: list[str], *, stop_seconds: float = 5.0) -> None:
        super().__init__(name, stop_seconds=stop_seconds)
        self.story = story
        self.looping = asyncio.Event()
        self.die_of: BaseException | None = None
        self.die = asyncio.Event()

    async def run(self) -> None:
        self.story.append(f"{self.name} starts")
        self.ready()
        self.looping.set()
        try:
            await asyncio.wait(
                {asyncio.create_task(self.stopping.wait()), asyncio.create_task(self.die.wait())},
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self.die_of:
                raise self.die_of
        finally:
            self.story.append(f"{self.name} ends")


class Stubborn(Service):
    async def run(self) -> None:
        self.ready()
        await asyncio.Event().wait()


class NeverReady(Service):
    async def run(self) -> None:
        await self.stopping.wait()


class Broken(Service):
    async def run(self) -> None:
        raise OSError("the port is taken")


def test_stop_is_complete_and_may_be_repeated():
    async def story() -> list[str]:
        told: list[str] = []
        service = Loop("a", told)
        await service.start()
        assert told == ["a starts"]
        await service.stop()
        assert told == ["a starts", "a ends"]
        await service.stop()
        await service.wait()
        return told

    assert asyncio.run(story()) == ["a starts", "a ends"]


def test_stop_before_start_is_nothing():
    asyncio.run(Stubborn("x").stop())


def test_a_loop_that_does_not_end_is_cancelled():
    async def story() -> None:
        service = Stubborn("x", stop_seconds=0.01)
        await service.start()
        await service.stop()
        await service.wait()

    asyncio.run(story())


def test_a_loop_that_dies_before_it_is_ready_fails_its_start():
    async def story() -> None:
        with pytest.raises(ServiceDied, match="api died: OSError: the port is taken"):
            await Broken("api").start()

    asyncio.run(story())


def test_two_starts_are_a_mistake():
    async def story() -> None:
        service = Loop("a", [])
        await service.start()
        with pytest.raises(RuntimeError, match="a was started before"):
            await service.start()
        await service.stop()

    asyncio.run(story())


def test_stopped_within_tells_time_from_stop():
    async def story() -> tuple[bool, bool]:
        service = Loop("a", [])
        early = await service.stopped_within(0.001)
        service.stopping.set()
        return early, await service.stopped_within(60)

    assert asyncio.run(story()) == (False, True)


def test_a_cancellation_that_comes_with_what_was_waited_for_is_not_lost():
    """`asyncio.wait_for` of Python 3.11 loses it, and a loop around it runs on for ever."""

    async def story() -> None:
        service = Loop("a", [])
        waiting = asyncio.create_task(service.stopped_within(60))
        await asyncio.sleep(0)
        service.stopping.set()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(story())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_in_the_opposite_order(number):
    async def story() -> list[str]:
        told: list[str] = []
        first, second = Loop("first", told), Loop("second", told)
        running = asyncio.create_task(run_services([first, second]))
        await second.looping.wait()
        os.kill(os.getpid(), number)
        await running
        return told

    assert asyncio.run(story()) == ["first starts", "second starts", "second ends", "first ends"]


@pytest.mark.parametrize("cause", [ValueError("broken"), None])
def test_a_loop_that_dies_takes_the_others_down(cause):
    async def story() -> list[str]:
        told: list[str] = []
        first, second = Loop("first", told), Loop("second", told)
        running = asyncio.create_task(run_services([first, second]))
        await second.looping.wait()
        first.die_of = cause
        first.die.set()
        with pytest.raises(
            ServiceDied, match="first died: " + ("ValueError: broken" if cause else "its loop returned")
        ):
            await running
        return told

    assert sorted(asyncio.run(story())[2:]) == ["first ends", "second ends"]


def test_a_failed_start_stops_what_was_started():
    async def story() -> list[str]:
        told: list[str] = []
        with pytest.raises(ServiceDied, match="broken died: OSError"):
            await run_services([Loop("first", told), Broken("broken"), Loop("never", told)])
        return told

    assert asyncio.run(story()) == ["first starts", "first ends"]


def test_a_signal_during_a_start_is_heard():
    async def story() -> list[str]:
        told: list[str] = []
        first = Loop("first", told)
        running = asyncio.create_task(run_services([first, NeverReady("slow"), Loop("never", told)]))
        await first.looping.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await within(10, running)
        return told

    assert asyncio.run(story()) == ["first starts", "first ends"]
