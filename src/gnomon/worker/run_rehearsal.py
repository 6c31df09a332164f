"""Runs a task that only renders a template, a few times, before any real one.

Python adapts code while it runs for the first times. A task that found it not adapted would do so in its own process,
which means copying each page of it that it shares with the template; that doubled the cost of a no-op.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import msgspec

from gnomon.sdk.dag import DAG
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.runtime.channel import set_channel
from gnomon.wire import execution as wire
from gnomon.worker import runner

_TIMES = 4
_KEY = wire.TryKey(0, 0)


class _Nothing(BaseOperator):
    template_fields = ("text",)
    text = "{{ ds }}{% if ti %} {{ params }}{% endif %}"

    def execute(self, context: Any) -> None:
        """Do nothing."""


class _Unheard:
    def proceed(self) -> wire.Proceed:
        return wire.Proceed(key=_KEY, ok=True)

    def finish(self, outcome: Any) -> None:
        wire.encode(outcome)

    def busy(self) -> bool:
        return False

    def tell(self, request: Any) -> None:
        """Rendered fields, should this take long."""


def rehearse() -> None:
    """Do it, and leave nothing behind."""
    dag = DAG("rehearsal", schedule=None)
    _Nothing(task_id="nothing", dag=dag)
    run = wire.RunInfo(id=0, dag_id=dag.dag_id, run_id="r", run_type="manual", run_after=0, logical_date=0)
    workload = wire.Workload(
        key=_KEY,
        task_id="nothing",
        try_number=1,
        max_tries=0,
        file=wire.FileRef("", "", "", ""),
        run=msgspec.Raw(wire.encode(run)),
    )
    environ, level = dict(os.environ), runner.log.level
    runner.log.setLevel(logging.CRITICAL)
    try:
        for _ in range(_TIMES):
            runner.run_try(workload, dag, _Unheard())  # type: ignore[arg-type]
    finally:
        runner.log.setLevel(level)
        set_channel(None)
        for name in set(os.environ) - set(environ):
            del os.environ[name]
