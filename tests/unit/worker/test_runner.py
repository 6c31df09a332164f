"""The pipeline of one try (spec: mistakes 24, 26, 29, 31, 34, 40)."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gnomon.sdk import exceptions as errors
from gnomon.sdk.dag import DAG
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.runtime import channel as channels
from gnomon.sdk.runtime import values, xcom
from gnomon.sdk.runtime.channel import ChannelClosedError
from gnomon.sdk.runtime.current import get_current_context
from gnomon.sdk.runtime.task_end import TASK_END
from gnomon.wire import execution as wire
from gnomon.worker import run_fields, runner
from tests.unit.runtime.fakes import DATE, FakeChannel, run_info, utc, workload

Run = Callable[..., wire.Outcome]
RUN_ID = "scheduled__2024-03-10T00:00:00+00:00"


class Op(BaseOperator):
    """Runs a function with the context."""

    template_fields = ("text", "more")

    def __init__(
        self, function: Callable[..., Any] = lambda context: None, text: Any = "", more: Any = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.function, self.text, self.more = function, text, more
        self.killed: list[str] = []

    def execute(self, context: Any) -> Any:
        return self.function(context)

    def resumed(self, context: Any, event: Any = None, **kwargs: Any) -> Any:
        return {"event": event, **kwargs}

    def on_kill(self) -> None:
        self.killed.append("killed")


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    before = dict(os.environ)
    yield
    runner.profile.cache_clear()
    xcom._backend = xcom._max_size = None
    channels.set_channel(None)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def run(channel: FakeChannel, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one task; returns its outcome."""

    def one(function: Callable[..., Any] = lambda context: None, *, profile: int = 3, **given: Any) -> wire.Outcome:
        monkeypatch.setenv("AIRFLOW__CORE__COMPAT", str(profile))
        runner.profile.cache_clear()
        piece = {
            name: given.pop(name)
            for name in list(given)
            if name in wire.Workload.__struct_fields__ and name not in ("queue", "pool")
        }
        info = run_info(**given.pop("run_info", {}))
        with DAG("d", start_date=utc(2024, 1, 1), schedule=None, **given.pop("dag", {})) as dag:
            Op(function=function, task_id="t", **given)
        runner.run_try(workload("t", run=info, **piece), dag, channel)
        assert channel.outcome is not None
        return channel.outcome

    return one


def raising(error: BaseException) -> Callable[[Any], Any]:
    def function(context: Any) -> Any:
        raise error

    return function


def pushed(outcome: wire.Outcome) -> dict[str, Any]:
    return {entry.key: values.decode(entry.value) for entry in outcome.xcoms}


# ------------------------------------------------------------------------------------------ success and XComs


def test_a_plain_task_costs_one_message_after_the_go_ahead(run: Run, channel: FakeChannel) -> None:
    outcome = run(lambda context: None)

    assert (outcome.state, outcome.xcoms, outcome.rendered_fields) == ("success", [], None)
    assert [type(message) for message in channel.log] == [str, wire.Outcome]


def test_without_a_go_ahead_no_user_code_runs(channel: FakeChannel) -> None:
    channel.ok = False
    ran: list[int] = []
    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        Op(function=lambda context: ran.append(1), task_id="t", text="{{ 1/0 }}")
    runner.run_try(workload(), dag, channel)

    assert (ran, channel.log) == ([], ["proceed"])


def test_what_is_returned_travels_with_the_outcome(run: Run, channel: FakeChannel) -> None:
    assert pushed(run(lambda context: {"a": (1, 2)})) == {"return_value": {"a": (1, 2)}}
    assert channel.said(wire.PutXCom) == []


def test_mistake_34_multiple_outputs_pushes_each_key_and_the_return_value(run: Run) -> None:
    outcome = run(lambda context: {"a": 1, "b": 2}, multiple_outputs=True)

    assert pushed(outcome) == {"a": 1, "b": 2, "return_value": {"a": 1, "b": 2}}


