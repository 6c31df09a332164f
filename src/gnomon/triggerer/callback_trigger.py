"""Runs the asynchronous callback of a missed deadline among the triggers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from gnomon.sdk.callbacks import accepts_context, load
from gnomon.sdk.trigger import BaseTrigger, TriggerEvent

log = logging.getLogger("airflow.triggers")


class CallbackTrigger(BaseTrigger):
    """Awaits a callback and says how it ended.

    Args:
        callback_path: the import path of a coroutine function, or of a class whose instances can be awaited.
        callback_kwargs: its arguments, `context` among them.
        dag_file: where a function of a DAG file itself is found, as a wire.execution.FileRef in JSON terms.
    """

    supports_triggerer_queue = False

    def __init__(
        self,
        callback_path: str,
        callback_kwargs: dict[str, Any] | None = None,
        dag_file: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.callback_path = callback_path
        self.callback_kwargs = callback_kwargs or {}
        self.dag_file = dag_file

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the arguments."""
        names = ("callback_path", "callback_kwargs", "dag_file")
        return f"{__name__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Await the callback; an error of it is told like a result."""
        try:
            # In a thread: importing a module may take a while, and the other triggers must not wait for it.
            callback = await asyncio.to_thread(load, self.callback_path, self.dag_file, _import_dag_file)
            kwargs = dict(self.callback_kwargs)
            context = kwargs.pop("context", None)
            if context is not None and accepts_context(callback):
                kwargs["context"] = context
            result = await callback(**kwargs)
        except Exception as error:
            log.exception("The callback %s failed", self.callback_path)
            yield TriggerEvent({"state": "failed", "body": f"{type(error).__name__}: {error}"})
        else:
            yield TriggerEvent({"state": "success", "body": None if result is None else str(result)})


def _import_dag_file(file: dict[str, Any]) -> None:
    from gnomon.parsing.loader import load_file

    loaded = load_file(file["path"], bundle_root=file["bundle_root"], relative_path=file["relative_path"])
    if loaded.error:
        raise ImportError(f"the DAG file {file['relative_path']} cannot be imported: {loaded.error}")
