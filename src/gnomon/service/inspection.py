"""Asks user code about itself: plugins and providers, a connection test, a log kept elsewhere.

The control side imports none of it, so a child process does, with the user's interpreter and without secrets in its
environment. What it finds comes back as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from gnomon.service.config import conf
from gnomon.service.entry_points import entry_points
from gnomon.service.environment import for_user_code, user_python, user_site_packages

#: All providers of a large environment are imported for some of the questions.
_SECONDS = 180.0


class InspectionError(Exception):
    """User code could not be asked; the message says why."""


def inspect(what: str, about: Any = None, *, seconds: float = _SECONDS) -> Any:
    """Return the answer of a child process.

    Args:
        what: a question of `gnomon.parsing.inspection`.
        about: what it needs to know, in terms of JSON; not seen in lists of processes.
        seconds: how long it may take.

    Raises:
        InspectionError: there is no answer.
    """
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as answers:
        try:
            process = subprocess.Popen(
                [user_python(), "-P", "-m", "gnomon.parsing.inspection", what, str(write_end)],
                env=for_user_code(os.environ),
                pass_fds=(write_end,),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        finally:
            os.close(write_end)
        answer, said = _talk(what, process, answers, json.dumps(about).encode(), seconds)
    if not answer:
        last = (said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
        raise InspectionError(f"{what}: the process that was to look ended with code {process.returncode}: {last}")
    return json.loads(answer)


def _talk(
    what: str, process: subprocess.Popen[bytes], answers: Any, about: bytes, seconds: float
) -> tuple[bytes, bytes]:
    """Return (the answer, what else was said); the process and all that it has started are gone then."""
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(answers.read()), daemon=True)
    reader.start()
    with process:
        try:
            _, said = process.communicate(about, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise InspectionError(f"{what}: no answer within {seconds:g} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            reader.join()
    return found[0] if found else b"", said


def _plugins_folder() -> str:
    return os.path.expanduser(conf.get("core", "plugins_folder", fallback="") or "")


def plugins_may_be_there() -> bool:
    """Return whether there may be plugins, without looking into any file that may be one."""
    folder = _plugins_folder()
    if folder and any(name.endswith(".py") for _, _, names in os.walk(folder, followlinks=True) for name in names):
        return True
    return bool(entry_points("airflow.plugins", user_site_packages()))


class Remembered:
    """Answers that stay true until a package is installed, or the plugins or files that an answer names change."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[dict[str, int], Any]] = {}
        self._lock = threading.Lock()

    def ask(self, question: str) -> Any:
        """Return the answer to a question that is about nothing in particular.

        Raises:
            InspectionError: there is no answer.
        """
        plugins = _plugins_folder()
        asked = question, plugins
        with self._lock:
            if asked in self._known:
                stamps, answer = self._known[asked]
                if all(_stamp(path) == stamp for path, stamp in stamps.items()):
                    return answer
            folders = [*user_site_packages(), *filter(None, (plugins, *sys.path))]
            before = {path: _stamp(path) for path in folders}
            answer = inspect(question)
            files = answer.get("files", []) if isinstance(answer, dict) else []
            self._known[asked] = (before | {path: _stamp(path) for path in files}, answer)
            return answer


def _stamp(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
