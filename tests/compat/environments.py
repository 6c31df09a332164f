"""Virtual environments and wheels for `make compat`, made once and kept in GNOMON_COMPAT_CACHE.

`airflow_environment("3.3.2")` is a real Apache Airflow; `gnomon_environment("amazon", [...])` is this work tree,
editable, with packages that ask for Apache Airflow and get Gnomon.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gnomon.cli import airflow_records

ROOT = Path(__file__).parents[2]
#: Read when this is imported: the tests' own fixture clears GNOMON_* for each test.
CACHE = Path(os.environ.get("GNOMON_COMPAT_CACHE") or Path.home() / ".cache" / "gnomon-compat")
PYTHON = "3.11"
#: Gnomon is what these names mean, so none of them may be installed beside it.
OVERRIDES = ("apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk")
#: What `make test` tries of provider packages. Releases are named, so that a release of tomorrow fails `make compat` only.
SAMPLE = ("common-sql==2.4.0", "http==6.3.0", "postgres==7.1.1")

#: What uv says when it would have to fetch something and cannot.
_NO_NETWORK = ("Failed to fetch", "error sending request", "the network was disabled")


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    path: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"

    def environ(self, **more: str) -> dict[str, str]:
        """Return variables for its processes: none that configure Airflow or Gnomon, its commands first in PATH."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "GNOMON", "ASTRO", "PYTHON", "VIRTUAL_ENV"))
        }
        return kept | {"PATH": f"{self.path / 'bin'}:{kept.get('PATH', '')}"} | more


def airflow_environment(version: str, extra: Sequence[str] = ()) -> Environment:
    """Return an environment with real Apache Airflow of a version."""
    wanted = [f"apache-airflow=={version}", *extra]
    if version.startswith("2."):
        # It bounds its dependencies from below only, so it gets those of its day.
        wanted += ["--exclude-newer", "2026-03-20"]
    return environment(f"airflow-{version}", wanted)


def gnomon_environment(name: str, requirements: Sequence[str], *, python: str = PYTHON) -> Environment:
    """Return an environment with this work tree and packages that would otherwise bring Apache Airflow."""
    overrides = CACHE / "overrides.txt"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    overrides.write_text("".join(f"{name} ; python_version < '0'\n" for name in OVERRIDES), encoding="utf-8")
    wanted = ["--editable", f"{ROOT}[postgres]", "--override", str(overrides), *requirements]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return environment(f"gnomon-{name}", wanted, python=python, made_of=json.dumps(project))


def recorded_environment(name: str, requirements: Sequence[str], *, python: str = PYTHON) -> Environment:
    """Return an environment with this work tree and records that Apache Airflow is there: what `dev start` makes."""
    records = CACHE / "airflow-records"
    airflow_records.write(records)
    wanted = ["--editable", f"{ROOT}[io,postgres]", "--override", str(records / "overrides.txt"), *requirements]
    made_of = [(ROOT / "pyproject.toml").read_text("utf-8"), (records / "overrides.txt").read_text("utf-8")]
    return environment(name, wanted, python=python, made_of=json.dumps([*made_of, airflow_records.TAKEN_FOR_GRANTED]))


def quick_environment() -> Environment:
    """Return the environment of `make test`: few provider packages, and what this interpreter's environment has too.

    Raises:
        Unreachable: The packages are not at hand and cannot be fetched.
    """
    wanted = [f"apache-airflow-providers-{provider}" for provider in SAMPLE]
    name = "gnomon-quick-{}.{}".format(*sys.version_info)
    try:
        return recorded_environment(
            name, [*wanted, "--constraint", str(ROOT / "requirements.lock")], python=sys._base_executable
        )
    except RuntimeError as error:
        if any(said in str(error) for said in _NO_NETWORK):
            raise Unreachable("provider packages cannot be fetched: the package index does not answer") from error
        raise


class Unreachable(Exception):
    """Packages cannot be fetched here."""


def environment(name: str, arguments: Sequence[str], *, python: str = PYTHON, made_of: str = "") -> Environment:
    """Return an environment of the cache; it is made when it is not there or was made of something else.

    Args:
        name: Its folder in the cache.
        arguments: Of `uv pip install`.
        python: Its version.
        made_of: What it depends on beside the arguments.
    """
    path = CACHE / "environments" / name
    stamp = path / ".made-of"
    key = hashlib.sha256(json.dumps([list(arguments), python, made_of]).encode()).hexdigest()
    with _lock(path):
        if not stamp.exists() or stamp.read_text() != key:
            shutil.rmtree(path, ignore_errors=True)
            uv("venv", "--quiet", "--python", python, str(path))
            uv("pip", "install", "--quiet", "--compile-bytecode", "--python", str(path / "bin/python"), *arguments)
            stamp.write_text(key)
    return Environment(path)


def wheel(project: str, version: str) -> Path:
    """Return the folder of an unpacked wheel, without what it depends on; `version` may be `latest`."""
    folder = CACHE / "wheels" / f"{project}-{version}"
    with _lock(folder):
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            wanted = project if version == "latest" else f"{project}=={version}"
            uv("pip", "install", "--quiet", "--no-deps", "--python-version", PYTHON, "--target", str(folder), wanted)
            (folder / ".complete").touch()
    return folder


def uv(*arguments: str) -> str:
    """Run uv; what it said is in the error when it fails."""
    command = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}") or "uv"
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"uv {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
