"""Each message of the execution protocol has a handler."""

from __future__ import annotations

from typing import get_args

from gnomon.api.execution.handlers import TABLE
from gnomon.wire.execution import Request


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(get_args(Request))


def test_no_two_messages_share_a_handler() -> None:
    assert len(set(TABLE.values())) == len(TABLE)
