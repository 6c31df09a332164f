"""Which worker gets a workload."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gnomon.executors.local import LocalExecutor
from gnomon.wire import execution as wire
from gnomon.wire.framing import pack
from tests.fixtures.loops import run_within


def hello(name: str, *, slots: int, queues: list[str]) -> bytes:
    greeting = wire.WorkerHello(
        protocol=wire.PROTOCOL, name=name, incarnation="i", pid=1, hostname="h", slots=slots, queues=queues
    )
    return pack(wire.encode(greeting))


def placed(folder: Path, workers: dict[str, list[str]], queues: list[str]) -> list[str | None]:
    """Return who gets a workload of each queue, one after the other, from workers with two slots each."""

    async def scenario() -> list[str | None]:
        joined = asyncio.Semaphore(0)
        executor = LocalExecutor(folder / "s.sock")
        await executor.start(lambda event: joined.release(), lambda key, request: None)
        writers: list[Any] = []
        for name, served in workers.items():
            _, writer = await asyncio.open_unix_connection(str(folder / "s.sock"))
            writer.write(hello(name, slots=2, queues=served))
            writers.append(writer)
            await joined.acquire()
        found = [executor.place(queue) for queue in queues]
        for writer in writers:
            writer.close()
            await writer.wait_closed()
        await executor.stop()
        return [None if one is None else one.split("/")[0] for one in found]

    return run_within(10, scenario())


@pytest.mark.parametrize("queue", ["default", "gpu"])
def test_a_worker_that_names_no_queue_serves_all(airflow_home: Path, queue: str) -> None:
    assert placed(airflow_home, {"any": []}, [queue] * 3) == ["any", "any", None]


def test_a_worker_that_names_queues_serves_only_these(airflow_home: Path) -> None:
    assert placed(airflow_home, {"heavy": ["gpu", "big"]}, ["default", "big", "gpu"]) == [None, "heavy", "heavy"]


def test_the_worker_with_the_most_room_is_taken_among_those_of_the_queue(airflow_home: Path) -> None:
    workers = {"a": ["default"], "b": ["default", "gpu"]}
    found = placed(airflow_home, workers, ["gpu", "default", "default", "default", "default"])
    assert found[0] == "b"
    assert sorted(map(str, found[1:])) == ["None", "a", "a", "b"]
