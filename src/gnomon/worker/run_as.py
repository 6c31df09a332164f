"""Runs a task as another user of the machine: `run_as_user`, or [core] default_impersonation."""

from __future__ import annotations

import logging
import os
from functools import cache

from gnomon.sdk.exceptions import AirflowFailException
from gnomon.worker import linux

log = logging.getLogger("airflow.task")


@cache
def default_user() -> str | None:
    """Return [core] default_impersonation."""
    from gnomon.service.config import conf

    return conf.get("core", "default_impersonation", fallback=None) or None


def become(user: str, task_id: str) -> None:
    """Let this process, and what it starts, be another user for the rest of its life.

    What it holds already stays open: its connection to the worker, and its log.

    Raises:
        AirflowFailException: there is no such user, or this worker may not become another one.
    """
    import pwd

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise AirflowFailException(
            f"task {task_id!r} has to run as user {user!r}, whom this machine does not know"
        ) from None
    if entry.pw_uid == os.geteuid():
        return
    if os.geteuid() != 0:
        raise AirflowFailException(
            f"task {task_id!r} has to run as user {user!r}, and only root may become another user, while this worker runs"
            f" as {_name(os.geteuid())!r}: run a worker as {user!r} or as root, or leave run_as_user out"
        )
    parent = os.getppid()
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    linux.die_with_parent(parent)  # a change of user takes the kernel's promise back
    os.environ.update(HOME=entry.pw_dir, USER=user, LOGNAME=user)
    log.info("Running as user %s", user)


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
