"""The supervisor's events in words, and a line of progress while things start."""

from __future__ import annotations

import json
import shutil
import sys
from types import TracebackType
from typing import Any, Self


def line(event: dict[str, Any]) -> str | None:
    """Return one line about an event; None for those that nobody needs to read."""
    part = event.get("part", "")
    match event["event"]:
        case "prepared":
            return "; ".join(event["said"].splitlines()) or None
        case "running":
            return f"{part} runs, pid {event['pid']}, after {event['seconds']:.1f} s"
        case "died":
            again = "at once" if not event["delay"] else f"in {event['delay']:g} s"
            reason = last_message(event.get("why", ""))
            return f"{part} ended ({event['how']}), starts again {again}" + (f": {reason}" if reason else "")
        case "zygote-died":
            return "the parent of the control-side processes was killed; all of them start anew"
        case "failed":
            return f"{part} failed: {last_message(event['why'])}"
        case "killed":
            return f"{part} did not end in time and was killed"
        case "stopping":
            return "stopping"
        case _:
            return None


def last_message(log: str) -> str:
    """Return the last line of a log, without its JSON."""
    lines = [text for text in log.splitlines() if text.strip()]
    return message(lines[-1]) if lines else ""


def message(text: str) -> str:
    """Return what a log line says: the event of a JSON line, or the line itself."""
    if text.startswith("{"):
        try:
            return str(json.loads(text)["event"])
        except (ValueError, KeyError, TypeError):
            return text
    return text


def reasons(log: str) -> list[str]:
    """Return what the end of a log says about a failure: each warning and error once, and lines that are no JSON."""
    found = []
    for text in log.splitlines():
        try:
            entry = json.loads(text) if text.startswith("{") else None
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            found.append(text)
        elif entry.get("level") in ("warning", "error", "critical"):
            found += [str(entry.get("event", "")), *str(entry.get("exception") or "").splitlines()]
    return list(dict.fromkeys(line.rstrip() for line in found if line.strip()))


class ChangingLine:
    """A line of progress on a terminal, which the next one replaces; nothing on a pipe."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.erase()

    def draw(self, text: str) -> None:
        """Show a text in place of the one before."""
        if self._tty:
            # A line that the terminal wraps could not be taken back.
            room = max(shutil.get_terminal_size().columns - 3, 10)
            print(f"\r\x1b[K{text[:room]} …", end="", file=sys.stderr, flush=True)
            self._shown = True

    def erase(self) -> None:
        """Leave nothing of it."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown = False


class Progress(ChangingLine):
    """What happens while processes start; on a pipe only what matters is printed."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[str, None] = {}

    def __enter__(self) -> Self:
        self.draw("preparing the database")
        return self

    def show(self, event: dict[str, Any]) -> None:
        """Take note of an event."""
        name = event["event"]
        if name == "started":
            self._waiting[event["part"]] = None
        elif name == "running":
            self._waiting.pop(event["part"], None)
        said = line(event)
        if said and name not in ("running", "stopping", "failed"):
            self.erase()
            print(said, file=sys.stderr)
        self.draw(f"starting {', '.join(self._waiting)}" if self._waiting else "starting")
