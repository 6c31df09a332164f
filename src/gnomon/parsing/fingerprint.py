"""What else a DAG is made of besides its files: Gnomon, Python, the installed packages and the settings.

A file that has not changed is not parsed again after a restart, unless any of this has.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Mapping

from gnomon import __version__
from gnomon.service.environment import user_site_packages
from gnomon.service.home import airflow_home
from gnomon.wire.dag import FORMAT

#: Set by terminals, sessions and supervisors, each time otherwise, and of no interest to DAGs.
_SESSION = ("SSH_", "XDG_", "TMUX", "VSCODE_", "DBUS_", "GPG_", "LC_TERMINAL", "TERM", "GNOMON_")
_SESSION_NAMES = frozenset(
    {"_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "LINES", "DISPLAY", "WINDOWID", "LS_COLORS", "INVOCATION_ID", "PS1"}
    | {
        "JOURNAL_STREAM",
        "NOTIFY_SOCKET",
        "MAINPID",
        "MANAGERPID",
        "SYSTEMD_EXEC_PID",
        "PYTEST_CURRENT_TEST",
        "COLORTERM",
    }
)


def fingerprint(environ: Mapping[str, str]) -> str:
    """Return a hash of what DAG files see besides themselves.

    Args:
        environ: the environment that the parser gets.
    """
    digest = hashlib.sha256(f"{__version__} {FORMAT} {sys.version}\n".encode())
    for name in sorted(environ):
        if not name.startswith(_SESSION) and name not in _SESSION_NAMES:
            digest.update(f"{name}={environ[name]}\n".encode(errors="surrogateescape"))
    for folder in sorted({*user_site_packages(), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}):
        try:
            names = sorted(name for name in os.listdir(folder) if name.endswith(("-info", ".pth")))
        except OSError:
            continue
        digest.update("\n".join(names).encode(errors="surrogateescape"))
    try:
        digest.update((airflow_home() / "airflow.cfg").read_bytes())
    except OSError:
        pass
    return digest.hexdigest()


def salted(salt: str, source_hash: str) -> str:
    """Return the hash that is recorded for a file: of its sources, and of the fingerprint."""
    return hashlib.sha256(f"{salt} {source_hash}".encode()).hexdigest()
