"""The files of a new project."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from gnomon.cli import dockerfile
from gnomon.cli.errors import CommandError

#: The newest runtime tag whose Airflow is the one that Gnomon's default behaviour follows.
RUNTIME = "3.3-2"

#: File of the project → file of `template/`. The dots are added here, because dot files get lost in archives.
FILES = {
    ".astro/config.yaml": "config.yaml",
    ".astro/dag_integrity_exceptions.txt": "dag_integrity_exceptions.txt",
    ".dockerignore": "dockerignore",
    ".env": "env",
    ".gitignore": "gitignore",
    "Dockerfile": "Dockerfile",
    "README.md": "README.md",
    "airflow_settings.yaml": "airflow_settings.yaml",
    "dags/.airflowignore": "airflowignore",
    "dags/exampledag.py": "exampledag.py",
    "dags/pulse.py": "pulse.py",
    "packages.txt": "packages.txt",
    "requirements.txt": "requirements.txt",
    "tests/dags/test_dag_example.py": "test_dag_example.py",
}
FOLDERS = ("dags", "plugins", "include", "tests/dags", ".astro")


def write(root: Path, *, name: str, image: str) -> list[str]:
    """Make a project in `root` and return the files that were written; files that are there stay as they are.

    Args:
        root: the folder; made if missing.
        name: of the project.
        image: what the FROM line of the Dockerfile says.
    """
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    sdk = "airflow.decorators" if dockerfile.profile(image) == 2 else "airflow.sdk"
    written = []
    for path, template in FILES.items():
        text = resources.files("gnomon.cli").joinpath("template", template).read_text(encoding="utf-8")
        text = text.replace("@NAME@", name).replace("@IMAGE@", image).replace("@SDK@", sdk)
        try:
            with (root / path).open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        written.append(path)
    return written


def image(runtime: str | None = None, airflow: str | None = None) -> str:
    """Return the base image for a runtime version (5.3.0, 3.1-4), or for an Airflow version (2.11, 3.1).

    Raises:
        CommandError: it is no version.
    """
    asked = runtime or airflow or RUNTIME
    number = re.match(r"(\d+)(?:\.(\d+))?", asked)
    if number is None:
        option = "--runtime-version" if runtime else "--airflow-version"
        raise CommandError(f"{option}: {asked!r} is not a version such as {'3.1-4' if runtime else '3.1'}", exit_code=2)
    major, minor = int(number[1]), int(number[2] or 0)
    if runtime is None and airflow is not None:
        # Airflow 2.3 was in runtime 5, and each minor release since in the next one.
        asked = f"{major}.{minor}" if major > 2 else str(max(minor, 3) + 2)
    if major > 3 or (airflow and not runtime and major == 2):
        return f"quay.io/astronomer/astro-runtime:{asked}"
    return f"astrocrpublic.azurecr.io/runtime:{asked}"
