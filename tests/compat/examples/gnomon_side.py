"""Gnomon with a collection's DAGs: a project folder, an environment of its own, and all its processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from tests.compat.environments import Environment, gnomon_environment, wheel
from tests.compat.examples import plan
from tests.compat.examples.driving import Api
from tests.compat.ports import free_port
from tests.fixtures.processes import of_home

#: Provider packages that the example DAGs import, and what their tasks use.
PACKAGES = (
    "apache-airflow-providers-common-compat",
    "apache-airflow-providers-common-io",
    "dill",
    "fsspec",
    "pandas",
    "universal-pathlib",
    "uv",
    "virtualenv",
)


@contextmanager
def running_gnomon(collection: plan.Collection, environment: Environment | None = None) -> Iterator[tuple[Api, Path]]:
    """Start everything in a new project, and stop it with the block.

    Args:
        collection: Whose DAGs.
        environment: With Gnomon in it, if not one made for the examples.

    Returns:
        The API, and the folder of the project.
    """
    environment = environment or gnomon_environment("examples", PACKAGES)
    root = Path(tempfile.mkdtemp(prefix="gnc-", dir="/tmp"))
    home = root / ".astro" / "gnomon"
    port = free_port()
    # The examples import from each other by the path they have in Airflow's wheel.
    library = root / "library"
    (library / "airflow").mkdir(parents=True)
    if collection.library is not None:
        (library / "airflow/example_dags").symlink_to(wheel(*collection.library) / "airflow/example_dags")
    environ = environment.environ(
        PYTHONPATH=str(library), AIRFLOW__CORE__COMPAT=str(collection.profile), NO_PROXY="127.0.0.1"
    )

    def gnomon(*command: str) -> None:
        done = subprocess.run(
            [str(environment.path / "bin/gnomon"), *command],
            cwd=root,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"gnomon {' '.join(command)}: {done.stdout}{done.stderr}")

    try:
        gnomon("dev", "init", "-f", "-n", "examples")
        for file in (root / "dags").glob("*.py"):
            file.unlink()
        collection.copy_dags(root / "dags")
        collection.write_plugins(root / "plugins")
        gnomon("dev", "start", "-n", "-p", str(port))
        with closing(Api(f"http://127.0.0.1:{port}")) as api:
            yield api, root
        gnomon("dev", "stop")
    finally:
        for process in of_home(home):
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.Error:
                continue
        if not os.environ.get("KEEP"):
            shutil.rmtree(root, ignore_errors=True)
