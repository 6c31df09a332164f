"""The parent of the control-side processes: it imports what they share once, and forks each of them.

Why: what the scheduler, the dag-processor, the api-server and the triggerer import alike is in memory once, and one
that died is back in milliseconds. It has one thread and opens nothing, so that forking it is safe. Only control-side
code runs below it: user code never shares a process tree with the database URL.

It speaks JSON lines over a socketpair with the supervisor: {"fork": name, "argv": […], "log": path} is answered by
{"forked": name, "pid": n}, and the end of a child by {"exited": n, "status": s}. When the supervisor is gone it ends
its children and itself.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from gnomon.service.logs import import_structlog

#: Modules that two or more control-side processes need; a missing one is that process's own problem.
SHARED = (
    "asyncio",
    "gnomon.service.logs",
    "gnomon.service.service",
    "gnomon.api.execution.handlers",
    "gnomon.scheduler.service",
)


def main(channel: int) -> None:
    """Serve fork requests that arrive on the file descriptor `channel` until it is closed."""
    peer = socket.socket(fileno=channel)
    wake_read, wake_write = os.pipe()
    for end in (wake_read, wake_write):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the supervisor ends us by closing the channel
    signal.set_wakeup_fd(wake_write)
    _import_store()
    _say(peer, {"ready": os.getpid()})
    children: set[int] = set()
    try:
        _serve(peer, wake_read, children)
    finally:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def _import_store() -> None:
    """Import what preparing the database takes; that goes on in a child while the rest is imported here."""
    import_structlog()
    importlib.import_module("gnomon.store.engine")
    importlib.import_module("gnomon.cli.parts")
    with contextlib.suppress(Exception):  # whoever connects says what is wrong with it
        _import_driver()


def _import_driver() -> None:
    """Import the driver of the database: 6 MB in each process that would do it by itself."""
    from sqlalchemy import make_url

    from gnomon.service.config import conf

    make_url(conf.get("database", "sql_alchemy_conn")).get_dialect().import_dbapi()


@functools.cache
def _import_rest() -> None:
    for name in SHARED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # What exists now is never collected, so that a collection in a child does not touch (and copy) its pages.
    gc.collect()
    gc.freeze()


def _serve(peer: socket.socket, wake: int, children: set[int]) -> None:
    buffer = b""
    while True:
        ready, _, _ = select.select([peer.fileno(), wake], [], [])
        if wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
            _reap(peer, children)
        if peer.fileno() in ready:
            data = peer.recv(65536)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                order = json.loads(line)
                prepares = order["fork"] == "prepare"
                if not prepares:
                    _import_rest()
                pid = _fork(order, peer, wake)
                children.add(pid)
                _say(peer, {"forked": order["fork"], "pid": pid})
                if prepares:
                    _import_rest()


def _reap(peer: socket.socket, children: set[int]) -> None:
    while children:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        children.discard(pid)
        _say(peer, {"exited": pid, "status": os.waitstatus_to_exitcode(status)})


def _say(peer: socket.socket, message: dict[str, Any]) -> None:
    # A supervisor that is gone is noticed by the next read.
    with contextlib.suppress(OSError):
        peer.sendall(json.dumps(message).encode() + b"\n")


def _fork(order: dict[str, Any], peer: socket.socket, wake: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the supervisor, which ends us in order
        peer.close()
        os.close(wake)
        _redirect(order["log"])
        from gnomon.cli.parts import run_part

        code = run_part(order["fork"], order["argv"])
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else 0 if leave.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _redirect(path: str) -> None:
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


if __name__ == "__main__":
    main(int(sys.argv[1]))
