"""`gnomon version` and `airflow info`."""

from __future__ import annotations

import os
import platform
import sys
from typing import Annotated

import typer

import gnomon
from gnomon.cli import output
from gnomon.cli.lazy import single
from gnomon.cli.output import Format, Output, Verbose

version = single()
info = single()


@version.command()
def show_version(context: typer.Context) -> None:
    """Show the version; `airflow version` shows that of the Airflow whose behaviour this is."""
    program = context.command_path.split()
    if "airflow" in program:
        print(airflow_version())
    else:
        print(f"gnomon {gnomon.__version__} (Airflow {airflow_version()})")


def airflow_version() -> str:
    """Return what `airflow.__version__` says."""
    import ast
    import importlib.util
    from pathlib import Path

    # Read, not imported: the names of Airflow belong to user code, and this may be a control-side process.
    spec = importlib.util.find_spec("airflow")
    for name in ("version.py", "__init__.py"):
        path = Path(spec.origin).with_name(name) if spec and spec.origin else None
        if path is None or not path.is_file():
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Constant)
                and any(
                    isinstance(target, ast.Name) and target.id in ("version", "__version__") for target in node.targets
                )
            ):
                return str(node.value.value)
    return "3.3"


@info.command()
def show_info(
    anonymize: Annotated[bool, typer.Option("--anonymize", help="Replace the home folder and the user name.")] = False,
    output_format: Output = Format.TABLE,
    verbose: Verbose = False,
) -> None:
    """Show versions, paths and the settings that matter most."""
    from gnomon.cli.project import activate

    project = activate()
    from gnomon.cli.database import _shown
    from gnomon.service.config import conf
    from gnomon.service.home import airflow_home, runtime_dir

    facts = {
        "gnomon version": gnomon.__version__,
        "airflow version": airflow_version(),
        "compat profile": conf.profile(),
        "executor": conf.get("core", "executor"),
        "project": project.root if project else None,
        "airflow_home": airflow_home(),
        "dags_folder": conf.get("core", "dags_folder"),
        "plugins_folder": conf.get("core", "plugins_folder"),
        "base_log_folder": conf.get("logging", "base_log_folder"),
        "database": _shown(),
        "runtime folder": runtime_dir(),
        "system": f"{platform.system()} {platform.machine()}",
        "python version": platform.python_version(),
        "python location": sys.executable,
    }
    home, user = os.path.expanduser("~"), os.environ.get("USER", "")

    def shown(value: object) -> str:
        text = "" if value is None else str(value)
        if anonymize:
            text = text.replace(home, "${HOME}")
            text = text.replace(f"/{user}", "/${USER}") if user else text
        return text

    output.rows([{"name": name, "value": shown(value)} for name, value in facts.items()], output_format)
