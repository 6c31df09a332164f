"""Processes of this machine by pid: which one it is, whether it lives, what memory it takes, and ending it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import NamedTuple

_LINUX = sys.platform.startswith("linux")


class Process(NamedTuple):
    """A process: its pid, and when it started, because pids are used again."""

    pid: int
    started: str

    def alive(self) -> bool:
        """Say whether it is this very process that has the pid now, and that it has not ended."""
        return self.started != "" and start_time(self.pid) == self.started


def start_time(pid: int) -> str:
    """Return something that tells this process from later ones of the same pid; "" if there is none, or a zombie."""
    if _LINUX:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    found = subprocess.run(["ps", "-o", "lstart=,state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    text = " ".join(found.stdout.split())
    return "" if text.endswith(("Z", "Z+")) else text.rpartition(" ")[0]


def this() -> Process:
    """Return the current process."""
    return identify(os.getpid())


def identify(pid: int) -> Process:
    """Return the process that has a pid now."""
    return Process(pid, start_time(pid))


def send(process: Process, number: signal.Signals) -> bool:
    """Send a signal, if the process is still the same one; say whether it was."""
    if not process.alive():
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def wait_all(processes: Iterable[Process], seconds: float) -> list[Process]:
    """Wait until processes that are not our children have ended; return those that have not in time."""
    deadline = time.monotonic() + seconds
    return [process for process in processes if not _wait(process, deadline)]


def _wait(process: Process, deadline: float) -> bool:
    if hasattr(os, "pidfd_open"):
        import select

        try:
            handle = os.pidfd_open(process.pid)
        except OSError:
            return not process.alive()
        try:
            while process.alive():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                select.select([handle], [], [], left)
            return True
        finally:
            os.close(handle)
    while process.alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def end(processes: Iterable[Process], *, grace: float) -> list[Process]:
    """Ask processes to end with SIGTERM, end those that have not after `grace` seconds, and return these."""
    asked = [process for process in processes if send(process, signal.SIGTERM)]
    stubborn = wait_all(asked, grace)
    for process in stubborn:
        send(process, signal.SIGKILL)
    wait_all(stubborn, 5)
    return stubborn


def descendants(roots: Iterable[int]) -> dict[int, list[int]]:
    """Return for each root pid the pids of it and everything below it."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    trees = {}
    for root in roots:
        tree = [root]
        for pid in tree:
            tree.extend(children.get(pid, ()))
        trees[root] = tree
    return trees


def _parents() -> list[tuple[int, int]]:
    found = []
    if _LINUX:
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{name}/stat", "rb") as file:
                    found.append((int(name), int(file.read().rpartition(b")")[2].split()[1])))
        return found
    listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        pid, parent = line.split()
        found.append((int(pid), int(parent)))
    return found


def memory(pids: Iterable[int]) -> int:
    """Return the bytes that processes take: pages that several share are divided among them (PSS), where that is known."""
    if not _LINUX:
        listed = subprocess.run(
            ["ps", "-o", "rss=", "-p", ",".join(map(str, pids))], capture_output=True, text=True, check=False
        )
        return sum(int(line) for line in listed.stdout.split()) * 1024
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    total += int(line.split()[1]) * 1024
                    break
    return total


def die_with_parent() -> None:
    """Let the kernel end this process when its parent dies, where the kernel can (Linux)."""
    if _LINUX:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
