"""Turns what went wrong in a user's file into a text for that user: their frames only, with file and line."""

from __future__ import annotations

import contextlib
import os
import re
import traceback
from collections.abc import Callable
from types import TracebackType

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: More frames than this help nobody; the innermost are kept.
_FRAMES = 20


def describe(error: BaseException, is_users: Callable[[str], bool]) -> str:
    """Return the traceback of `error`, and of what caused it, cut to the frames of the user's files.

    Args:
        is_users: tells by its path whether a file is the user's.
    """
    report = traceback.TracebackException.from_exception(error, compact=True)
    part: traceback.TracebackException | None = report
    seen: set[int] = set()
    while part is not None and id(part) not in seen:
        seen.add(id(part))
        part.stack = _cut(part.stack, is_users)
        part = part.__cause__ or (None if part.__suppress_context__ else part.__context__)
    # Of our own exceptions people know the names, not the modules.
    text = re.sub(r"^gnomon\.[\w.]+\.(?=[A-Z]\w*(:|$))", "", "".join(report.format()), flags=re.MULTILINE)
    return text.rstrip() + _hint(error)


def in_short(error: str, path: str) -> str:
    """Return what went wrong in a file, without the way there: the exception's own line."""
    lines = [line for line in error.strip().splitlines() if line.strip()]
    # A remark may follow the traceback after an empty line; the exception's own line says more.
    for line in reversed(lines):
        if re.match(r"^[\w.]+(Error|Exception|Warning|Exit|Interrupt|NotFound|Timeout)\b", line):
            return line
    return lines[-1].removeprefix(f"{path}: ") if lines else error


def without_secrets(text: str) -> str:
    """Return a text for many eyes: without the secrets that the file has asked for, or has in its environment."""
    from gnomon.sdk.secrets import CONN_ENV_PREFIX, VAR_ENV_PREFIX, EnvironmentVariablesBackend
    from gnomon.service.masking import masker

    for name, value in os.environ.items():
        if name.startswith(VAR_ENV_PREFIX):
            masker.add(value, name.removeprefix(VAR_ENV_PREFIX))
        elif name.startswith(CONN_ENV_PREFIX):
            # One that cannot be read is told to whoever asks for it.
            with contextlib.suppress(Exception):
                connection = EnvironmentVariablesBackend().get_connection(name.removeprefix(CONN_ENV_PREFIX))
                if connection is not None:
                    connection.mask()
    hidden: str = masker.redact(text)
    return hidden


def line_of(trace: TracebackType | None, is_users: Callable[[str], bool]) -> tuple[str, int] | None:
    """Return file and line of the innermost user's frame."""
    found = None
    for frame in traceback.extract_tb(trace):
        if is_users(frame.filename):
            found = (frame.filename, frame.lineno or 0)
    return found


def _cut(stack: traceback.StackSummary, is_users: Callable[[str], bool]) -> traceback.StackSummary:
    users = [frame for frame in stack if is_users(frame.filename)]
    if not users:
        users = [frame for frame in stack if not frame.filename.startswith((_OURS, "<frozen importlib"))]
    return traceback.StackSummary.from_list(users[-_FRAMES:])


def _hint(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "\n\nThe file ended its process (sys.exit or quit) while it was imported."
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.startswith("airflow.providers."):
        said = "The provider package that has this module is not installed: add it to requirements.txt"
        return f"\n\n{said}, then: gnomon env sync"
    return ""