@pytest.mark.parametrize(("value", "message"), [([1], "must return a dict, not a list"), ({1: 2}, "key 1 must be")])
def test_mistake_34_multiple_outputs_needs_a_dict_with_string_keys(run: Run, value: Any, message: str) -> None:
    outcome = run(lambda context: value, multiple_outputs=True)

    assert outcome.state == "failed"
    assert message in (outcome.error or "")


def test_mistake_34_none_is_not_pushed(run: Run) -> None:
    assert run(lambda context: None).xcoms == []
    assert run(lambda context: 1, do_xcom_push=False).xcoms == []


def test_a_result_without_json_form_fails_the_try_with_its_place(run: Run) -> None:
    outcome = run(lambda context: {"x": [object()]})

    assert outcome.state == "failed"
    assert "task t cannot push the XCom 'return_value': value['x'][0]" in (outcome.error or "")


def mapped_over(value: Any, channel: FakeChannel, **settings: str) -> wire.Outcome:
    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        source = Op(function=lambda context: value, task_id="t")
        Op.partial(task_id="m").expand(text=source.output)
    runner.run_try(workload(), dag, channel)
    assert channel.outcome is not None
    return channel.outcome


@pytest.mark.parametrize(("value", "length"), [([1, 2, 3], 3), ({"a": 1}, 1), ((), 0)])
def test_mistake_14_the_length_is_told_where_a_mapped_task_expands_over_it(
    channel: FakeChannel, value: Any, length: int
) -> None:
    assert mapped_over(value, channel).xcoms[0].length == length


@pytest.mark.parametrize(
    ("value", "error"), [(None, "XComForMappingNotPushed"), ("text", "UnmappableXComTypePushed"), (5, "Unmappable")]
)
def test_mistake_14_what_cannot_be_expanded_over_fails_the_pushing_task(
    channel: FakeChannel, value: Any, error: str
) -> None:
    outcome = mapped_over(value, channel)

    assert (outcome.state, (outcome.error or "").startswith(error)) == ("failed", True)


