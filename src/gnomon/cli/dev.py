"""`gnomon dev`: a project on this machine. The names and options are those of `astro dev`."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli import project as projects
from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import CONTEXT, Lazy, LazyGroup, single

_SEE = "Look"
_TRY = "Try"
_RUN = "Run"

app = LazyGroup(
    name="dev",
    help="Work on an Airflow project on this machine. Nothing but Python is needed.",
    context_settings=dict(CONTEXT),
    table={
        "init": Lazy("gnomon.cli.dev:init_app", "Make a project in this folder, or in a new one", _RUN),
        "start": Lazy("gnomon.cli.dev_start:start_app", "Start all processes of the project", _RUN),
        "stop": Lazy("gnomon.cli.dev_start:stop_app", "Stop them; runs and settings are kept", _RUN),
        "restart": Lazy("gnomon.cli.dev_start:restart_app", "Stop and start, for a changed Dockerfile or .env", _RUN),
        "kill": Lazy("gnomon.cli.dev_start:kill_app", "Stop at once, and delete the database and the logs", _RUN),
        "ps": Lazy("gnomon.cli.dev_look:ps_app", "Show the processes, their memory and their restarts", _SEE),
        "logs": Lazy("gnomon.cli.dev_look:logs_app", "Show what the processes say", _SEE),
        "parse": Lazy("gnomon.cli.dev_parse:app", "Check all DAG files for errors", _TRY),
        "pytest": Lazy("gnomon.cli.dev:pytest_app", "Run the project's tests", _TRY),
        "run": Lazy("gnomon.cli.dev:run_app", "Run a command of airflow in the project", _TRY),
        "bash": Lazy("gnomon.cli.dev:bash_app", "Open a shell with the project's environment", _TRY),
        "object": Lazy("gnomon.cli.dev_objects:app", "Import and export pools, variables and connections", _TRY),
    },
)

_THROUGH = {**CONTEXT, "ignore_unknown_options": True, "allow_extra_args": True}


init_app = single()
pytest_app = single()
run_app = single()
bash_app = single()


@init_app.command()
def init(
    folder: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A new folder for the project.")] = None,
    name: Annotated[str | None, typer.Option("-n", "--name", help="Name of the project.")] = None,
    airflow_version: Annotated[
        str | None, typer.Option("-a", "--airflow-version", help="Airflow version whose behaviour the DAGs expect.")
    ] = None,
    runtime_version: Annotated[
        str | None, typer.Option("-v", "--runtime-version", help="Runtime version, for the FROM line.")
    ] = None,
    force: Annotated[bool, typer.Option("-f", "--force", help="Do not ask when the folder is not empty.")] = False,
) -> None:
    """Make a project: DAGs folder, example DAG, test, settings. Files that are there stay as they are."""
    from gnomon.cli import scaffold

    if runtime_version and airflow_version:
        raise CommandError("give either --runtime-version or --airflow-version", exit_code=2)
    image = scaffold.image(runtime_version, airflow_version)
    root = Path(folder) if folder else Path.cwd()
    # The folder may be called what a project may not.
    name = name or re.sub(r"[^\w.-]+", "-", root.resolve().name, flags=re.ASCII).strip("-.") or "project"
    if not projects.valid_name(name):
        raise CommandError(f"-n/--name: {name!r} may have letters, digits, dots, dashes and underscores", exit_code=2)
    if root.is_dir() and any(root.iterdir()) and not force:
        _ask(root.resolve())
    written = scaffold.write(root, name=name, image=image)
    kept = len(scaffold.FILES) - len(written)
    print(f"Made project {name} in {root.resolve()}: {len(written)} files" + (f", {kept} were there" if kept else ""))
    where = f"cd {shlex.quote(folder)} && " if folder else ""
    print(f"Next: {where}gnomon dev start")


def _ask(root: Path) -> None:
    if not sys.stdin.isatty():
        raise CommandError(
            f"{root} is not empty, and there is no terminal to ask on",
            hint="-f/--force adds the project to it; files that are there stay as they are",
        )
    if not typer.confirm(f"{root} is not empty. Add a project to it? Files that are there stay as they are"):
        raise typer.Exit(1)


@pytest_app.command(context_settings=_THROUGH)
def pytest(
    context: typer.Context,
    arguments: Annotated[str, typer.Option("-a", "--args", help="Arguments for pytest, in one string.")] = "",
    env: Annotated[str | None, typer.Option("-e", "--env", help="Env file.")] = None,
) -> None:
    """Run pytest on tests/, or on what is named, with the project's environment. Other options go to pytest."""
    import subprocess

    from gnomon.service.environment import for_user_code, user_python

    project = projects.require()
    named = [*context.args, *shlex.split(arguments)]
    if not any(not arg.startswith("-") for arg in named):
        if not (project.root / "tests").is_dir():
            raise CommandError(f"{project.root / 'tests'} does not exist")
        named.append("tests")
    else:
        named = [_in_tests(project.root, arg) for arg in named]
    print(f"Running: pytest {shlex.join(named)}", file=sys.stderr)
    environ = for_user_code(project.environment(os.environ, env))
    python = user_python(environ)
    if subprocess.run([python, "-c", "import pytest"], env=environ, capture_output=True, check=False).returncode:
        hint = "gnomon env install pytest, or add it to requirements.txt, then: gnomon env sync"
        raise CommandError("pytest is not installed", hint=hint)
    done = subprocess.run([python, "-m", "pytest", *named], cwd=project.root, env=environ, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    print("✔ All tests passed")


def _in_tests(root: Path, argument: str) -> str:
    """A bare file name means the one in tests/, as with astro."""
    inside = root / "tests" / argument
    return (
        str(inside) if not argument.startswith("-") and not (root / argument).exists() and inside.exists() else argument
    )


@run_app.command(context_settings={**_THROUGH, "help_option_names": []}, add_help_option=False)
def run(context: typer.Context) -> None:
    """Run a command of `airflow`, for example `dev run dags list`."""
    from gnomon.cli.programs import airflow_group, call

    project = projects.require()
    os.environ.pop("AIRFLOW_HOME", None)
    os.chdir(project.root)
    projects.activate()
    print(f"Running: airflow {' '.join(context.args)}", file=sys.stderr)
    raise typer.Exit(call(airflow_group, "airflow", list(context.args)))


def _inserted(paths: str, *, behind: str) -> str:
    """Return PATH with the folder of `airflow` and `gnomon` in it, behind that of an interpreter."""
    first = str(Path(behind).parent)
    rest = [path for path in paths.split(os.pathsep) if path != first]
    return os.pathsep.join(dict.fromkeys([first, str(Path(sys.executable).parent), *rest]))


@bash_app.command()
def bash(env: Annotated[str | None, typer.Option("-e", "--env", help="Env file.")] = None) -> None:
    """Open a shell in the project's folder with its environment; `airflow` commands there mean this project."""
    from gnomon.service.environment import user_python

    project = projects.require()
    environ = project.environment(os.environ, env or projects.last_env_file(project))
    # Behind the project's own programs, if it has an environment.
    environ["PATH"] = _inserted(environ.get("PATH", os.defpath), behind=user_python(environ))
    shell = environ.get("SHELL") or "/bin/sh"
    os.chdir(project.root)
    os.execvpe(shell, [shell], environ)
