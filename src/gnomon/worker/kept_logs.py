"""Copies the log of a try to where logs are kept, at the end of its process. Imported only where that is asked for."""

from __future__ import annotations

import logging

from gnomon.sdk import remote_logging
from gnomon.wire import execution as wire
from gnomon.worker import logs
from gnomon.worker.pieces import decode_run_name


def keep(launch: wire.Launch) -> None:
    """Copy the log; what goes wrong is a line at the end of the local one, which stays."""
    workload = launch.workload
    if not isinstance(workload, wire.Workload):
        return  # callbacks of a run have a log on this machine only
    run = decode_run_name(workload.run)
    about = {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "task_id": workload.task_id,
        "map_index": workload.map_index,
        "try_number": workload.try_number,
    }
    # A store says in the log what goes wrong, and the log is just being copied: it is said afterwards.
    said = _Complaints(logging.WARNING)
    logging.getLogger().addHandler(said)
    try:
        remote_logging.upload(launch.log_path, about)
    except BaseException as error:
        said.lines.append(f"{type(error).__name__}: {error}")
    finally:
        logging.getLogger().removeHandler(said)
    for line in said.lines:
        logs.append(launch.log_path, f"This log cannot be kept elsewhere: {line}")


class _Complaints(logging.Handler):
    """Remembers warnings and errors."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.lines.append(record.getMessage() + (f": {type(error).__name__}: {error}" if error else ""))
