"""The parts of the trigger runner that need no process."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gnomon.sdk.runtime.channel import ChannelClosedError
from gnomon.triggerer import runner_logs
from gnomon.triggerer.runner import RunnerChannel
from gnomon.wire import execution as wire
from gnomon.wire import framing, triggering


@pytest.fixture
def pair() -> Iterator[tuple[RunnerChannel, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield RunnerChannel(ours), theirs


def next_question(peer: socket.socket) -> triggering.TriggerAsked:
    payload = framing.read_frame(peer)
    assert payload is not None
    question = wire.decoder(triggering.FromRunner).decode(payload)
    assert isinstance(question, triggering.TriggerAsked)
    return question


def test_each_trigger_gets_the_answer_to_its_own_question(pair: tuple[RunnerChannel, socket.socket]) -> None:
    channel, peer = pair
    answers: dict[str, wire.Reply] = {}

    def ask(key: str) -> None:
        answers[key] = channel.ask(wire.GetVariable(key))

    threads = [threading.Thread(target=ask, args=(key,)) for key in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for question in reversed([next_question(peer) for _ in threads]):
        assert isinstance(question.body, wire.GetVariable)
        reply = wire.VariableFound(question.body.key, question.body.key.upper())
        channel.answered(triggering.Answered(n=question.n, body=reply))
    for thread in threads:
        thread.join(10)

    assert answers == {key: wire.VariableFound(key, key.upper()) for key in ("a", "b", "c")}


def test_a_coroutine_waits_without_holding_up_the_loop(pair: tuple[RunnerChannel, socket.socket]) -> None:
    channel, peer = pair

    async def main() -> wire.Reply:
        runner_logs.enter(7, None)
        asking = asyncio.create_task(channel.ask_async(wire.GetVariable("x")))
        await asyncio.sleep(0)
        question = next_question(peer)
        assert question.id == 7
        assert not asking.done()
        channel.answered(triggering.Answered(n=question.n, body=wire.Done()))
        return await asking

    assert asyncio.run(main()) == wire.Done()


def test_when_the_triggerer_is_gone_nobody_waits_for_ever(pair: tuple[RunnerChannel, socket.socket]) -> None:
    channel, _ = pair
    waiting = channel._ask(wire.GetVariable("x"))
    channel.close()

    with pytest.raises(ChannelClosedError):
        waiting.result(5)
    with pytest.raises(ChannelClosedError):
        channel.ask(wire.GetVariable("y"))


def test_an_answer_that_nobody_waits_for_is_dropped(pair: tuple[RunnerChannel, socket.socket]) -> None:
    pair[0].answered(triggering.Answered(n=99, body=wire.Done()))


# --------------------------------------------------------------------------------------------------- logs


def events(path: Path) -> list[tuple[str, str]]:
    return [(line["logger"], line["event"]) for line in map(json.loads, path.read_text().splitlines())]


def inside(number: int, path: Path, work: Any) -> None:
    def enter() -> None:
        runner_logs.enter(number, str(path))
        work()

    contextvars.copy_context().run(enter)


def test_each_trigger_logs_and_prints_into_its_own_file(tmp_path: Path) -> None:
    handler, stream = runner_logs._Handler(), runner_logs._Stream("trigger.stdout", "info", io.StringIO())

    def work() -> None:
        handler.emit(logging.makeLogRecord({"name": "x", "msg": "said %s", "args": (1,), "levelno": 20}))
        stream.write("two\nlines\n")

    for number in (1, 2):
        inside(number, tmp_path / f"{number}.log", work)

    expected = [("x", "said 1"), ("trigger.stdout", "two"), ("trigger.stdout", "lines")]
    assert events(tmp_path / "1.log") == events(tmp_path / "2.log") == expected


def test_a_line_printed_in_pieces_is_one_line(tmp_path: Path) -> None:
    stream = runner_logs._Stream("trigger.stdout", "info", io.StringIO())
    inside(1, tmp_path / "log", lambda: [stream.write(part) for part in ("a", "b", "\n")])

    assert events(tmp_path / "log") == [("trigger.stdout", "ab")]


def test_what_no_trigger_prints_goes_where_it_went(tmp_path: Path) -> None:
    original = io.StringIO()
    runner_logs._Stream("trigger.stdout", "info", original).write("hello")

    assert original.getvalue() == "hello"
    assert runner_logs.current_id() == 0


def test_a_log_that_cannot_be_written_does_not_end_the_trigger() -> None:
    runner_logs.write("/proc/nowhere/x.log", "event", level="info", logger="x")
