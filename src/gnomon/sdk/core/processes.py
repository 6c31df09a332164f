"""Starting and ending processes, as providers do it."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
from typing import Any

from gnomon.sdk.exceptions import AirflowException

log = logging.getLogger(__name__)


def execute_in_subprocess(cmd: list[str], cwd: str | None = None, env: dict[str, str] | None = None) -> None:
    """Run a command and log what it prints; raise CalledProcessError if it fails."""
    execute_in_subprocess_with_kwargs(cmd, cwd=cwd, env=env)


def execute_in_subprocess_with_kwargs(cmd: list[str], **kwargs: Any) -> None:
    """Run a command with further arguments of Popen, and log what it prints; raise CalledProcessError if it fails."""
    log.info("Executing cmd: %s", shlex.join(cmd))
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(cmd, close_fds=True, **{**options, **kwargs}) as process:
        for line in process.stdout or ():
            log.info("%s", line.decode(errors="backslashreplace").rstrip())
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, cmd)


def execute_interactive(cmd: list[str], **kwargs: Any) -> None:
    """Run a command on this terminal."""
    log.info("Executing cmd: %s", shlex.join(cmd))
    subprocess.run(cmd, check=True, **kwargs)


def reap_process_group(
    process_group_id: int, logger: Any, sig: signal.Signals = signal.SIGTERM, timeout: int = 5
) -> dict[int, int]:
    """End a process group: first with `sig`, what is left after `timeout` seconds with SIGKILL.

    Returns:
        The exit codes of the processes that were this process's children, by process id.
    """
    import psutil

    if process_group_id == os.getpgid(0):
        raise RuntimeError("a process does not end its own group")
    members = [one for one in psutil.process_iter() if _group_of(one.pid) == process_group_id]
    ended: dict[int, int] = {}

    def note(process: Any) -> None:
        ended[process.pid] = process.returncode

    for number in (sig, signal.SIGKILL):
        logger.info("Sending the signal %s to group %s", number.name, process_group_id)
        try:
            os.killpg(process_group_id, number)
        except ProcessLookupError:
            break
        _, members = psutil.wait_procs(members, timeout=timeout, callback=note)
        if not members:
            break
    return ended


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def kill_child_processes_by_pids(pids_to_kill: list[int], timeout: int = 5) -> None:
    """End those of these processes that are this one's children; with SIGKILL after `timeout` seconds."""
    import psutil

    children = [child for child in psutil.Process().children(recursive=True) if child.pid in pids_to_kill]
    for child in children:
        child.terminate()
    _, alive = psutil.wait_procs(children, timeout=timeout)
    for child in alive:
        log.info("Killing child PID: %s", child.pid)
        child.kill()
    psutil.wait_procs(alive, timeout=timeout)


def check_if_pidfile_process_is_running(pid_file: str, process_name: str) -> None:
    """Raise if the process of a PID file runs; remove the file if it does not."""
    try:
        with open(pid_file, encoding="ascii") as file:
            pid = int(file.read().strip() or 0)
    except (OSError, ValueError):
        return
    if pid and _group_of(pid) is not None:
        raise AirflowException(f"the {process_name} is already running under PID {pid}")
    os.remove(pid_file)


def set_new_process_group() -> None:
    """Become the leader of a process group, unless this process leads a session already."""
    if os.getpid() != os.getsid(0):
        os.setpgid(0, 0)


def resolve_mp_start_method(component: str) -> str | None:
    """Return the start method of multiprocessing that the settings want for a component."""
    from gnomon.sdk.configuration import conf

    for section in (component, "core"):
        if method := conf.get(section, "mp_start_method", fallback=None):
            return str(method)
    return None


def set_component_mp_start_method(component: str) -> None:
    """Let multiprocessing start processes as the settings want it."""
    if method := resolve_mp_start_method(component):
        import multiprocessing

        multiprocessing.set_start_method(method, force=True)


def __getattr__(name: str) -> Any:
    """Return IS_WINDOWS."""
    if name == "IS_WINDOWS":
        return os.name == "nt"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
