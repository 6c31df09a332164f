"""A store for one command: a new SQLite file with the variables, connections and pools of the real one."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gnomon.cli import output, preflight, settings_file
from gnomon.cli.project import Project, activate, link_folders

if TYPE_CHECKING:
    from gnomon.store.engine import Store


@contextmanager
def private_store(env_file: str | None = None) -> Iterator[Store]:
    """Yield an empty store in a folder of its own, and remove the folder at the end.

    It has the variables, connections and pools of the project's database, or of AIRFLOW_HOME's, if there is one, and
    what `airflow_settings.yaml` says on top. This process's environment points at it from here on.
    """
    project = activate(env_file=env_file)
    source = _url_if_there()
    preflight.check_settings()
    folder = Path(tempfile.mkdtemp(prefix="gnomon-run-"))
    try:
        _point_at(folder, project)
        from gnomon.store import engine

        engine.migrate()
        with engine.open_store() as store:
            if source is not None:
                _copy(source, store)
            if project is not None:
                _apply(project, store)
            yield store
    finally:
        with undisturbed():
            shutil.rmtree(folder, ignore_errors=True)
            _remove_runtime_folder()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Do not let a second Ctrl-C leave half of it: the store has secrets in it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _url_if_there() -> str | None:
    from gnomon.store.engine import default_url

    url = default_url()
    return None if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file() else url


def _point_at(folder: Path, project: Project | None) -> None:
    from gnomon.service.config import conf, config_file
    from gnomon.service.home import airflow_home

    # What was found relative to the real home must be found from this one too.
    pinned = {
        "AIRFLOW__CORE__DAGS_FOLDER": conf.get("core", "dags_folder"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": conf.get("core", "plugins_folder"),
        "AIRFLOW_CONFIG": str(config_file()),
    }
    os.environ.update({name: str(value) for name, value in pinned.items() if value})
    config = airflow_home() / "config"
    if project is None and config.is_dir():
        (folder / "config").symlink_to(config.resolve(), target_is_directory=True)
    os.environ["AIRFLOW_HOME"] = str(folder)
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{folder / 'airflow.db'}"
    os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] = str(folder / "logs")
    if project is not None:
        link_folders(project.root, folder)


def _copy(source: str, store: Store) -> None:
    from gnomon.store import engine
    from gnomon.store.errors import StoreError

    try:
        with engine.open_store(source) as real:
            store.pools.import_many(real.pools.all())
            store.variables.import_many(real.variables.all())
            store.connections.import_many(real.connections.all())
    except StoreError as error:
        output.note(f"Without the variables and connections of the database: {error}")


def _apply(project: Project, store: Store) -> None:
    from gnomon.cli.settings_import import apply

    apply(settings_file.read(project.root / "airflow_settings.yaml"), store)


def _remove_runtime_folder() -> None:
    from gnomon.service.home import runtime_dir

    shutil.rmtree(runtime_dir(), ignore_errors=True)
