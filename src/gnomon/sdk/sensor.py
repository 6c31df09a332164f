"""Sensors: tasks that wait until something is the case."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from gnomon.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferralError,
    TaskDeferralTimeout,
)
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.settings import setting


class PokeReturnValue:
    """What `poke` can return instead of a bool: whether it is done, and the sensor's result.

    Args:
        is_done: whether the sensor has what it waits for.
        xcom_value: what the sensor returns then.
    """

    def __init__(self, is_done: bool, xcom_value: Any | None = None) -> None:
        self.is_done = is_done
        self.xcom_value = xcom_value

    def __bool__(self) -> bool:
        return self.is_done


class BaseSensorOperator(BaseOperator):
    """Calls `poke` again and again until it returns something true; subclasses define `poke`.

    Args:
        poke_interval: how long to wait between pokes; a timedelta or seconds.
        timeout: give up after so long, counted over all reschedules; 7 days unless given or set.
        soft_fail: skip instead of failing when it times out.
        mode: "poke" holds the slot while it waits, "reschedule" gives it back between pokes.
        exponential_backoff: wait longer and longer between pokes.
        max_wait: but no longer than this.
        silent_fail: log an error in `poke` and go on.
        never_fail: skip instead of failing, whatever goes wrong.

    Raises:
        ValueError: an argument has no possible value; the message names it.
    """

    ui_color = "#e6f1f2"
    valid_modes: Iterable[str] = ("poke", "reschedule")
    _is_sensor = True

    def __init__(
        self,
        *,
        poke_interval: timedelta | float = 60,
        timeout: timedelta | float | None = None,
        soft_fail: bool = False,
        mode: str = "poke",
        exponential_backoff: bool = False,
        max_wait: timedelta | float | None = None,
        silent_fail: bool = False,
        never_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if timeout is None:
            timeout = setting("sensors", "default_timeout", 604800.0)
        self.poke_interval = _duration("poke_interval", poke_interval).total_seconds()
        self.timeout: float = _duration("timeout", timeout).total_seconds()
        self.soft_fail = soft_fail
        self.mode = mode
        self.exponential_backoff = exponential_backoff
        self.max_wait = None if max_wait is None else _duration("max_wait", max_wait)
        self.silent_fail = silent_fail
        self.never_fail = never_fail
        if soft_fail and never_fail:
            raise ValueError("soft_fail and never_fail are mutually exclusive, you can not provide both.")
        if self.mode not in self.valid_modes:
            raise ValueError(
                f"The mode must be one of {list(self.valid_modes)}, not {self.mode!r} (sensor {self.task_id!r})"
            )

    @property
    def reschedule(self) -> bool:
        """Whether it gives its slot back between pokes."""
        return bool(self.mode == "reschedule")

    def poke(self, context: Any) -> bool | PokeReturnValue:
        """Return whether what it waits for is the case; subclasses define it."""
        raise AirflowException(f"{type(self).__name__} does not define poke()")

    def execute(self, context: Any) -> Any:
        """Poke until it is done.

        Raises:
            AirflowSensorTimeout: it took too long.
            AirflowRescheduleException: the slot is given back until the next poke.
            AirflowSkipException: it failed, and soft_fail or never_fail say that this is a skip.
        """
        started_at, elapsed = self._clock(context)
        pokes = 1
        while True:
            answer = self._poke_once(context)
            if answer:
                self.log.info("Success criteria met. Exiting.")
                return answer.xcom_value if isinstance(answer, PokeReturnValue) else None
            duration = elapsed()
            if duration > self.timeout:
                message = (
                    f"Sensor has timed out; run duration of {duration} seconds exceeds the specified timeout of"
                    f" {self.timeout}."
                )
                # never_fail is about errors; a timeout is a timeout.
                raise AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)
            wait = self._get_next_poke_interval(started_at, elapsed, pokes)
            if self.reschedule:
                from gnomon.sdk.timezone import utcnow

                raise AirflowRescheduleException(utcnow() + timedelta(seconds=wait))
            time.sleep(wait)
            pokes += 1

    def _clock(self, context: Any) -> tuple[datetime | float, Callable[[], float]]:
        """Return when the first poke was, and a function that tells the seconds since."""
        if not self.reschedule:
            begin = time.monotonic()
            return begin, lambda: time.monotonic() - begin
        from gnomon.sdk.timezone import utcnow

        first = context["ti"].get_first_reschedule_date(context) or utcnow()
        return first, (utcnow() - first).total_seconds

    def _poke_once(self, context: Any) -> bool | PokeReturnValue:
        try:
            return self.poke(context)
        except AirflowSkipException:
            raise
        except (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException) as error:
            self._skip_if_asked(error)
            raise
        except Exception as error:
            if self.silent_fail:
                self.log.exception("Sensor poke failed")
                return False
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise

    def _skip_if_asked(self, error: BaseException) -> None:
        if self.soft_fail:
            raise AirflowSkipException("Skipping due to soft_fail is set to True.") from error
        if self.never_fail:
            raise AirflowSkipException("Skipping due to never_fail is set to True.") from error

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after a deferral; a deferral that timed out is a sensor that timed out.

        Raises:
            AirflowSensorTimeout: the trigger did not fire in time.
            AirflowSkipException: it failed, and soft_fail or never_fail say that this is a skip.
        """
        try:
            try:
                return super().resume_execution(next_method, next_kwargs, context)
            except TaskDeferralTimeout as error:
                raise AirflowSensorTimeout(*error.args) from error
        except AirflowSkipException:
            raise
        except (AirflowException, TaskDeferralError) as error:
            self._skip_if_asked(error)
            raise

    def _get_next_poke_interval(
        self, started_at: datetime | float, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        if not self.exponential_backoff:
            return float(self.poke_interval)
        elapsed = run_duration()
        if self.reschedule:
            # Each reschedule is a new process, so the number of pokes is told from the time that has passed.
            poke_count, total = 0, 0.0
            while total <= elapsed:
                poke_count += 1
                total += self._backoff(started_at, poke_count)
        wait: float = min(self.timeout - int(elapsed), self._backoff(started_at, poke_count))
        if self.max_wait is not None:
            wait = min(self.max_wait.total_seconds(), wait)
        self.log.info("new %s interval is %s", self.mode, wait)
        return max(wait, 0.0)

    def _backoff(self, started_at: datetime | float, poke_count: int) -> float:
        """Return between one and two times poke_interval * 2 ** (poke_count - 2), the same for the same poke."""
        least = max(int(self.poke_interval * 2.0 ** min(poke_count - 2, 60)), 1)
        text = f"{self.dag_id}#{self.task_id}#{started_at}#{poke_count}"
        spread = int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), 16) % least
        return min(least + spread, timedelta.max.total_seconds() - 1)

    @classmethod
    def get_serialized_fields(cls) -> frozenset[str]:
        """Return the names of the arguments that every sensor has."""
        return super().get_serialized_fields() | {"reschedule", "_is_sensor"}


def _duration(name: str, value: timedelta | float) -> timedelta:
    if isinstance(value, timedelta) and value >= timedelta():
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return timedelta(seconds=value)
    raise ValueError(f"Operator arg `{name}` must be timedelta object or a non-negative number, not {value!r}")


def poke_mode_only(cls: type) -> type:
    """Class decorator for sensors that can only poke.

    Raises:
        ValueError: the class is no sensor; or, later, an instance is given another mode.
    """
    if not issubclass(cls, BaseSensorOperator):
        raise ValueError(f"poke_mode_only is for subclasses of BaseSensorOperator, not {cls}")

    def set_mode(self: Any, mode: str) -> None:
        if mode != "poke":
            raise ValueError(f"Cannot set mode to '{mode}'. Only 'poke' is acceptable")

    cls.mode = property(lambda self: "poke", set_mode)  # type: ignore[assignment]
    return cls
