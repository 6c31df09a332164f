"""allow_nested_operators: an operator that is executed inside another one's task."""

from __future__ import annotations

from typing import Any

import pytest

from gnomon.sdk import nesting
from gnomon.sdk.dag import DAG
from gnomon.sdk.operator import BaseOperator
from gnomon.worker import runner
from tests.unit.runtime.fakes import FakeChannel, workload


class Inner(BaseOperator):
    def execute(self, context: Any) -> str:
        return "inner"


class Derived(Inner):
    def execute(self, context: Any) -> str:
        return f"derived {super().execute(context)}"


class Outer(BaseOperator):
    def __init__(self, inner: BaseOperator, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner

    def execute(self, context: Any) -> Any:
        return self.inner.execute(context)


@pytest.fixture
def channel() -> Any:
    from gnomon.sdk.runtime.channel import set_channel

    made = FakeChannel()
    set_channel(made)
    yield made
    nesting.run_in(None)


def run(channel: FakeChannel, **of_inner: Any) -> Any:
    inner = Derived(task_id="inner", **of_inner)
    with DAG("d", schedule=None) as dag:
        Outer(task_id="t", inner=inner)
    runner.run_try(workload("t"), dag, channel)
    return channel.outcome


def test_a_nested_operator_is_warned_about_once(channel: FakeChannel, caplog: pytest.LogCaptureFixture) -> None:
    assert run(channel).xcoms[0].value == b'"derived inner"'
    warnings = [record.getMessage() for record in caplog.records if "inside task" in record.getMessage()]
    assert warnings == ["Derived.execute is called inside task 't': nobody sees it as a task of its own"]


def test_one_that_does_not_allow_it_raises(channel: FakeChannel) -> None:
    outcome = run(channel, allow_nested_operators=False)
    assert outcome.state == "failed"
    assert "task 'inner' has allow_nested_operators=False" in outcome.error


def test_a_task_of_its_own_is_not_nested(channel: FakeChannel, caplog: pytest.LogCaptureFixture) -> None:
    with DAG("d", schedule=None) as dag:
        Derived(task_id="t", allow_nested_operators=False)
    runner.run_try(workload("t"), dag, channel)
    assert channel.outcome is not None
    assert channel.outcome.state == "success"
    assert not [record for record in caplog.records if "inside task" in record.getMessage()]


def test_outside_of_tasks_it_may_be_called_as_in_unit_tests_of_authors() -> None:
    nesting.run_in(None)
    assert Derived(task_id="t").execute({}) == "derived inner"
