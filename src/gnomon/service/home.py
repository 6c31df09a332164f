"""Where this installation lives: its AIRFLOW_HOME, and a short private folder for sockets and locks."""

from __future__ import annotations

import os
import stat
from functools import cache
from pathlib import Path

#: Not $TMPDIR and not $XDG_RUNTIME_DIR: two processes of one installation may see different ones, and must meet.
_RUNTIME_ROOT = Path("/tmp")  # noqa: S108 (what is made in it is checked)


class HomeError(Exception):
    """AIRFLOW_HOME or the runtime directory cannot be used."""


def airflow_home() -> Path:
    """Return $AIRFLOW_HOME, or ~/airflow."""
    return expanded(os.environ.get("AIRFLOW_HOME") or "~/airflow")


def expanded(path: str) -> Path:
    """Return a path with `~` and environment variables replaced."""
    if "$" in path:
        return Path(os.path.expandvars(os.path.expanduser(path)))
    return _without_tilde(path, os.environ.get("HOME"))


@cache
def _without_tilde(path: str, home: str | None) -> Path:
    return Path(os.path.expanduser(path))  # looked up for each setting; `home` is what the answer depends on


def runtime_path() -> Path:
    """Return where the runtime directory of this AIRFLOW_HOME is or would be; at most 40 bytes.

    It is that short because the path of a Unix socket in it may have about 100.
    """
    import hashlib

    home = os.path.realpath(airflow_home())
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return _RUNTIME_ROOT / f"gnomon-{os.getuid()}" / name


def runtime_dir() -> Path:
    """Return the directory for the sockets and locks of this AIRFLOW_HOME, made with mode 0700.

    Raises:
        HomeError: it exists and belongs to somebody else, or cannot be made.
    """
    folder = runtime_path()
    try:
        for path in (folder.parent, folder):
            _own_private_folder(path)
    except OSError as error:
        raise HomeError(f"the runtime directory {folder} cannot be made: {error.strerror}") from error
    return folder


def _own_private_folder(path: Path) -> None:
    # /tmp is everybody's: somebody else may have made this path, or a link in its place, to read our sockets.
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise HomeError(f"{path} is not a directory of user {os.getuid()}; remove it") from None
        if stat.S_IMODE(found.st_mode) != 0o700:
            path.chmod(0o700)
