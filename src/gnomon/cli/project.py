"""A project folder, as `dev init` makes it, and the environment that its processes get."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gnomon.cli import dockerfile, envfile, environments
from gnomon.cli.errors import CommandError
from gnomon.service.environment import USER_PYTHON

#: Everything that Gnomon writes in a project is in here: database, logs, generated settings.
HOME = Path(".astro", "gnomon")
_MARK = Path(".astro", "config.yaml")


@dataclass(frozen=True)
class Project:
    """A project folder."""

    root: Path
    #: what was noticed while reading it, for the user to see once
    warnings: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """The AIRFLOW_HOME of the project."""
        return self.root / HOME

    @cached_property
    def config(self) -> dict[str, Any]:
        """`.astro/config.yaml`.

        Raises:
            CommandError: it is not YAML, or not a mapping.
        """
        path = self.root / _MARK
        if not path.is_file():
            return {}
        import yaml

        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            raise CommandError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
        if not isinstance(found, dict):
            raise CommandError(f"{path}: expected settings like `project:`, got {type(found).__name__}")
        return found

    def setting(self, *names: str) -> Any:
        """Return a setting of `.astro/config.yaml`, nested or written with dots; None if it is not there."""
        value: Any = self.config
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value if value is not None else self.config.get(".".join(names))

    @cached_property
    def dockerfile(self) -> dockerfile.Dockerfile:
        """The project's Dockerfile."""
        return dockerfile.read(self.root / "Dockerfile")

    @cached_property
    def name(self) -> str:
        """The project's name."""
        return str(self.setting("project", "name") or self.root.name)

    def environment(self, environ: Mapping[str, str], env_file: str | None = None) -> dict[str, str]:
        """Return what the project's processes run with.

        From weak to strong: the ENV lines of the Dockerfile, the env file, `environ`, and where the project's
        folders are. AIRFLOW_HOME is the project's, whatever the shell says.

        Raises:
            CommandError: the Dockerfile or the env file cannot be read.
        """
        image = self.dockerfile
        file = self.env_file(env_file)
        given = envfile.read(file, environ) if file else {}
        self.warnings[:] = image.warnings
        for source, names in (("Dockerfile", image.env), (file.name if file else "", given)):
            for wrong, right in envfile.misspelt(names).items():
                self.warnings.append(f"{source}: {wrong} is no setting of Airflow; did you mean {right}?")
        found = {**image.env, **given, **environ}
        defaults = {
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.root / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.root / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        }
        if (generation := dockerfile.profile(image.image)) is not None:
            defaults["AIRFLOW__CORE__COMPAT"] = str(generation)
        for name, value in defaults.items():
            found.setdefault(name, value)
        found["AIRFLOW_HOME"] = str(self.home)
        self._add_own_environment(found)
        found["PYTHONPATH"] = _prepended(str(self.root), environ.get("PYTHONPATH"))
        return found

    def _add_own_environment(self, found: dict[str, str]) -> None:
        """Have user code run in the project's own environment, and find its programs first."""
        found.pop(USER_PYTHON, None)
        python = environments.python_of(self.home)
        if python is None:
            return
        found[USER_PYTHON] = str(python)
        found["PATH"] = _prepended(str(python.parent), found.get("PATH", os.defpath))
        if environments.is_stale(self.root, self.home):
            self.warnings.append("requirements.txt has changed; gnomon env sync or dev restart installs it")

    def env_file(self, named: str | None) -> Path | None:
        """Return the env file to read: the one named on the command line, else `.env` if there is one."""
        if named is not None:
            path = Path(named)
            return path if path.is_absolute() or path.is_file() else self.root / path
        path = self.root / ".env"
        return path if path.is_file() else None


def _prepended(path: str, paths: str | None) -> str:
    rest = [part for part in (paths or "").split(os.pathsep) if part and part != path]
    return os.pathsep.join([path, *rest])


def find(start: Path | None = None) -> Project | None:
    """Return the project that `start` (the current folder) is in, or None."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / _MARK).is_file():
            return Project(folder)
    # Many an Airflow project was never made by a tool: a dags folder next to a Dockerfile or requirements will do.
    if (here / "dags").is_dir() and any((here / name).is_file() for name in ("Dockerfile", "requirements.txt")):
        return Project(here)
    return None


def require(start: Path | None = None) -> Project:
    """Return the project that the current folder is in.

    Raises:
        CommandError: it is in none.
    """
    project = find(start)
    if project is None:
        here = start or Path.cwd()
        raise CommandError(f"{here} is not in a project", hint="gnomon dev init makes one here")
    return project


def activate(environ: MutableMapping[str, str] = os.environ, env_file: str | None = None) -> Project | None:
    """Make this process see what the processes of the project around it see, unless AIRFLOW_HOME already says where.

    Commands such as `airflow dags list` call it, so that they mean the project whose folder they are typed in.
    """
    if environ.get("AIRFLOW_HOME"):
        return None
    project = find()
    if project is not None:
        environ.update(project.environment(environ, env_file or last_env_file(project)))
    return project


def last_env_file(project: Project) -> str | None:
    """Return the env file that `dev start` was last given, so that later commands see the same settings."""
    try:
        return (project.home / "env-file").read_text(encoding="utf-8") or None
    except OSError:
        return None


def link_folders(root: Path, home: Path) -> None:
    """Let `$AIRFLOW_HOME/include/…` mean the project's folder, as it does in an image, where both are the same."""
    home.mkdir(parents=True, exist_ok=True)
    for folder in root.iterdir():
        link = home / folder.name
        if folder.is_dir() and not folder.name.startswith((".", "__")) and not link.exists() and folder.name != "logs":
            link.unlink(missing_ok=True)
            link.symlink_to(folder, target_is_directory=True)


def valid_name(name: str) -> bool:
    """Say whether a project may be called this."""
    return re.fullmatch(r"[\w.-]+", name) is not None and name.strip(".") != ""
