"""The outlets and inlets of a try: what travels with its success, and that they are active."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gnomon.sdk.assets import Asset
from gnomon.sdk.dag import DAG
from gnomon.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.runtime.channel import set_channel
from gnomon.wire import assets as ask_for
from gnomon.wire import execution as wire
from gnomon.worker import runner
from tests.unit.runtime.fakes import FakeChannel, workload

A = Asset("a")
_OF_A = [{"dest_asset_key": {"name": "a", "uri": "a"}}]


class Task(BaseOperator):
    def __init__(self, function: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def execute(self, context: Any) -> Any:
        return self.function(context)


@pytest.fixture
def channel() -> Iterator[FakeChannel]:
    channel = FakeChannel()
    channel.custom = lambda request: wire.Found(b"[]") if isinstance(request, ask_for.GetInactiveAssets) else None
    set_channel(channel)
    yield channel
    set_channel(None)


def run(channel: FakeChannel, function: Callable[[Any], Any] = lambda context: None, **arguments: Any) -> wire.Outcome:
    with DAG("d", schedule=None) as dag:
        Task(task_id="t", function=function, **arguments)
    runner.run_try(workload("t"), dag, channel)
    assert channel.outcome is not None
    return channel.outcome


def test_a_success_carries_the_events_of_its_outlets(channel: FakeChannel) -> None:
    def say(context: Any) -> None:
        context["outlet_events"][A].extra["n"] = 1

    outcome = run(channel, say, outlets=[A])

    assert (outcome.state, outcome.asset_events) == ("success", [{**_OF_A[0], "extra": '{"n":1}'}])


def test_so_does_one_that_skips_what_follows(channel: FakeChannel) -> None:
    def skip(context: Any) -> None:
        raise DownstreamTasksSkipped(tasks=["other"])

    outcome = run(channel, skip, outlets=[A])

    assert (outcome.state, outcome.asset_events) == ("success", _OF_A)


@pytest.mark.parametrize("error", [AirflowSkipException(), ValueError("broken")])
def test_nothing_else_makes_events(channel: FakeChannel, error: Exception) -> None:
    def end(context: Any) -> None:
        raise error

    outcome = run(channel, end, outlets=[A])

    assert outcome.state != "success"
    assert outcome.asset_events == []


def test_a_task_with_inactive_assets_fails_before_it_runs(channel: FakeChannel) -> None:
    ran: list[int] = []
    channel.custom = lambda request: wire.Found(b'[["a","a"]]')

    outcome = run(channel, lambda context: ran.append(1), inlets=[A])

    assert (outcome.state, outcome.retryable, ran) == ("failed", False, [])
    assert "inactive assets" in str(outcome.error)


def test_a_task_without_assets_asks_nothing_about_them(channel: FakeChannel) -> None:
    outcome = run(channel)

    assert outcome.asset_events == []
    assert not any(type(said).__module__ == ask_for.__name__ for said in channel.log)


def test_an_extra_without_a_json_form_fails_the_try(channel: FakeChannel) -> None:
    def say(context: Any) -> None:
        context["outlet_events"][A].extra["open"] = object()

    outcome = run(channel, say, outlets=[A])

    assert outcome.state == "failed"
    assert "open" in str(outcome.error)
