"""A DAG, a channel and a task instance for tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gnomon.sdk.dag import DAG
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.runtime import channel as channels
from gnomon.sdk.runtime import xcom
from gnomon.sdk.runtime.dag_run import DagRun
from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance
from tests.unit.runtime.fakes import FakeChannel, run_info, utc, workload


class Op(BaseOperator):
    """Runs a function with the context."""

    template_fields = ("text", "more")

    def __init__(
        self, function: Callable[..., Any] = lambda context: None, text: Any = "", more: Any = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.function, self.text, self.more = function, text, more

    def execute(self, context: Any) -> Any:
        return self.function(context)


@pytest.fixture
def channel() -> Iterator[FakeChannel]:
    fake = FakeChannel()
    channels.set_channel(fake)
    yield fake
    channels.set_channel(None)


@pytest.fixture(autouse=True)
def _forget_backend() -> Iterator[None]:
    yield
    xcom._backend = None
    xcom._max_size = None


@pytest.fixture
def make_ti(monkeypatch: pytest.MonkeyPatch) -> Callable[..., RuntimeTaskInstance]:
    def make(*, profile: int = 3, dag: dict[str, Any] | None = None, run: dict[str, Any] | None = None, **changes: Any):
        monkeypatch.setenv("AIRFLOW__CORE__COMPAT", str(profile))
        operator = changes.pop("operator", None) or {}
        with DAG("d", **{"start_date": utc(2024, 1, 1), "schedule": None, **(dag or {})}):
            task = Op(task_id="t", **operator)
        piece = workload(**changes)
        info = run_info(**(run or {}))
        return RuntimeTaskInstance(piece, task, DagRun(info), start_date=info.run_after, profile=profile)

    return make
