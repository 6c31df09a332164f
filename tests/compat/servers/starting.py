"""How each server starts on a machine without an init system."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.compat.environments import Environment
from tests.compat.servers.processes import accepts, folder, free_port, program, server


@contextlib.contextmanager
def redis() -> Iterator[int]:
    """Run Redis without persistence and yield its port."""
    port = free_port()
    command = [program("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with folder("gnrd-") as place, server(command, place / "log", lambda: accepts(port), cwd=place):
        yield port


@dataclass(frozen=True)
class Sshd:
    """A running sshd."""

    port: int
    folder: Path
    private_key: str
    host_key: str


@contextlib.contextmanager
def sshd() -> Iterator[Sshd]:
    """Run sshd with keys of its own; it lets in who has the private key, as the user of this process."""
    binary = program("sshd", "openssh-server")
    port = free_port()
    with folder("gnsh-") as place:
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-m", "PEM", "-f", place / name]
            subprocess.run(command, check=True)
        (place / "files").mkdir()
        settings = {
            "Port": port,
            "ListenAddress": "127.0.0.1",
            "HostKey": place / "host",
            "AuthorizedKeysFile": place / "user.pub",
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "Subsystem": "sftp internal-sftp",
        }
        (place / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself in before a login
        started = server([binary, "-D", "-e", "-f", place / "sshd_config"], place / "log", lambda: accepts(port))
        with started:
            host_key = " ".join((place / "host.pub").read_text().split()[:2])
            yield Sshd(port, place / "files", (place / "user").read_text(), host_key)


@contextlib.contextmanager
def smtp(stand_ins: Environment) -> Iterator[tuple[int, Path]]:
    """Run an SMTP server that keeps what it gets; yield its port and the Maildir."""
    port = free_port()
    with folder("gnsm-") as place:
        command = [stand_ins.python, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}"]
        command += ["-c", "aiosmtpd.handlers.Mailbox", place / "mail"]
        with server(command, place / "log", lambda: accepts(port)):
            yield port, place / "mail"
