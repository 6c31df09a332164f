"""Callbacks of DAGs, tasks and deadlines: functions, lists of them and notifiers, in both profiles."""

from __future__ import annotations

import asyncio
import sys
import time
import types
from typing import Any

import msgspec
import pytest

from gnomon.sdk.callbacks import AsyncCallback, SyncCallback
from gnomon.sdk.dag import DAG
from gnomon.sdk.exceptions import AirflowSkipException
from gnomon.sdk.notifier import BaseNotifier
from gnomon.sdk.operator import BaseOperator
from gnomon.service.config import conf
from gnomon.triggerer.callback_trigger import CallbackTrigger
from gnomon.wire import execution as wire
from gnomon.worker import runner
from tests.unit.runtime.fakes import FakeChannel, utc, workload

RUN_ID = "scheduled__2024-03-10T00:00:00+00:00"
SEEN: list[Any] = []


class Notifier(BaseNotifier):
    """As provider packages write them."""

    template_fields = ("text", "to")

    def __init__(self, text: str, to: str = "all", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text, self.to = text, to

    def notify(self, context: Any) -> None:
        SEEN.append((self.text, self.to))

    async def async_notify(self, context: Any) -> None:
        await asyncio.sleep(0)
        SEEN.append(("async", self.text, context["deadline"]["id"]))


class Broken(BaseNotifier):
    def notify(self, context: Any) -> None:
        raise ConnectionError("nobody answers")


class Task(BaseOperator):
    def __init__(self, error: Exception | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error = error

    def execute(self, context: Any) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


@pytest.fixture(params=["2", "3"])
def profile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AIRFLOW__CORE__COMPAT", request.param)
    conf.reload()
    runner.profile.cache_clear()
    request.addfinalizer(runner.profile.cache_clear)  # noqa: PT021 - the fixture has nothing to yield
    return str(request.param)


@pytest.fixture
def channel() -> FakeChannel:
    from gnomon.sdk.runtime.channel import set_channel

    made = FakeChannel()
    set_channel(made)
    return made


def saw(name: str) -> Any:
    return lambda context: SEEN.append((name, context["ti"].state))


@pytest.mark.parametrize(
    ("error", "piece", "expected"),
    [
        (None, {}, [("execute", "running"), ("success", "success"), ("twice", "success")]),
        (ValueError("x"), {"max_tries": 1}, [("execute", "running"), ("retry", "up_for_retry")]),
        (ValueError("x"), {}, [("execute", "running"), ("failure", "failed")]),
        (AirflowSkipException("x"), {}, [("execute", "running"), ("skipped", "skipped")]),
    ],
)
def test_each_kind_of_end_has_its_callback(
    channel: FakeChannel, profile: str, error: Any, piece: Any, expected: Any
) -> None:
    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        Task(
            task_id="t", error=error, retries=1,
            on_execute_callback=saw("execute"), on_success_callback=[saw("success"), saw("twice")],
            on_retry_callback=saw("retry"), on_failure_callback=[saw("failure")], on_skipped_callback=saw("skipped"),
        )  # fmt: skip
    runner.run_try(workload("t", **{"max_tries": 0, **piece}), dag, channel)
    assert SEEN == expected


def test_a_notifier_is_a_callback_whose_arguments_are_templates(channel: FakeChannel, profile: str) -> None:
    broken, fine = Broken(), Notifier("{{ ti.task_id }} of {{ run_id }} to {{ to }}", to="me")
    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        Task(task_id="t", error=ValueError("x"), on_failure_callback=[broken, fine])
    runner.run_try(workload("t", max_tries=0), dag, channel)
    assert SEEN == [(f"t of {RUN_ID} to me", "me")]
    assert channel.outcome is not None
    assert channel.outcome.error == "ValueError: x"


def of_dag(kind: str, **fields: Any) -> wire.CallbackWorkload:
    piece = workload("t")
    return wire.CallbackWorkload(id=1, kind=kind, file=piece.file, run=piece.run, reason="task_failure", **fields)


@pytest.mark.parametrize(("kind", "state"), [("dag_success", "success"), ("dag_failure", "failed")])
def test_a_dag_callback_knows_the_task_that_ended_last(
    channel: FakeChannel, profile: str, kind: str, state: str
) -> None:
    def tell(context: Any) -> None:
        SEEN.append((context["ti"].task_id, context["ti"].state, context["reason"], context["dag_run"].run_id))

    callbacks = {"on_success_callback": [tell], "on_failure_callback": tell}
    with DAG("d", start_date=utc(2024, 1, 1), schedule=None, **callbacks) as dag:
        Task(task_id="t")
    runner.run_callback(of_dag(kind, task_id="t", try_number=1), {"d": dag}, channel)
    # A task that is not in the file any more is no reason not to call.
    runner.run_callback(of_dag(kind, task_id="t", try_number=1), {"d": dag}, channel)
    assert SEEN == [("t", state, "task_failure", RUN_ID)] * 2


def test_a_dag_callback_may_be_a_notifier(channel: FakeChannel, profile: str) -> None:
    with DAG("d", schedule=None, on_failure_callback=[Notifier("{{ dag.dag_id }}: {{ reason }}")]) as dag:
        Task(task_id="t")
    runner.run_callback(of_dag("dag_failure"), {"d": dag}, channel)
    assert SEEN == [("d: task_failure", "all")]


def test_sla_callbacks_are_ignored_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="sla_miss_callback is ignored.*deadline"):
        DAG("d", schedule=None, sla_miss_callback=print)


# ------------------------------------------------------------------------------------------------ deadlines

CONTEXT = {"dag_run": {"dag_id": "d"}, "deadline": {"id": "7", "deadline_time": "2024-01-01T00:00:00+00:00"}}


def plain(text: str) -> None:
    SEEN.append(text)


def with_context(text: str, context: Any) -> None:
    SEEN.append((text, context["deadline"]["id"]))


def failing(**kwargs: Any) -> None:
    raise ConnectionError("nobody answers")


def missed(channel: FakeChannel, path: str, **kwargs: Any) -> wire.CallbackDone:
    data = msgspec.json.encode({"path": path, "kwargs": kwargs, "context": CONTEXT})
    runner.run_callback(of_dag("deadline", data=data), {}, channel)
    done = channel.log.pop()
    assert isinstance(done, wire.CallbackDone)
    return done


def test_a_worker_calls_the_function_of_a_missed_deadline(channel: FakeChannel) -> None:
    assert missed(channel, SyncCallback(plain).path, text="late").error is None
    assert missed(channel, SyncCallback(with_context).path, text="late").error is None
    assert missed(channel, SyncCallback(Notifier).path, text="late for {{ dag_run.dag_id }}").error is None
    assert missed(channel, f"{__name__}.failing").error == "ConnectionError: nobody answers"
    assert "nowhere" in str(missed(channel, "nowhere.to_be_found").error)
    assert SEEN == ["late", ("late", "7"), ("late for d", "all")]


def endless() -> None:
    while True:
        time.sleep(0.01)


def test_callback_execution_timeout_ends_one_that_takes_longer(
    channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CALLBACKS__CALLBACK_EXECUTION_TIMEOUT", "1")
    conf.reload()
    assert "callback_execution_timeout" in str(missed(channel, f"{__name__}.endless").error)
    assert missed(channel, f"{__name__}.plain", text="quick").error is None


def test_a_function_of_the_dag_file_itself_is_found(channel: FakeChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("unusual_prefix_0_d")
    module.tell = plain  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert missed(channel, f"{module.__name__}.tell", text="here").error is None
    assert "does not define gone any more" in str(missed(channel, f"{module.__name__}.gone").error)
    assert SEEN == ["here"]


async def tell_later(text: str, context: Any) -> str:
    SEEN.append((text, context["deadline"]["id"]))
    return "told"


async def fail_later() -> None:
    raise ConnectionError("nobody answers")


async def _event(path: str, **kwargs: Any) -> Any:
    async for event in CallbackTrigger(path, {**kwargs, "context": CONTEXT}).run():
        return event.payload
    return None


def test_the_triggerer_awaits_the_callback_of_a_missed_deadline() -> None:
    assert asyncio.run(_event(AsyncCallback(tell_later).path, text="late")) == {"state": "success", "body": "told"}
    assert asyncio.run(_event(AsyncCallback(Notifier).path, text="late {{ dag_run.dag_id }}"))["state"] == "success"
    failed = asyncio.run(_event(f"{__name__}.fail_later"))
    assert failed == {"state": "failed", "body": "ConnectionError: nobody answers"}
    assert SEEN == [("late", "7"), ("async", "late d", "7")]


def test_only_what_can_be_awaited_is_an_asynchronous_callback() -> None:
    with pytest.raises(AttributeError, match="is not awaitable"):
        AsyncCallback(plain)
    with pytest.raises(ValueError, match="context is a reserved kwarg"):
        SyncCallback(plain, {"context": 1})