def test_mistake_14_max_map_length_fails_the_pushing_task(
    channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    outcome = mapped_over([1, 2, 3], channel)

    assert outcome.state == "failed"
    assert "returned 3 elements" in (outcome.error or "")


# --------------------------------------------------------------------------------------------- clearing XComs


@pytest.mark.parametrize(
    ("piece", "cleared"),
    [
        ({"key": wire.TryKey(1, 1)}, 0),
        ({"key": wire.TryKey(1, 2)}, 1),
        ({"key": wire.TryKey(1, 2), "next_method": "resumed"}, 0),
    ],
)
def test_mistake_29_old_xcoms_are_cleared_unless_there_are_none_or_the_task_resumes(
    run: Run, channel: FakeChannel, piece: dict[str, Any], cleared: int
) -> None:
    channel.xcoms["d", RUN_ID, "t", -1, "old"] = wire.XComEntry("old", b"1")
    run(**piece)

    assert len(channel.said(wire.DeleteXComs)) == cleared
    assert (not channel.xcoms) == bool(cleared)


# ------------------------------------------------------------------------------------------------- templates


def test_fields_are_rendered_before_execute_and_reported_with_the_outcome(run: Run) -> None:
    seen: list[Any] = []
    outcome = run(
        lambda context: seen.append((context["task"].text, context["task"].more)),
        text="{{ ds }} {{ params.p }}",
        more=["{{ ti.try_number }}", {"k": "{{ run_id }}"}],
        dag={"params": {"p": 5}},
    )

    assert seen == [("2024-03-10 5", ["1", {"k": RUN_ID}])]
    assert json.loads(outcome.rendered_fields or b"") == {"text": "2024-03-10 5", "more": ["1", {"k": RUN_ID}]}


def test_rendering_does_not_touch_the_dag_s_own_task(channel: FakeChannel) -> None:
    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        Op(task_id="t", text="{{ ds }}")
    for _ in range(2):
        runner.run_try(workload(), dag, channel)

    assert dag.get_task("t").text == "{{ ds }}"


def test_a_template_that_fails_fails_the_try(run: Run) -> None:
    outcome = run(text="{{ nothing }}")

    assert (outcome.state, outcome.retryable) == ("failed", True)
    assert "'nothing' is undefined" in (outcome.error or "")


def test_a_long_task_reports_its_fields_while_it_runs(
    run: Run, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    monkeypatch.setattr(run_fields.LateReport.__init__, "__defaults__", (0.0,))
    monkeypatch.setattr(channel, "tell", lambda request: (channel.log.append(request), told.set()))
    outcome = run(lambda context: told.wait(10), text="{{ ds }}")

    assert outcome.rendered_fields is None
    assert [json.loads(request.fields)["text"] for request in channel.said(wire.PutRenderedFields)] == ["2024-03-10"]


def test_a_plain_task_starts_no_thread(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_thread.start_new_thread", lambda *_: pytest.fail("a thread was started"))

    assert run().state == "success"


def test_rendered_fields_are_unicode_whatever_the_values_hold(run: Run) -> None:
    outcome = run(text="file \udce4")

    assert msgspec.json.decode(outcome.rendered_fields or b"") == {"text": "file ?", "more": None}


def test_an_operator_may_prepare_what_was_read_from_its_template_file(channel: FakeChannel, tmp_path: Path) -> None:
    class Prepared(Op):
        template_ext = (".sql",)

        def prepare_template(self) -> None:
            self.more = self.text.split(";")

    (tmp_path / "two.sql").write_text("select '{{ ds }}';select 2")
    with DAG("d", start_date=utc(2024, 1, 1), schedule=None, template_searchpath=str(tmp_path)) as dag:
        Prepared(task_id="t", text="two.sql", function=lambda context: context["task"].more)
    runner.run_try(workload(), dag, channel)

    assert channel.outcome is not None
    assert pushed(channel.outcome)["return_value"] == ["select '2024-03-10'", "select 2"]


def test_rendered_fields_are_masked_and_cut(run: Run) -> None:
    from gnomon.service.masking import masker

    masker.add("hush-hush")
    outcome = run(text="say hush-hush", more={"password": "abc", "long": "x" * 9000})
    shown = json.loads(outcome.rendered_fields or b"")

    assert shown["text"] == "say ***"
    assert len(shown["more"]) <= 4096
    assert "abc" not in shown["more"]


def test_mistake_36_a_param_that_does_not_fit_fails_before_execute(run: Run) -> None:
    from gnomon.sdk.params import Param

    ran: list[int] = []
    outcome = run(
        lambda context: ran.append(1), dag={"params": {"n": Param(1, type="integer")}}, run_info={"conf": b'{"n": "x"}'}
    )

    assert (outcome.state, ran) == ("failed", [])
    assert "param n" in (outcome.error or "")


def test_mapped_tasks_are_unmapped_for_their_index(channel: FakeChannel) -> None:
    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        Op.partial(
            task_id="t", function=lambda context: context["task"].text, map_index_template="n-{{ task.text }}"
        ).expand(text=["a", "b", "{{ ds }}"])
    outcomes = []
    for index in range(3):
        runner.run_try(workload(map_index=index), dag, channel)
        outcomes.append(channel.outcome)

    assert [pushed(one)["return_value"] for one in outcomes if one] == ["a", "b", "2024-03-10"]
    assert [one.rendered_map_index for one in outcomes if one] == ["n-a", "n-b", "n-2024-03-10"]


def test_the_label_of_a_mapped_task_may_name_what_execute_sets(channel: FakeChannel) -> None:
    def function(context: Any) -> None:
        context["color"] = "red"

    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        Op.partial(task_id="t", function=function, map_index_template="{{ color }}").expand(text=["a"])
    runner.run_try(workload(map_index=0), dag, channel)

    assert channel.outcome is not None
    assert (channel.outcome.state, channel.outcome.rendered_map_index) == ("success", "red")


# ------------------------------------------------------------------------------- order of hooks and callbacks


def test_mistake_29_the_order_of_everything(channel: FakeChannel) -> None:
    log: list[Any] = channel.log

    class Ordered(Op):
        def pre_execute(self, context: Any) -> None:
            log.append(f"pre_execute {self.text}")

        def execute(self, context: Any) -> int:
            log.append("execute")
            return 1

        def post_execute(self, context: Any, result: Any = None) -> None:
            log.append(f"post_execute {result}")

    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        Ordered(
            task_id="t",
            text="{{ ds }}",
            pre_execute=lambda context: log.append("pre hook"),
            post_execute=lambda context, result: log.append("post hook"),
            on_execute_callback=lambda context: log.append("on_execute"),
            on_success_callback=[
                lambda context: log.append("on_success 1"),
                lambda context: log.append("on_success 2"),
            ],
        )
    runner.run_try(workload(key=wire.TryKey(1, 2)), dag, channel)

    order = [message if isinstance(message, str) else type(message).__name__ for message in log]
    assert order == [
        *("proceed", "DeleteXComs", "pre hook", "pre_execute 2024-03-10", "on_execute", "execute"),
        *("post hook", "post_execute 1", "Outcome", "on_success 1", "on_success 2"),
    ]


def test_hooks_given_to_the_operator_are_called_once(run: Run) -> None:
    calls: list[str] = []
    run(pre_execute=lambda context: calls.append("pre"), post_execute=lambda context, result: calls.append("post"))

    assert calls == ["pre", "post"]


@pytest.mark.parametrize(
    ("error", "piece", "kind", "state"),
    [
        (ValueError("x"), {"max_tries": 0}, "on_failure_callback", "failed"),
        (ValueError("x"), {"max_tries": 1}, "on_retry_callback", "up_for_retry"),
        (ValueError("x"), {"max_tries": 1, "try_number": 2}, "on_failure_callback", "failed"),
        (errors.AirflowFailException("x"), {"max_tries": 1}, "on_failure_callback", "failed"),
        (errors.AirflowSkipException("x"), {"max_tries": 1}, "on_skipped_callback", "skipped"),
    ],
)
def test_mistake_29_other_outcomes_are_reported_after_their_callbacks(
    run: Run, channel: FakeChannel, error: Exception, piece: dict[str, Any], kind: str, state: str
) -> None:
    def callback(context: Any) -> None:
        channel.log.append((kind, context["ti"].state, context.get("exception")))

    others = {name: raising(AssertionError(name)) for name in runner._CALLBACKS.values() if name != kind}
    run(raising(error), **{kind: callback, **others}, **piece)

    exception = error if state != "skipped" else None
    assert channel.log[1:-1] == [(kind, state, exception)]
    assert isinstance(channel.log[-1], wire.Outcome)


def test_mistake_29_a_callback_that_raises_changes_nothing_and_stops_no_other(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []
    outcome = run(on_success_callback=[raising(ValueError("oops")), lambda context: calls.append(1)])

    assert (outcome.state, calls) == ("success", [1])
    assert "the state of the task is not affected" in caplog.text


def test_a_callback_that_exits_does_not_lose_the_outcome(run: Run) -> None:
    assert run(raising(ValueError()), on_failure_callback=raising(SystemExit(3))).state == "failed"  # type: ignore[arg-type]


def test_an_execute_callback_that_raises_does_not_stop_the_task(run: Run) -> None:
    assert run(lambda context: 1, on_execute_callback=raising(ValueError("oops"))).state == "success"


# -------------------------------------------------------------------------------------- exceptions, mistake 26


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (ValueError("x"), True),
        (errors.AirflowException("x"), True),
        (errors.AirflowTaskTimeout("x"), True),
        (errors.AirflowTaskTerminated("x"), False),
        (errors.AirflowFailException("x"), False),
        (errors.AirflowSensorTimeout("x"), False),
        (SystemExit(1), True),
        (SystemExit(0), True),
        (KeyboardInterrupt(), True),
        (BaseException("x"), True),
    ],
)
def test_mistake_26_which_failures_may_be_retried(run: Run, error: BaseException, retryable: bool) -> None:
    outcome = run(raising(error), max_tries=3)

    assert (outcome.state, outcome.retryable) == ("failed", retryable)
    assert (outcome.error or "").startswith(type(error).__name__)


def test_in_airflow_2_an_exit_with_0_is_a_success(run: Run) -> None:
    assert run(raising(SystemExit(0)), profile=2).state == "success"
    assert run(raising(SystemExit(None)), profile=2).state == "success"
    assert run(raising(SystemExit(2)), profile=2).state == "failed"


def test_the_traceback_in_the_log_begins_with_the_user_s_code(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    def broken(context: Any) -> None:
        raise ValueError("oops")

    run(broken)

    record = next(record for record in caplog.records if record.exc_info)
    text = logging.Formatter().formatException(record.exc_info)  # type: ignore[arg-type]
    assert "broken" in text
    assert "/worker/runner.py" not in text
    assert "ValueError: oops" in text


def test_a_failure_names_its_error_in_one_masked_line(run: Run) -> None:
    from gnomon.service.masking import masker

    masker.add("hush-hush")

    assert run(raising(ValueError("the hush-hush key"))).error == "ValueError: the *** key"


def test_a_sensor_that_reschedules(run: Run) -> None:
    outcome = run(raising(errors.AirflowRescheduleException(utc(2024, 3, 10))))

    assert (outcome.state, outcome.reschedule_at) == ("up_for_reschedule", DATE)


def test_mistake_31_a_branch_succeeds_and_skips_downstream(run: Run) -> None:
    outcome = run(raising(errors.DownstreamTasksSkipped(tasks=["a", ("m", 2)])))

    assert (outcome.state, outcome.skip) == ("success", [("a", -1), ("m", 2)])


def test_a_task_that_is_not_in_the_file_any_more_fails(channel: FakeChannel) -> None:
    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        pass
    runner.run_try(workload("gone"), dag, channel)

    assert channel.outcome is not None
    assert (channel.outcome.state, "no task 'gone' any more" in (channel.outcome.error or "")) == ("failed", True)
    assert channel.log[0] == "proceed"


def test_a_worker_that_is_gone_ends_the_process(run: Run, channel: FakeChannel) -> None:
    def finish(outcome: Any) -> None:
        raise ChannelClosedError

    channel.finish = finish  # type: ignore[method-assign]
    with pytest.raises(ChannelClosedError):
        run()


class Policy:
    """A retry policy."""

    def __init__(self, action: str, delay: timedelta | None = None) -> None:
        self.action, self.retry_delay, self.reason = action, delay, "because"

    def evaluate(self, *, exception: Any, try_number: int, max_tries: int, context: Any) -> Policy:
        assert isinstance(exception, ValueError)
        return self


@pytest.mark.parametrize(
    ("policy", "retryable", "delay"),
    [
        (Policy("fail"), False, None),
        (Policy("retry", timedelta(minutes=2)), True, 120.0),
        (Policy("default"), True, None),
    ],
)
def test_a_retry_policy_may_forbid_a_retry_or_set_its_delay(
    run: Run, policy: Policy, retryable: bool, delay: float | None
) -> None:
    outcome = run(raising(ValueError()), retry_policy=policy, max_tries=1)

    assert (outcome.retryable, outcome.retry_delay) == (retryable, delay)


# ------------------------------------------------------------------------------------------------- deferral


class Trigger:
    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "my.Trigger", {"at": utc(2024, 1, 1)}


def test_a_deferral_carries_its_trigger_method_and_timeout(run: Run) -> None:
    error = errors.TaskDeferred(
        trigger=Trigger(), method_name="resumed", kwargs={"since": utc(2024, 1, 2)}, timeout=timedelta(hours=1)
    )
    outcome = run(raising(error))

    assert outcome.state == "deferred"
    assert outcome.trigger is not None
    assert outcome.trigger.classpath == "my.Trigger"
    assert values.decode(outcome.trigger.kwargs) == {"at": utc(2024, 1, 1)}
    assert outcome.next_method == "resumed"
    assert values.decode(outcome.next_kwargs or b"") == {"since": utc(2024, 1, 2)}
    assert 3590e6 < (outcome.timeout or 0) - outcome.end_date <= 3600e6


def test_a_trigger_whose_arguments_have_no_json_form_fails_the_try(run: Run) -> None:
    class Unfit:
        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "my.Trigger", {"socket": object()}

    outcome = run(raising(errors.TaskDeferred(trigger=Unfit(), method_name="x")))

    assert (outcome.state, "['socket']" in (outcome.error or "")) == ("failed", True)


def test_a_resumed_task_gets_its_event_and_what_it_saved(run: Run) -> None:
    saved = b'{"kwargs": {"n": 1}, "event": {"state": "done"}}'
    outcome = run(raising(AssertionError()), next_method="resumed", next_kwargs=saved, key=wire.TryKey(1, 2))

    assert pushed(outcome)["return_value"] == {"event": {"state": "done"}, "n": 1}


@pytest.mark.parametrize(
    ("reason", "error"), [("Trigger timeout", "TaskDeferralTimeout"), ("Trigger failure", "TaskDeferralError")]
)
def test_mistake_40_a_deferral_that_fails_or_times_out(
    run: Run, reason: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    saved = json.dumps({"kwargs": {"n": 1}, "error": reason, "traceback": "the trigger's traceback"}).encode()
    outcome = run(next_method="__fail__", next_kwargs=saved, key=wire.TryKey(1, 2), max_tries=1)

    assert (outcome.state, outcome.retryable) == ("failed", True)
    assert (outcome.error or "").startswith(error)
    assert "the trigger's traceback" in caplog.text


def test_mistake_40_in_airflow_2_a_deferral_also_ends_with_the_execution_timeout(run: Run) -> None:
    error = errors.TaskDeferred(trigger=Trigger(), method_name="resumed")

    assert run(raising(error), execution_timeout=timedelta(hours=1)).timeout is None
    outcome = run(raising(error), profile=2, execution_timeout=timedelta(hours=1))
    assert 3590e6 < (outcome.timeout or 0) - outcome.end_date <= 3600e6


@pytest.mark.parametrize(("profile", "state"), [(2, "failed"), (3, "success")])
def test_mistake_40_in_airflow_2_the_execution_timeout_counts_from_the_start_of_the_try(
    run: Run, profile: int, state: str
) -> None:
    outcome = run(profile=profile, execution_timeout=timedelta(hours=1), next_method="resumed", first_start=DATE)

    assert outcome.state == state


@pytest.mark.parametrize("state", ["success", "failed", "skipped"])
def test_an_event_may_end_the_task_without_resuming_it(run: Run, channel: FakeChannel, state: str) -> None:
    saved = json.dumps({"kwargs": None, "event": {TASK_END: state, "xcoms": {"k": 1}}}).encode()
    outcome = run(next_method="no_such_method", next_kwargs=saved, key=wire.TryKey(1, 2))

    assert outcome.state == state
    assert channel.xcoms["d", RUN_ID, "t", -1, "k"].value == b"1"


def test_waiting_for_a_person(run: Run) -> None:
    outcome = run(raising(errors.TaskAwaitingInput(method_name="resumed", kwargs={"q": 1}, timeout=None)))

    assert (outcome.state, outcome.next_method) == ("awaiting_input", "resumed")


# ------------------------------------------------------------------------------------------- ended from outside


def test_mistake_40_execution_timeout_ends_execute_and_calls_on_kill(run: Run) -> None:
    tasks: list[Op] = []

    def endless(context: Any) -> None:
        tasks.append(context["task"])
        while True:
            time.sleep(5)

    outcome = run(endless, execution_timeout=timedelta(seconds=0.05), max_tries=1)

    assert (outcome.state, outcome.retryable, tasks[0].killed) == ("failed", True, ["killed"])
    assert outcome.error == "AirflowTaskTimeout: the task ran longer than its execution_timeout of 0.05 s"


def test_a_task_within_its_execution_timeout_leaves_no_alarm(run: Run) -> None:
    handler, (remaining, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)

    assert run(execution_timeout=timedelta(hours=1)).state == "success"
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(remaining, abs=5)
    assert signal.getsignal(signal.SIGALRM) == handler


def test_sigterm_calls_on_kill_and_fails_the_try(run: Run, channel: FakeChannel) -> None:
    tasks: list[Op] = []
    called: list[str] = []
    before = signal.getsignal(signal.SIGTERM)

    def stop(context: Any) -> None:
        tasks.append(context["task"])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    outcome = run(stop, max_tries=1, on_retry_callback=lambda context: called.append("retry"))

    assert (outcome.state, outcome.retryable, tasks[0].killed) == ("failed", True, ["killed"])
    assert outcome.error == "AirflowTaskTerminated: the task was told to end (SIGTERM)"
    assert called == ["retry"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_no_failure_callback_when_somebody_marked_the_running_task_as_success(run: Run, channel: FakeChannel) -> None:
    channel.states = {RUN_ID: {"t": "success"}}
    called: list[str] = []

    def stop(context: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    run(stop, on_failure_callback=lambda context: called.append("failure"))

    assert called == []


def test_sigterm_while_a_success_is_reported_does_not_lose_it(run: Run, channel: FakeChannel) -> None:
    finish = channel.finish

    def interrupted(outcome: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        finish(outcome)

    channel.finish = interrupted  # type: ignore[method-assign]

    assert run(lambda context: 1).state == "success"


def test_sigterm_ends_a_callback_and_keeps_the_outcome(run: Run, channel: FakeChannel) -> None:
    def endless(context: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    assert run(raising(ValueError("x")), on_failure_callback=endless).error == "ValueError: x"


def test_sigterm_while_waiting_for_a_triggered_run(run: Run, channel: FakeChannel) -> None:
    def custom(request: Any) -> None:
        if isinstance(request, wire.GetDagRun):
            os.kill(os.getpid(), signal.SIGTERM)

    channel.custom = custom
    outcome = run(raising(wish(wait_for_completion=True)), max_tries=1)

    assert (outcome.state, outcome.retryable) == ("failed", True)
    assert (outcome.error or "").startswith("AirflowTaskTerminated")


def test_on_kill_that_raises_does_not_hide_the_reason(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Op, "on_kill", raising(ValueError("oops")))

    def stop(context: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    assert (run(stop).error or "").startswith("AirflowTaskTerminated")


# ------------------------------------------------------------------------------------------------- and around


def test_the_names_of_what_runs_are_in_the_environment(run: Run) -> None:
    seen: dict[str, str] = {}
    run(lambda context: seen.update(os.environ), owner="me", email=["a@x.org", "b@x.org"])

    ours = {name: value for name, value in seen.items() if name.startswith("AIRFLOW_CTX_")}
    assert ours == {
        "AIRFLOW_CTX_DAG_ID": "d",
        "AIRFLOW_CTX_TASK_ID": "t",
        "AIRFLOW_CTX_DAG_RUN_ID": RUN_ID,
        "AIRFLOW_CTX_TRY_NUMBER": "1",
        "AIRFLOW_CTX_LOGICAL_DATE": "2024-03-10T00:00:00+00:00",
        "AIRFLOW_CTX_DAG_OWNER": "me",
        "AIRFLOW_CTX_DAG_EMAIL": "a@x.org,b@x.org",
    }


def test_the_current_context_is_that_of_the_task(run: Run) -> None:
    assert run(lambda context: get_current_context() is context).state == "success"
    with pytest.raises(RuntimeError):
        get_current_context()


def test_the_plain_path_imports_nothing(channel: FakeChannel) -> None:
    runner.preload()
    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        Op(function=lambda context: context["ds"], task_id="t", text="{{ ds }}")
    dag.get_template_env()
    runner.run_try(workload(), dag, channel)
    before = set(sys.modules)
    runner.run_try(workload(), dag, channel)

    assert set(sys.modules) - before == set()


def test_preload_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    environ, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    runner.preload()

    assert dict(os.environ) == environ
    assert signal.getsignal(signal.SIGTERM) == handler
    assert channels.get_channel() is None
    assert caplog.records == []


class Link:
    name = "Console"
    xcom_key = "_link_Console"

    def get_link(self, *, operator: Any, ti_key: Any) -> str:
        return f"https://example.org/{ti_key.task_id}"


def test_links_of_the_operator_travel_as_xcoms(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Op, "operator_extra_links", (Link(),), raising=False)

    assert pushed(run()) == {"_link_Console": "https://example.org/t"}


# ------------------------------------------------------------------------------------------- TriggerDagRun


def wish(**changes: Any) -> errors.DagRunTriggerException:
    given: dict[str, Any] = {"trigger_dag_id": "other", "dag_run_id": "r1", "conf": {"a": 1}, "poke_interval": 0}
    return errors.DagRunTriggerException(**{**given, **changes})


def test_a_run_of_another_dag_is_triggered(run: Run, channel: FakeChannel) -> None:
    outcome = run(raising(wish(logical_date=utc(2024, 3, 10))))

    asked = channel.said(wire.TriggerRun)[0]
    assert outcome.state == "success"
    assert (asked.dag_id, asked.run_id, asked.conf, asked.logical_date) == ("other", "r1", b'{"a": 1}', DATE)
    assert channel.xcoms["d", RUN_ID, "t", -1, "trigger_run_id"].value == b'"r1"'


@pytest.mark.parametrize(("skip", "state"), [(False, "failed"), (True, "skipped")])
def test_a_run_that_exists_fails_or_skips_the_task(run: Run, channel: FakeChannel, skip: bool, state: str) -> None:
    channel.runs = [run_info(dag_id="other", run_id="r1")]
    outcome = run(raising(wish(skip_when_already_exists=skip)), max_tries=1)

    assert outcome.state == state
    assert state == "skipped" or not outcome.retryable


@pytest.mark.parametrize(("failed_states", "state"), [(["failed"], "success"), (["success"], "failed")])
def test_waiting_for_the_run_that_was_triggered(run: Run, failed_states: list[str], state: str) -> None:
    outcome = run(raising(wish(wait_for_completion=True, failed_states=failed_states, allowed_states=["success"])))

    assert outcome.state == state


# ------------------------------------------------------------------------------------------------- callbacks


def callback_workload(kind: str, **changes: Any) -> wire.CallbackWorkload:
    piece = workload()
    given: dict[str, Any] = {"id": 9, "kind": kind, "file": piece.file, "run": piece.run, "reason": "why"}
    return wire.CallbackWorkload(**{**given, **changes})


@pytest.mark.parametrize(
    ("kind", "attribute"), [("dag_success", "on_success_callback"), ("dag_failure", "on_failure_callback")]
)
def test_mistake_30_callbacks_of_a_dag(channel: FakeChannel, kind: str, attribute: str) -> None:
    seen: list[Any] = []
    callback = lambda context: seen.append((context["dag"].dag_id, context["run_id"], context["reason"]))  # noqa: E731
    dag = DAG("d", start_date=utc(2024, 1, 1), schedule=None, **{attribute: callback})
    runner.run_callback(callback_workload(kind), {"d": dag}, channel)

    assert seen == [("d", RUN_ID, "why")]
    assert channel.log == [wire.CallbackDone(id=9)]


@pytest.mark.parametrize(
    ("kind", "attribute", "state"),
    [("task_failure", "on_failure_callback", "failed"), ("task_retry", "on_retry_callback", "up_for_retry")],
)
def test_callbacks_of_a_task_whose_process_is_gone(channel: FakeChannel, kind: str, attribute: str, state: str) -> None:
    seen: list[Any] = []

    def callback(context: Any) -> None:
        seen.append((context["ti"].state, context["ti"].try_number, str(context["exception"]), context["ds"]))

    with DAG("d", start_date=utc(2024, 1, 1), schedule=None) as dag:
        Op(task_id="t", **{attribute: callback})
    runner.run_callback(callback_workload(kind, task_id="t", try_number=2), {"d": dag}, channel)

    assert seen == [(state, 2, "why", "2024-03-10")]
    assert channel.log == [wire.CallbackDone(id=9)]


@pytest.mark.parametrize("dags", [{}, {"d": None}])
def test_a_callback_that_cannot_run_is_done_too(
    channel: FakeChannel, dags: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    runner.run_callback(callback_workload("dag_failure"), dags, channel)

    (done,) = channel.log
    assert (type(done), done.id) == (wire.CallbackDone, 9)
    assert "no DAG 'd' any more" in done.error
    assert "has no DAG 'd' any more" in caplog.text
