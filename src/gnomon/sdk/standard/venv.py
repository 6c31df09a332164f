"""Makes virtual environments, with uv where it is installed."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gnomon.sdk.exceptions import AirflowException

log = logging.getLogger("airflow.task.virtualenv")


def uv() -> str | None:
    """Return the program uv, or None where pip makes environments: [standard] venv_install_method says which.

    Raises:
        AirflowException: the setting is wrong, or uv is not there.
    """
    from gnomon.service.config import conf

    method = str(conf.get("standard", "venv_install_method", fallback="auto")).lower()
    if method not in ("auto", "uv", "pip"):
        raise AirflowException(f"[standard] venv_install_method must be auto, uv or pip, not {method!r}")
    found = shutil.which("uv") or shutil.which("uv", path=os.path.dirname(sys.executable))
    if method == "uv" and found is None:
        raise AirflowException("[standard] venv_install_method is uv, which is not installed")
    return None if method == "pip" else found


def commands(place: Path, python: str, *, site: bool) -> tuple[list[str], list[str]]:
    """Return the command that makes an environment, and the beginning of the one that installs into it.

    Args:
        place: Its folder.
        python: The interpreter, or its version.
        site: Packages of the interpreter's own environment can be imported there.
    """
    system = ["--system-site-packages"] if site else []
    made = str(place / "bin" / "python")
    if (program := uv()) is not None:
        # Callers may have made the folder, with a lock in it.
        make = [program, "venv", "--quiet", "--allow-existing", "--python", python, *system, str(place)]
        return make, [program, "pip", "install", "--quiet", "--python", made]
    interpreter = f"python{python}" if python[0].isdigit() else python
    return [interpreter, "-m", "venv", *system, str(place)], [made, "-m", "pip", "install", "--quiet"]


def index_variables(indexes: Sequence[str]) -> dict[str, str]:
    """Return the environment variables that name package indexes, the first one in the place of PyPI.

    By environment: an argument can be seen by every user of the machine, and a URL may hold a password.
    """
    if not indexes:
        return {}
    others = " ".join(indexes[1:])
    found = {"UV_DEFAULT_INDEX": indexes[0], "PIP_INDEX_URL": indexes[0]}
    return found | ({"UV_INDEX": others, "PIP_EXTRA_INDEX_URL": others} if others else {})


def prepare_virtualenv(
    venv_directory: str,
    python_bin: str,
    system_site_packages: bool,
    requirements: list[str] | None = None,
    requirements_file_path: str | None = None,
    pip_install_options: list[str] | None = None,
    index_urls: list[str] | None = None,
) -> str:
    """Make an environment, or add to it what it does not have, and return the path of its interpreter.

    Args:
        venv_directory: Its folder.
        python_bin: The interpreter.
        system_site_packages: Packages of the interpreter's own environment can be imported there.
        requirements: Packages.
        requirements_file_path: A file that names packages.
        pip_install_options: Further options of the installer.
        index_urls: Package indexes.

    Raises:
        ValueError: packages and a file are given.
        AirflowException: it cannot be made.
    """
    if requirements is not None and requirements_file_path is not None:
        raise ValueError("prepare_virtualenv takes requirements or requirements_file_path, not both")
    place = Path(venv_directory)
    made = place / "bin" / "python"
    make, install = commands(place, python_bin, site=system_site_packages)
    if not made.exists():
        _run(make)
    what = ["-r", requirements_file_path] if requirements_file_path else requirements or []
    if what:
        _run([*install, *(pip_install_options or ()), *what], index_variables(index_urls or ()))
    return str(made)


def _run(command: Sequence[str], variables: dict[str, str] | None = None) -> None:
    log.info("Running %s", " ".join(command))
    done = subprocess.run(
        command,
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    for line in done.stdout.splitlines():
        log.info("%s", line)
    if done.returncode:
        last = done.stdout.strip().rpartition("\n")[2]
        raise AirflowException(f"the environment could not be made (exit code {done.returncode}): {last}")
