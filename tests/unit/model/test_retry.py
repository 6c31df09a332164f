"""Retries: mistakes 24 to 26 of spec/airflow.md."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from gnomon.model.retry import may_retry, retry_delay


def delay(**fields: object) -> float:
    named = {
        "delay": 300.0,
        "multiplier": 0.0,
        "max_delay": None,
        "cap": 86400.0,
        "dag_id": "d",
        "task_id": "t",
        "logical_date": 0,
        "try_number": 1,
    }
    return retry_delay(**(named | fields))  # type: ignore[arg-type]


def test_mistake_24_a_retry_is_allowed_up_to_max_tries() -> None:
    assert not may_retry(try_number=1, max_tries=0, retryable=True)
    assert may_retry(try_number=2, max_tries=2, retryable=True)
    assert not may_retry(try_number=3, max_tries=2, retryable=True)
    assert not may_retry(try_number=1, max_tries=2, retryable=False)


def test_without_backoff_the_delay_is_constant_and_not_capped_by_max_retry_delay() -> None:
    assert delay(try_number=7, max_delay=1.0) == 300.0


@given(st.floats(0, 1000), st.floats(1.1, 4), st.integers(1, 8), st.integers(0, 2**50))
def test_mistake_25_backoff_lies_between_base_and_twice_base(
    base_delay: float, multiplier: float, try_number: int, date: int
) -> None:
    base = max(1.0, -(-base_delay * multiplier ** (try_number - 1) // 1))
    wait = delay(delay=base_delay, multiplier=multiplier, try_number=try_number, logical_date=date, cap=1e12)
    assert base <= wait < 2 * base


def test_mistake_25_the_place_in_between_is_the_same_after_a_restart() -> None:
    digest = hashlib.sha1(b"d#t#1970-01-01 00:00:00+00:00#1").hexdigest()
    assert delay(multiplier=2.0) == 300 + int(digest, 16) % 300


def test_mistake_25_caps() -> None:
    assert delay(multiplier=2.0, try_number=30) == 86400.0
    assert delay(multiplier=2.0, try_number=30, max_delay=60.0) == 60.0
    assert delay(multiplier=2.0, try_number=5000) == 86400.0
