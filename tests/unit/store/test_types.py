from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.store.types import from_micros, to_micros


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.timezones()))
def test_every_moment_comes_back(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment.astimezone(UTC)


def test_the_zone_does_not_matter() -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    assert to_micros(moment) == to_micros(moment.astimezone(timezone(timedelta(hours=-5))))


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="without a timezone"):
        to_micros(datetime(2026, 3, 1))
