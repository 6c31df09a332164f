"""The connection of a task to its worker: shared by threads, and safe from signals at any moment."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gnomon.sdk.runtime import channel as channels
from gnomon.sdk.runtime.channel import ChannelClosedError, SocketChannel
from gnomon.wire import execution as wire
from gnomon.wire import framing


class Peer:
    """The worker's end: answers variables with their key, after `delay` gates."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.seen: list[Any] = []
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def say(self, message: Any) -> None:
        self.sock.sendall(framing.pack(wire.encode(message)))

    def _serve(self) -> None:
        decode = wire.decoder(wire.FromTask).decode
        while (payload := framing.read_frame(self.sock)) is not None:
            message = decode(payload)
            self.seen.append(message)
            if isinstance(message, wire.Ask):
                self.asked.set()
                self.gate.wait(10)
                self.say(wire.VariableFound(message.body.key, message.body.key.upper()))


@pytest.fixture
def pair() -> Iterator[tuple[SocketChannel, Peer]]:
    ours, theirs = socket.socketpair()
    channel, peer = SocketChannel(ours), Peer(theirs)
    yield channel, peer
    channel.close()
    peer.thread.join(10)
    theirs.close()


def ask(channel: Any, key: str) -> str:
    reply = channel.ask(wire.GetVariable(key))
    assert isinstance(reply, wire.VariableFound)
    return reply.value


def test_a_question_gets_its_answer(pair: tuple[SocketChannel, Peer]) -> None:
    channel, _ = pair

    assert ask(channel, "a") == "A"


def test_threads_share_one_channel_and_each_gets_its_own_answer(pair: tuple[SocketChannel, Peer]) -> None:
    channel, _ = pair
    wrong: list[str] = []

    def work(name: str) -> None:
        for number in range(50):
            key = f"{name}{number}"
            if ask(channel, key) != key.upper():
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert wrong == []


def test_a_coroutine_asks_without_holding_up_its_loop(pair: tuple[SocketChannel, Peer]) -> None:
    channel, peer = pair
    peer.gate.clear()
    channels.set_channel(channel)

    async def main() -> tuple[int, wire.Reply]:
        question = asyncio.create_task(channels.ask_async(wire.GetVariable("x")))
        turns = 0
        while not peer.asked.is_set():
            turns += 1
            await asyncio.sleep(0)
        peer.gate.set()
        return turns, await question

    try:
        turns, reply = asyncio.run(main())
    finally:
        channels.set_channel(None)

    assert turns > 0
    assert reply == wire.VariableFound("x", "X")


class Interruption(BaseException):
    """Raised as a signal handler would."""


def test_the_answer_to_an_interrupted_question_is_skipped_by_the_next(
    pair: tuple[SocketChannel, Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, peer = pair
    peer.gate.clear()
    polls = 0

    class Poll:
        def poll(self) -> None:
            nonlocal polls
            polls += 1
            if polls == 1:
                peer.asked.wait(10)
                channel.interrupt(Interruption())

    monkeypatch.setattr(channel, "_readable", Poll())
    with pytest.raises(Interruption):
        channel.ask(wire.GetVariable("first"))
    peer.gate.set()

    assert ask(channel, "second") == "SECOND"
    assert ask(channel, "third") == "THIRD"


def test_an_interruption_while_bytes_move_waits_until_the_message_is_whole(
    pair: tuple[SocketChannel, Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, peer = pair
    pack = framing.pack
    original = channel._sock

    class Sock:
        def sendall(self, data: bytes) -> None:
            half = len(data) // 2
            original.sendall(data[:half])
            assert channel.busy()
            channel.interrupt(Interruption())  # does not raise here
            original.sendall(data[half:])

        def __getattr__(self, name: str) -> Any:
            return getattr(original, name)

    monkeypatch.setattr(channel, "_sock", Sock())
    with pytest.raises(Interruption):
        channel.tell(wire.PutVariable("k", "v"))
    monkeypatch.setattr(channel, "_sock", original)

    assert ask(channel, "next") == "NEXT"
    assert wire.Tell(body=wire.PutVariable("k", "v")) in peer.seen
    assert pack is framing.pack


def test_go_aheads_and_answers_do_not_mix(pair: tuple[SocketChannel, Peer]) -> None:
    channel, peer = pair
    key = wire.TryKey(1, 1)
    peer.say(wire.Proceed(key=key, ok=True))

    assert ask(channel, "a") == "A"
    assert channel.proceed() == wire.Proceed(key=key, ok=True)


def test_a_runner_of_many_tries_takes_one_launch_and_one_go_ahead_each() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = SocketChannel(ours, wire.ToRunner)
        launches = [
            wire.Launch(workload=wire.CallbackWorkload(id=n, kind="dag_success", file=FILE, run=RUN), log_path="/l")
            for n in (1, 2)
        ]
        for number, launch in enumerate(launches):
            theirs.sendall(framing.pack(wire.encode(launch)))
            theirs.sendall(framing.pack(wire.encode(wire.Proceed(key=wire.TryKey(number, 1), ok=True))))

        taken = [(channel.launch().workload.id, channel.proceed().key.ti) for _ in launches]  # type: ignore[union-attr]

    assert taken == [(1, 0), (2, 1)]


def test_a_worker_that_is_gone_is_said_so() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        channel = SocketChannel(ours)
        theirs.close()

        with pytest.raises(ChannelClosedError):
            channel.proceed()


def test_outside_of_tasks_there_is_no_channel() -> None:
    assert channels.get_channel() is None
    with pytest.raises(RuntimeError, match="only possible while a task"):
        channels.require_channel()


FILE = wire.FileRef("dags", "/d.py", "d.py", "h")
RUN = wire.msgspec.Raw(b"\x80")
