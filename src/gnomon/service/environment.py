"""What processes that run user code may inherit."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from gnomon.service.config import CONTROL_SIDE_ONLY, USER_CODE_MARK, conf, variable_name

#: Names the interpreter of the environment that has a project's requirements; without it, it is Gnomon's own.
USER_PYTHON = "GNOMON_USER_PYTHON"
#: Set for a worker whose tasks only render their templates: that of `tasks render`.
RENDER_ONLY = "GNOMON_RENDER_ONLY"


def for_user_code(environ: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of `environ` without the database URL, the Fernet key and the secrets of the API.

    Each goes in all its forms: _CMD, _SECRET and the names of earlier Airflow releases. The copy is marked, so that
    `conf` does not read them from airflow.cfg either.
    """
    hidden = _variables()
    kept = {name: value for name, value in environ.items() if name not in hidden}
    kept[USER_CODE_MARK] = "1"
    return kept


def _variables() -> frozenset[str]:
    names = [name for present in CONTROL_SIDE_ONLY for name in conf.names_of(*present)]
    return frozenset(
        variable_name(section, key) + suffix for section, key in names for suffix in ("", "_CMD", "_SECRET")
    )


def user_python(environ: Mapping[str, str] | None = None) -> str:
    """Return the interpreter that runs user code: the project's, if it has an environment of its own."""
    return (os.environ if environ is None else environ).get(USER_PYTHON) or sys.executable


def user_site_packages() -> list[str]:
    """Return the folders of packages that user code sees before those of Gnomon."""
    python = os.environ.get(USER_PYTHON)
    if not python:
        return []
    home = os.path.dirname(os.path.dirname(python))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [os.path.join(home, "lib", version, "site-packages")]
