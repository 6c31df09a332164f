"""What runs in each process: the only place where services, store, executor and API are put together."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

#: Processes on the control side, in the order in which they are started.
CONTROL_SIDE = ("scheduler", "dag-processor", "triggerer", "api-server")
#: All of them.
ALL = ("worker", *CONTROL_SIDE)


def run_part(name: str, argv: list[str]) -> int:
    """Run one process until it is told to stop, and return its exit code; errors are one sentence on standard error."""
    from gnomon.cli.errors import known_error
    from gnomon.service.logs import configure, get_logger

    try:
        if name != "prepare":
            configure(name)
        _PARTS[name](argv)
        return 0
    except Exception as error:
        # A service that died says so with the error that killed it as its cause.
        died = type(error).__name__ == "ServiceDied" and error.__cause__ is not None
        said = known_error(error.__cause__ if died and error.__cause__ else error)
        if name == "prepare":
            if said is None:
                import traceback

                traceback.print_exc()
            print(said or f"{type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
        elif said is not None:
            get_logger(__name__).error(str(said))
        else:
            get_logger(__name__).exception(f"{name} died: {type(error).__name__}: {error}")
        return 1


def run_alone(name: str) -> int:
    """Run one process as a command of its own, for the project around it if there is one."""
    from gnomon.cli.errors import explain
    from gnomon.cli.project import activate

    try:
        activate()
    except Exception as error:
        return explain(error)
    return run_part(name, [])


def worker_command(argv: list[str]) -> list[str]:
    """Return the command of a worker. It is a program of its own, because user code runs below it."""
    from gnomon.service.environment import user_python

    return [user_python(), "-m", "gnomon.cli.worker_process", *argv]


def notify_ready() -> None:
    """Tell whoever started this process that it works now: systemd's protocol, which the supervisor speaks too."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(f"READY=1\nMAINPID={os.getpid()}".encode(), address)
        except OSError:
            return  # nobody waits any more


def _prepare(argv: list[str]) -> None:
    """Bring the database to this code, and write what `airflow_settings.yaml` says into it."""
    from pathlib import Path

    from gnomon.store import crypto, engine

    crypto.cipher().check()  # now, and not when the first secret is saved
    engine.migrate()
    for path in argv:
        from gnomon.cli import settings_file
        from gnomon.cli.settings_import import apply

        settings = settings_file.read(Path(path))
        with engine.open_store() as store:
            counts = apply(settings, store)
        for line in settings.skipped:
            print(f"warning: {line}")
        if counts:
            print(f"{Path(path).name}: {counts}")


def _services(*services: Any) -> None:
    """Run loops until a signal, and tell the starter when all of them are ready."""
    import asyncio

    from gnomon.service.service import Service, run_services

    class Ready(Service):
        async def run(self) -> None:
            notify_ready()
            self.ready()
            await self.stopping.wait()

    asyncio.run(run_services([*services, Ready("ready")]))


def _scheduler(argv: list[str]) -> None:
    from gnomon.api.execution.handlers import Handlers
    from gnomon.executors.local import LocalExecutor
    from gnomon.scheduler.service import Scheduler
    from gnomon.service.home import runtime_dir
    from gnomon.store.engine import open_store

    with open_store() as store:
        _services(Scheduler(store, LocalExecutor(runtime_dir() / "scheduler.sock"), Handlers(store).handle))


def _dag_processor(argv: list[str]) -> None:
    from gnomon.parsing.start_parser import start_parser

    started = start_parser()  # its imports and ours take a quarter of a second each, at the same time
    from gnomon.api.execution.handlers import Handlers
    from gnomon.cli.sign_of_life import SignOfLife
    from gnomon.parsing.listening import Listening
    from gnomon.parsing.processor import DagProcessor
    from gnomon.store.engine import open_store
    from gnomon.store.errors import Unavailable

    with open_store() as store:
        handlers = Handlers(store)
        listening = Listening(
            store.announcements,
            lambda request: handlers.handle(None, request),
            outage=(OSError, Unavailable),
            listen=lambda loop, call: store.notifier.subscribe(loop, ["announce"], lambda notice: call(notice.payload)),
        )
        processor = DagProcessor(
            store.dags,
            lambda request: handlers.handle(None, request),
            outage=(OSError, Unavailable),
            listen=lambda loop, call: store.notifier.subscribe(loop, ["parse"], lambda notice: call(notice.payload)),
            desk=store.questions,
            listen_for_questions=lambda loop, call: store.notifier.subscribe(
                loop, ["question"], lambda notice: call(notice.payload)
            ),
            listening=listening,
            started=started,
        )
        _services(listening, SignOfLife(store, "DagProcessorJob"), processor)


def _triggerer(argv: list[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser(prog="gnomon triggerer")
    parser.add_argument("--capacity", type=int)
    parser.add_argument("--queues")
    options = parser.parse_args(argv)

    from gnomon.api.execution.handlers import Handlers
    from gnomon.store.engine import open_store
    from gnomon.triggerer.service import Triggerer

    queues = options.queues.split(",") if options.queues else None
    with open_store() as store:
        _services(Triggerer(store, Handlers(store).handle, capacity=options.capacity, queues=queues))


def _api_server(argv: list[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser(prog="gnomon api-server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args(argv)

    # The server ends by raising the signal again that ended it, and so does one that comes before it listens.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from gnomon.api.server import serve
    from gnomon.service.logs import get_logger
    from gnomon.store.engine import open_store

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)

    def ready() -> None:
        get_logger("api-server").info(f"listening at http://{options.host}:{options.port}")
        notify_ready()

    with open_store() as store:
        serve(store, options.host, options.port, on_ready=ready)


_PARTS: dict[str, Callable[[list[str]], None]] = {
    "prepare": _prepare,
    "scheduler": _scheduler,
    "dag-processor": _dag_processor,
    "triggerer": _triggerer,
    "api-server": _api_server,
}
