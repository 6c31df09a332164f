"""Triggers that wait for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from gnomon.sdk.timezone import convert_to_utc, parse, utcnow
from gnomon.sdk.trigger import BaseTrigger, TaskSuccessEvent, TriggerEvent

#: No sleep is longer, so that a clock that was set or a machine that slept does not make it late for long.
_LONGEST_SLEEP = 60.0


class DateTimeTrigger(BaseTrigger):
    """Fires at a moment, at once if it has passed.

    Args:
        moment: when; with a time zone.
        target_time: the same as text, which may come from a template.
        end_from_trigger: end the task as a success instead of resuming it.

    Raises:
        TypeError: not exactly one of moment and target_time was given, or moment is no datetime.
        ValueError: moment has no time zone.
    """

    def __init__(
        self,
        moment: datetime | None = None,
        *,
        target_time: datetime | str | None = None,
        end_from_trigger: bool = False,
    ) -> None:
        super().__init__()
        if (moment is None) == (target_time is None):
            raise TypeError("DateTimeTrigger requires exactly one of 'moment' or 'target_time'")
        if moment is not None and not isinstance(moment, datetime):
            raise TypeError(f"Expected datetime.datetime type for moment. Got {type(moment)}")
        if moment is not None and moment.tzinfo is None:
            raise ValueError("You cannot pass naive datetimes")
        self.target_time = target_time
        self._moment = convert_to_utc(moment)
        self.end_from_trigger = end_from_trigger

    @property
    def moment(self) -> Any:
        """The moment, in UTC."""
        if self._moment is None:
            target: Any = self.target_time
            self._moment = convert_to_utc(target if isinstance(target, datetime) else parse(target))
        return self._moment

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return (import path, keyword arguments)."""
        # A delta has become a moment, so that it is not counted again where the trigger is made again.
        path = "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
        when = {"target_time": self.target_time} if self._moment is None else {"moment": self._moment}
        return path, {**when, "end_from_trigger": self.end_from_trigger}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the moment."""
        while (left := (self.moment - utcnow()).total_seconds()) > 0:
            await asyncio.sleep(min(left, _LONGEST_SLEEP))
        yield TaskSuccessEvent() if self.end_from_trigger else TriggerEvent(self.moment)


class TimeDeltaTrigger(DateTimeTrigger):
    """Fires after a delay."""

    def __init__(self, delta: timedelta, *, end_from_trigger: bool = False) -> None:
        super().__init__(moment=utcnow() + delta, end_from_trigger=end_from_trigger)
