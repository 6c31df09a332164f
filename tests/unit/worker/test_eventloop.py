"""The event loop: streams, timers, signals."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon.wire import framing
from gnomon.worker.eventloop import EventLoop, Listener, Stream


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    """A loop whose streams and their peers are closed in the end."""
    loop = EventLoop()
    yield loop
    for sock in _open:
        sock.close()
    _open.clear()
    loop.abandon()


_open: list[Stream | socket.socket] = []


def _turn_until(loop: EventLoop, done: Callable[[], bool]) -> None:
    guard = loop.call_later(10, loop.stop)
    while not done():
        assert not loop._stopped, "it did not happen"
        loop.turn()
    guard.cancel()


def _pair(loop: EventLoop) -> tuple[Stream, list[bytes], list[str], socket.socket]:
    ours, its = socket.socketpair()
    frames: list[bytes] = []
    ends: list[str] = []
    stream = Stream(loop, ours, lambda _, payload: frames.append(payload), lambda _: ends.append("closed"))
    _open.extend((stream, its))
    return stream, frames, ends, its


def test_frames_arrive_whole_and_the_end_is_told_once_after_the_last(loop: EventLoop) -> None:
    stream, frames, ends, peer = _pair(loop)
    peer.sendall(framing.pack(b"one") + framing.pack(b"two")[:4])
    _turn_until(loop, lambda: frames == [b"one"])
    peer.sendall(b"two")
    peer.close()
    _turn_until(loop, lambda: bool(ends))

    assert frames == [b"one", b"two"]
    assert (ends, stream.closed) == (["closed"], True)


def test_what_is_sent_in_one_turn_goes_out_together_also_before_the_first_turn(loop: EventLoop) -> None:
    stream, _, _, peer = _pair(loop)
    stream.send(b"a")
    stream.send(b"b")
    loop.turn()
    assert peer.recv(100) == framing.pack(b"a") + framing.pack(b"b")


def test_more_than_the_peer_takes_at_once_arrives_when_it_reads(loop: EventLoop) -> None:
    stream, _, ends, peer = _pair(loop)
    payload = os.urandom(3_000_000)
    stream.send(payload)
    peer.setblocking(False)
    got = bytearray()

    def received() -> bool:
        with contextlib.suppress(BlockingIOError):
            while chunk := peer.recv(1 << 16):
                got.extend(chunk)
        return len(got) == len(payload) + 4

    _turn_until(loop, received)
    assert bytes(got[4:]) == payload
    assert not ends


def test_a_peer_that_is_gone_is_noticed_by_reading_not_by_writing(loop: EventLoop) -> None:
    stream, frames, ends, peer = _pair(loop)
    peer.sendall(framing.pack(b"last words"))
    peer.close()
    stream.send(b"too late")
    stream.flush()
    _turn_until(loop, lambda: bool(ends))
    assert frames == [b"last words"]


def test_a_frame_of_a_broken_peer_ends_the_stream(loop: EventLoop) -> None:
    _, frames, ends, peer = _pair(loop)
    peer.sendall(b"\xff\xff\xff\xff rubbish")
    _turn_until(loop, lambda: bool(ends))
    assert not frames


def test_drain_takes_all_that_has_arrived_by_now(loop: EventLoop) -> None:
    stream, frames, _, peer = _pair(loop)
    for n in range(100):
        peer.sendall(framing.pack(str(n).encode()))
    stream.drain()
    assert len(frames) == 100


def test_timers_run_in_order_and_not_when_cancelled(loop: EventLoop) -> None:
    seen: list[str] = []
    loop.call_later(0.02, lambda: seen.append("second"))
    loop.call_later(0.01, lambda: seen.append("first"))
    loop.call_later(0.005, lambda: seen.append("never")).cancel()
    _turn_until(loop, lambda: len(seen) == 2)
    assert seen == ["first", "second"]


def test_a_signal_is_handled_in_the_loop(loop: EventLoop) -> None:
    seen: list[int] = []
    before = signal.getsignal(signal.SIGUSR1)
    try:
        loop.on_signal(signal.SIGUSR1, lambda: seen.append(1))
        os.kill(os.getpid(), signal.SIGUSR1)
        _turn_until(loop, lambda: bool(seen))
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, before)
    assert seen == [1]


def test_a_listener_takes_all_that_wait(loop: EventLoop, tmp_path: Path) -> None:
    taken: list[socket.socket] = []
    listener = Listener(loop, str(tmp_path / "s"), taken.append)
    clients = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    for client in clients:
        client.connect(str(tmp_path / "s"))
    loop.turn()
    assert len(taken) == 20
    for sock in [*taken, *clients]:
        sock.close()
    listener.close()
