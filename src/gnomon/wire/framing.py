"""Frames: a 4-byte big-endian length, then one MessagePack message."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

#: A longer frame is refused: it is a broken peer or an XCom that belongs in object storage.
MAX_FRAME = 1 << 30
_HEADER = struct.Struct(">I")


class FrameError(Exception):
    """The peer sent something that is not a frame."""


def pack(payload: bytes) -> bytes:
    """Return one frame around `payload`."""
    return _HEADER.pack(len(payload)) + payload


class Splitter:
    """Cuts a byte stream into frames; feed it what arrives, take what is complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the payload of each frame that `data` completes.

        Raises:
            FrameError: a frame claims to be longer than `MAX_FRAME`.
        """
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= 4:
            (length,) = _HEADER.unpack_from(buffer, start)
            if length > MAX_FRAME:
                raise FrameError(f"a frame of {length} bytes was announced; at most {MAX_FRAME} are taken")
            end = start + 4 + length
            if len(buffer) < end:
                break
            yield bytes(buffer[start + 4 : end])
            start = end
        if start:
            del buffer[:start]


def read_frame(sock: socket.socket) -> bytes | None:
    """Block until one frame has arrived on `sock`; None at the end of the stream."""
    header = _read_exactly(sock, 4)
    if header is None:
        return None
    (length,) = _HEADER.unpack(header)
    if length > MAX_FRAME:
        raise FrameError(f"a frame of {length} bytes was announced; at most {MAX_FRAME} are taken")
    return _read_exactly(sock, length)


def _read_exactly(sock: socket.socket, count: int) -> bytes | None:
    chunks = bytearray()
    while len(chunks) < count:
        chunk = sock.recv(count - len(chunks))
        if not chunk:
            return None
        chunks += chunk
    return bytes(chunks)
