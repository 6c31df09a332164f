"""`gnomon env`: provider packages without Apache Airflow, in a project's environment or in any other."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli import airflow_records, environments
from gnomon.cli import project as projects
from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import application

app = application("Install provider packages without Apache Airflow.")


@app.command("sync")
def sync() -> None:
    """Bring the project's environment to its requirements.txt, as `dev start` does."""
    project = projects.require()
    python = environments.refresh(project.root, project.home, lambda line: print(line, file=sys.stderr))
    print(f"User code runs with {python or sys.executable}")


@app.command("install", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def install(
    context: typer.Context,
    python: Annotated[str | None, typer.Option("--python", help="Install for this interpreter.")] = None,
) -> None:
    """Install packages, by default where Gnomon is: `gnomon env install apache-airflow-providers-http`.

    Options such as -r go to uv, or to pip where there is no uv.
    """
    if not context.args:
        raise CommandError("name what to install, or give -r and a file", exit_code=2)
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder)
        airflow_records.write(records)
        command = [*environments.installing(python or sys.executable, records), *context.args]
        done = subprocess.run(command, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)


@app.command("records")
def records(folder: Annotated[Path, typer.Argument(help="Where to write them; made if it is not there.")]) -> None:
    """Write the wheels that stand for Apache Airflow, for an installation of your own, an image for example."""
    wheels = airflow_records.write(folder)
    for path in [*wheels, folder / "overrides.txt", folder / "constraints.txt"]:
        print(path)
    print(
        f"uv pip install --override {folder}/overrides.txt apache-airflow-providers-…\n"
        f"pip install {folder}/*.whl apache-airflow-providers-…",
        file=sys.stderr,
    )
