"""Starts a parser process. Whoever is about to need one can do so before importing anything large of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import NamedTuple

from gnomon.service.environment import for_user_code, user_python


class StartedParser(NamedTuple):
    """A parser process, and the connection to it; it ends when that is closed."""

    process: subprocess.Popen[bytes]
    sock: socket.socket


def start_parser(python: str | None = None) -> StartedParser:
    """Start a parser.

    Args:
        python: the interpreter of user code, unless the environment names it.

    Raises:
        OSError: it cannot be started.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [python or user_python(), "-m", "gnomon.parsing.parser", str(theirs.fileno())],
            env=for_user_code(os.environ),
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    return StartedParser(process, ours)
