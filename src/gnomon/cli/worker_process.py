"""The program of a worker: `python -m gnomon.cli.worker_process`. Below it user code runs, so it knows no database."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from gnomon.service.config import ConfigError, conf
from gnomon.service.masking import masker


class _Lines(logging.Formatter):
    """The lines of `gnomon.service.logs`, without structlog: the worker is small, and structlog is not."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "component": "worker",
            "event": masker.redact(record.getMessage()),
        }
        trouble = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        if self._as_json:
            return json.dumps(entry | ({"exception": masker.redact(trouble)} if trouble else {}))
        loud = f"{entry['level']}: " if record.levelno >= logging.WARNING else ""
        return f"{'worker':<13} | {loud}{entry['event']}" + (f"\n{masker.redact(trouble)}" if trouble else "")


def _configure_logs() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(as_json=conf.getboolean("logging", "json_logs", fallback=False)))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


def main(arguments: list[str]) -> int:
    """Run a worker until it is told to leave; return the exit code."""
    parser = argparse.ArgumentParser(prog="gnomon worker")
    parser.add_argument("--name", default="default")
    parser.add_argument("--slots", type=int)
    parser.add_argument("--queues")
    parser.add_argument("--socket")
    options = parser.parse_args(arguments)

    from gnomon.worker.supervisor import Worker, WorkerError

    try:
        _configure_logs()
        queues = options.queues.split(",") if options.queues else []
        Worker(options.socket, options.name, options.slots, queues).run()
    except (WorkerError, ConfigError) as error:
        logging.getLogger(__name__).error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
