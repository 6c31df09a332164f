"""Running a command so that its output is logged and its whole process group can be ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from tempfile import gettempdir
from typing import Any, NamedTuple

from gnomon.sdk.hook import BaseHook


class SubprocessResult(NamedTuple):
    """How a command ended."""

    exit_code: int
    output: str


@contextlib.contextmanager
def working_directory(cwd: str | None = None) -> Any:
    """Yield `cwd`, or a temporary folder that is removed afterwards."""
    if cwd is not None:
        yield cwd
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="airflowtmp", dir=gettempdir()) as folder:
        yield folder


class SubprocessHook(BaseHook):
    """Runs one command at a time."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sub_process: subprocess.Popen[bytes] | None = None

    def run_command(
        self,
        command: list[str],
        env: dict[str, str] | None = None,
        output_encoding: str = "utf-8",
        cwd: str | None = None,
    ) -> SubprocessResult:
        """Run a command, log each line, and return its exit code and its last line.

        Args:
            command: the program and its arguments.
            env: all of its environment; ours unless given.
            output_encoding: how to read what it prints.
            cwd: where to run; a temporary folder unless given.
        """
        self.log.info("Tmp dir root location: %s", gettempdir())
        with working_directory(cwd) as folder:
            self.log.info("Running command: %s", command)
            self.sub_process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=env if env is not None else os.environ,
                start_new_session=True,
            )
            self.log.info("Output:")
            line = ""
            output = self.sub_process.stdout
            assert output is not None
            try:
                for raw in iter(output.readline, b""):
                    line = raw.decode(output_encoding, errors="backslashreplace").rstrip()
                    self.log.info("%s", line)
                self.sub_process.wait()
            except Exception:
                output.close()
                raise
            # Left open when a timeout or a termination comes: on_kill sends SIGTERM then, and what the command says
            # while it cleans up must not end it with SIGPIPE.
            output.close()
            self.log.info("Command exited with return code %s", self.sub_process.returncode)
            return SubprocessResult(exit_code=self.sub_process.returncode, output=line)

    def send_sigterm(self) -> None:
        """End the command and everything it started."""
        self.log.info("Sending SIGTERM signal to process group")
        if self.sub_process is not None and self.sub_process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(os.getpgid(self.sub_process.pid), signal.SIGTERM)
