"""A dag-processor on a real database, for tests: writes DAG files, and waits for what is recorded of them."""

from __future__ import annotations

import asyncio
import os
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from gnomon.parsing.processor import DagProcessor
from gnomon.store import engine
from gnomon.store.errors import Unavailable
from gnomon.wire import execution as wire

PATIENCE = 20.0


class ListeningSink:
    """`store.dags`, with a bell after each write, and a note of what was written."""

    def __init__(self, dags: Any) -> None:
        self._dags = dags
        self.wrote = threading.Condition()
        self.parses: list[str] = []

    def files(self, bundle: str | None = None) -> Iterable[Any]:
        return self._dags.files(bundle)

    def import_errors(self) -> list[tuple[str, str, str]]:
        return self._dags.import_errors()

    def record_parses(self, batch: Iterable[Any], now: datetime) -> Any:
        parses = list(batch)
        recorded = self._dags.record_parses(parses, now)
        with self.wrote:
            self.parses += [parse.file.relative_path for parse in parses]
            self.wrote.notify_all()
        return recorded

    def mark_files_gone(self, bundle: str, paths: Iterable[str]) -> Any:
        result = self._dags.mark_files_gone(bundle, paths)
        with self.wrote:
            self.wrote.notify_all()
        return result

    def set_bundle(self, name: str, now: datetime, *, version: str | None = None, active: bool = True) -> None:
        self._dags.set_bundle(name, now, version=version, active=active)

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Return what `condition` gives once that is true; looked at after each write."""

        def wait() -> Any:
            with self.wrote:
                if not self.wrote.wait_for(condition, PATIENCE):
                    raise TimeoutError(f"not recorded within {PATIENCE} s; errors: {self.import_errors()}")
            return condition()

        return await asyncio.to_thread(wait)


class Project:
    """A folder of DAG files and what is recorded of it."""

    def __init__(self, home: Path, url: str) -> None:
        self.folder = home / "dags"
        self.folder.mkdir(exist_ok=True)
        self.store = engine.open_store(url)
        self.sink = ListeningSink(self.store.dags)
        self.asked: list[wire.Request] = []
        self.variables: dict[str, str] = {}
        self.processor: DagProcessor

    def save(self, name: str, text: str) -> Path:
        """Save a file as most editors do: beside it, then renamed over it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(textwrap.dedent(text))
        os.replace(temporary, path)
        return path

    def save_dag(self, name: str, dag_id: str, before: str = "") -> Path:
        """Save a file with one DAG of two tasks."""
        return self.save(name, f"{textwrap.dedent(before)}\n{dag_text(dag_id)}")

    def dags(self) -> list[str]:
        """The DAGs that are not stale."""
        return [dag.dag_id for dag in self.store.dags.all()]

    def error_of(self, name: str) -> str | None:
        """The import error of a file."""
        return next((text for _, path, text in self.sink.import_errors() if path == name), None)

    async def error(self, name: str) -> str:
        """Wait for a file's import error."""
        text: str = await self.sink.until(lambda: self.error_of(name))
        return text

    def answer(self, request: wire.Request) -> wire.Reply:
        """Answer what a DAG file asks while it is parsed."""
        self.asked.append(request)
        if isinstance(request, wire.GetVariable) and request.key in self.variables:
            return wire.VariableFound(request.key, self.variables[request.key])
        return wire.Problem("not_found", f"{request} is not there")

    @asynccontextmanager
    async def processing(self) -> AsyncIterator[DagProcessor]:
        """Run a dag-processor; ready when all files have been looked at."""
        self.processor = DagProcessor(self.sink, self.answer, outage=(Unavailable,))
        await self.processor.start()
        try:
            yield self.processor
        finally:
            await self.processor.stop()


def dag_text(dag_id: str) -> str:
    return textwrap.dedent(
        f"""
        # airflow
        from gnomon.sdk.dag import DAG
        from gnomon.sdk.operator import BaseOperator

        with DAG("{dag_id}", schedule="@daily"):
            BaseOperator(task_id="a") >> BaseOperator(task_id="b")
        """
    )
