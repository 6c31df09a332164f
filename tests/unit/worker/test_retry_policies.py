"""Retry policies in the worker: whether, when, and with what reason in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gnomon.sdk.dag import DAG
from gnomon.sdk.exceptions import AirflowFailException, AirflowSensorTimeout
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.retry_policy import (
    ChainRetryPolicy,
    ExceptionRetryPolicy,
    RetryAction,
    RetryDecision,
    RetryPolicy,
    RetryRule,
)
from gnomon.wire import execution as wire
from gnomon.worker import runner
from tests.unit.runtime.fakes import FakeChannel, workload

MINUTE = timedelta(minutes=1)


class Task(BaseOperator):
    def __init__(self, error: BaseException, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error = error

    def execute(self, context: Any) -> None:
        raise self.error


@pytest.fixture
def fail() -> Callable[..., wire.Outcome]:
    from gnomon.sdk.runtime.channel import set_channel

    def run(error: BaseException, policy: RetryPolicy, **piece: Any) -> wire.Outcome:
        channel = FakeChannel()
        set_channel(channel)
        with DAG("d", schedule=None, default_args={"retry_policy": policy, "retries": 3}) as dag:
            Task(task_id="t", error=error)
        runner.run_try(workload("t", **{"max_tries": 3, **piece}), dag, channel)
        assert channel.outcome is not None
        return channel.outcome

    return run


def told(outcome: wire.Outcome) -> tuple[bool, float | None]:
    return outcome.retryable, outcome.retry_delay


def test_the_first_rule_that_matches_decides(fail: Callable[..., wire.Outcome]) -> None:
    policy = ExceptionRetryPolicy(
        [
            RetryRule(PermissionError, RetryAction.FAIL, reason="nobody will grant it meanwhile"),
            RetryRule("builtins.ConnectionError", RetryAction.RETRY, retry_delay=MINUTE),
            RetryRule((KeyError, "builtins.IndexError"), RetryAction.RETRY, retry_delay=2 * MINUTE),
            RetryRule(OSError, RetryAction.DEFAULT),
        ]
    )
    assert told(fail(PermissionError("no"), policy)) == (False, None)
    assert told(fail(ConnectionError("no"), policy)) == (True, 60.0)
    assert told(fail(ConnectionResetError("a subclass"), policy)) == (True, 60.0)
    assert told(fail(IndexError("no"), policy)) == (True, 120.0)
    assert told(fail(FileNotFoundError("no"), policy)) == (True, None)  # the task's own delay
    assert told(fail(ValueError("no rule"), policy)) == (True, None)


def test_a_rule_may_mean_one_class_and_not_its_subclasses(fail: Callable[..., wire.Outcome]) -> None:
    policy = ExceptionRetryPolicy([RetryRule(OSError, RetryAction.FAIL, match_subclasses=False)])
    assert told(fail(OSError("itself"), policy)) == (False, None)
    assert told(fail(ConnectionError("a subclass"), policy)) == (True, None)


def test_the_default_of_a_policy_counts_where_no_rule_does(fail: Callable[..., wire.Outcome]) -> None:
    assert told(fail(ValueError("x"), ExceptionRetryPolicy([], default=RetryAction.FAIL))) == (False, None)


def test_the_reason_is_in_the_log(fail: Callable[..., wire.Outcome], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fail(ValueError("x"), ExceptionRetryPolicy([RetryRule(ValueError, RetryAction.FAIL, reason="it is hopeless")]))
    assert "it is hopeless" in caplog.text


def test_a_retry_never_exceeds_the_retries_of_the_task(fail: Callable[..., wire.Outcome]) -> None:
    policy = ExceptionRetryPolicy([RetryRule(ValueError, RetryAction.RETRY, retry_delay=MINUTE)])
    last: list[str] = []

    class Watching(BaseOperator):
        def execute(self, context: Any) -> None:
            raise ValueError("x")

    channel = FakeChannel()
    with DAG("d", schedule=None) as dag:
        Watching(task_id="t", retry_policy=policy, retries=1, on_failure_callback=lambda context: last.append("failed"))
    runner.run_try(workload("t", try_number=2, max_tries=1), dag, channel)
    assert last == ["failed"]


@pytest.mark.parametrize("error", [AirflowFailException("no"), AirflowSensorTimeout("late")])
def test_errors_that_forbid_retries_are_not_asked_about(fail: Callable[..., wire.Outcome], error: Exception) -> None:
    assert told(fail(error, ExceptionRetryPolicy([], default=RetryAction.RETRY))) == (False, None)


class Counting(RetryPolicy):
    """Users' own: it knows the error, the tries and the context."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any | None = None
    ) -> RetryDecision:
        assert context is not None
        if try_number > 1:
            return RetryDecision.fail(f"{context['ti'].task_id} had its chance in {max_tries}")
        return RetryDecision.retry(timedelta(seconds=7))


class Broken(RetryPolicy):
    def evaluate(self, *args: Any, **kwargs: Any) -> RetryDecision:
        raise RuntimeError("the policy is broken")


def test_a_policy_of_users_is_told_tries_and_context(fail: Callable[..., wire.Outcome]) -> None:
    assert told(fail(ValueError("x"), Counting())) == (True, 7.0)
    assert told(fail(ValueError("x"), Counting(), try_number=2)) == (False, None)


def test_a_policy_that_fails_itself_leaves_it_to_the_task(
    fail: Callable[..., wire.Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    assert told(fail(ValueError("x"), Broken())) == (True, None)
    assert "the policy is broken" in caplog.text


def test_of_several_policies_the_first_with_an_opinion_decides(fail: Callable[..., wire.Outcome]) -> None:
    chain = ChainRetryPolicy([ExceptionRetryPolicy([RetryRule(KeyError, RetryAction.FAIL)]), Counting()])
    assert told(fail(KeyError("x"), chain)) == (False, None)
    assert told(fail(ValueError("x"), chain)) == (True, 7.0)


def test_rules_survive_being_written_down() -> None:
    policy = ExceptionRetryPolicy(
        [RetryRule((KeyError, "builtins.OSError"), RetryAction.RETRY, MINUTE, "why", match_subclasses=False)],
        RetryAction.FAIL,
    )
    again = ExceptionRetryPolicy.deserialize(policy.serialize())
    assert again.serialize() == policy.serialize()
    assert again.evaluate(OSError(), 1, 3).retry_delay == MINUTE


def test_a_path_without_a_module_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="dotted import path"):
        RetryRule("ValueError")
