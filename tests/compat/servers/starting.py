"""How each server starts on a machine without an init system."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.compat.environments import CACHE, Environment
from tests.compat.servers.processes import accepts, folder, free_port, program, server


@contextlib.contextmanager
def redis() -> Iterator[int]:
    """Run Redis without persistence and yield its port."""
    port = free_port()
    command = [program("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with folder("gnrd-") as place, server(command, place / "log", lambda: accepts(port), cwd=place):
        yield port


@contextlib.contextmanager
def mysql() -> Iterator[int]:
    """Run MariaDB with a database `trains` of a user `ada` (password `secret`); yield its port."""
    binary, client = program("mariadbd", "mariadb-server"), program("mariadb", "mariadb-server")
    port = free_port()
    with folder("gnmy-") as place:
        data = [f"--datadir={place}/data", *(["--user=root"] if os.getuid() == 0 else [])]
        install = [program("mariadb-install-db", "mariadb-server"), "--no-defaults", *data, "--skip-test-db"]
        subprocess.run([*install, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        socket = f"--socket={place}/socket"
        command = [binary, "--no-defaults", *data, f"--port={port}", "--bind-address=127.0.0.1", socket]
        make = "CREATE DATABASE trains; CREATE USER ada@localhost IDENTIFIED BY 'secret'; GRANT ALL ON trains.* TO ada@localhost"
        with server([*command, "--innodb-flush-log-at-trx-commit=0"], place / "log", lambda: accepts(port)):
            subprocess.run([client, "--no-defaults", socket, "--user=root", f"--execute={make}"], check=True)
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


@contextlib.contextmanager
def docker() -> Iterator[Path]:
    """Run a Docker engine that has the image `localhost/python:3.11`; yield its socket.

    The engine keeps what it has in the cache, so the image is made only once. Containers get no network.
    """
    if os.getuid() != 0:
        pytest.skip("a Docker engine needs root")
    binary, client = program("dockerd", "docker.io"), program("docker", "docker.io")
    kept = CACHE / "docker"
    kept.mkdir(parents=True, exist_ok=True)
    with folder("gndk-") as place, (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        socket = place / "docker.sock"
        command = [binary, "--data-root", kept / "data", "--exec-root", place / "exec", "-p", place / "pid"]
        command += ["-H", f"unix://{socket}", "--bridge=none", "--iptables=false", "--ip6tables=false"]
        with server(command, place / "log", lambda: _answers([client, "-H", f"unix://{socket}", "version"])):
            _import_image([client, "-H", f"unix://{socket}"], kept / "python.tar")
            yield socket


_IMAGE = "localhost/python:3.11"


def _answers(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _import_image(client: list[str], archive: Path) -> None:
    """Make an image of Debian and its Python, without a registry."""
    if _answers([*client, "image", "inspect", _IMAGE]):
        return
    bootstrap = program("mmdebstrap", "mmdebstrap")
    command = [bootstrap, "--quiet", "--mode=root", "--variant=essential", "--include=python3", "bookworm"]
    subprocess.run([*command, str(archive)], check=True)
    subprocess.run([*client, "import", str(archive), _IMAGE], check=True, stdout=subprocess.DEVNULL)
    archive.unlink()


@contextlib.contextmanager
def moto(stand_ins: Environment) -> Iterator[str]:
    """Run moto, which answers like AWS; yield its URL."""
    port = free_port()
    command = [stand_ins.path / "bin/moto_server", "-H", "127.0.0.1", "-p", str(port)]
    with folder("gnmo-") as place, server(command, place / "log", lambda: accepts(port)):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def fakesnow(stand_ins: Environment) -> Iterator[int]:
    """Run fakesnow, which answers like Snowflake; yield its port."""
    port = free_port()
    command = [stand_ins.path / "bin/fakesnow", "-s", "-p", str(port)]
    with folder("gnsf-") as place, server(command, place / "log", lambda: accepts(port), cwd=place):
        yield port
