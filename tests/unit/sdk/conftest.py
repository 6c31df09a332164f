"""Running one task of a DAG in this process, against a control side in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gnomon.sdk import secrets
from gnomon.sdk.dag import DAG
from gnomon.sdk.runtime import channel as channels
from gnomon.sdk.serialization import serialize_dag
from gnomon.wire import dag as wire_dag
from gnomon.wire import execution as wire
from gnomon.worker.runner import run_try
from tests.unit.runtime.fakes import FakeChannel, run_info, workload


class Runner:
    """Runs tasks and keeps what they push, as scheduler and worker would."""

    def __init__(self) -> None:
        self.channel = FakeChannel()

    def run(self, dag: DAG, task_id: str, *, run: dict[str, Any] | None = None, **changes: Any) -> wire.Outcome:
        info = run_info(dag_id=dag.dag_id, **(run or {}))
        piece = workload(task_id, run=info, **changes)
        run_try(piece, dag, self.channel)
        outcome = self.channel.outcome
        assert outcome is not None
        for entry in outcome.xcoms:
            self.channel.xcoms[dag.dag_id, info.run_id, task_id, piece.map_index, entry.key] = entry
        return outcome

    def value(self, outcome: wire.Outcome, key: str = "return_value") -> Any:
        return next((json.loads(entry.value) for entry in outcome.xcoms if entry.key == key), None)

    def run_and_return(self, dag: DAG, task_id: str, **changes: Any) -> Any:
        outcome = self.run(dag, task_id, **changes)
        assert outcome.state == "success", outcome.error
        return self.value(outcome)


@pytest.fixture
def runner() -> Iterator[Runner]:
    yield Runner()
    channels.set_channel(None)


@pytest.fixture
def channel() -> Iterator[FakeChannel]:
    fake = FakeChannel()
    channels.set_channel(fake)
    yield fake
    channels.set_channel(None)


@pytest.fixture
def profile_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__COMPAT", "2")


@pytest.fixture(autouse=True)
def _forget_backend() -> Iterator[None]:
    secrets.custom_backend.cache_clear()
    yield
    secrets.custom_backend.cache_clear()


@pytest.fixture
def as_data() -> Callable[[DAG], wire_dag.SerializedDag]:
    """Return a DAG as the scheduler reads it: validated, written and read back."""

    def convert(dag: DAG) -> wire_dag.SerializedDag:
        dag.validate()
        return wire_dag.decode(wire_dag.encode(serialize_dag(dag)))

    return convert
