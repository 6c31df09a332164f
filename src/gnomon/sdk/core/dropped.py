"""Small functions and classes of Airflow 2 that Airflow 3 dropped without a successor."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextvars import ContextVar
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from dateutil.relativedelta import relativedelta

from gnomon.sdk.configuration import conf
from gnomon.sdk.exceptions import AirflowBadRequest, AirflowException

# ---------------------------------------------------------------------- the settings, as functions of a module

get = conf.get
getboolean = conf.getboolean
getfloat = conf.getfloat
getint = conf.getint
getsection = conf.getsection
has_option = conf.has_option
remove_option = conf.remove_option


# ----------------------------------------------------------------------------------------------------- dates

#: What DAG(schedule_interval=…) could be.
ScheduleInterval = str | timedelta | relativedelta | None

cron_presets = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


def date_range(
    start_date: datetime, end_date: datetime | None = None, num: int | None = None, delta: Any = None
) -> list[datetime]:
    """Return the moments from `start_date` on, `delta` apart: until `end_date`, or `num` of them.

    Args:
        start_date: the first one.
        end_date: the last one possible; now unless `num` is given.
        num: how many; negative for moments before `start_date`.
        delta: a timedelta, a cron expression or a preset such as @daily.
    """
    if delta is None:
        return []
    if end_date is not None and start_date > end_date:
        raise ValueError(f"start_date {start_date} is after end_date {end_date}")
    if end_date is not None and num is not None:
        raise ValueError("end_date and num cannot both be given")
    back = num is not None and num < 0
    if end_date is None and num is None:
        from gnomon.service import clock

        end_date = clock.now()
    found: list[datetime] = []
    for moment in _moments(start_date, delta, back=back):
        if (num is not None and len(found) >= abs(num)) or (end_date is not None and moment > end_date):
            break
        found.append(moment)
    return sorted(found)


def _moments(start: datetime, delta: Any, *, back: bool) -> Iterable[datetime]:
    if isinstance(delta, str):
        from croniter import croniter

        cron = croniter(cron_presets.get(delta, delta), start)
        if croniter.match(cron_presets.get(delta, delta), start):
            yield start
        while True:
            yield cron.get_prev(datetime) if back else cron.get_next(datetime)
    moment = start
    while True:
        yield moment
        moment = moment - delta if back else moment + delta


def round_time(dt: datetime, delta: timedelta | str, start_date: datetime | None = None) -> datetime:
    """Return the moment nearest to `dt` that is a whole number of `delta` after `start_date`."""
    if isinstance(delta, str):
        from croniter import croniter

        before: datetime = croniter(cron_presets.get(delta, delta), dt + timedelta(microseconds=1)).get_prev(datetime)
        after: datetime = croniter(cron_presets.get(delta, delta), before).get_next(datetime)
        return before if dt - before <= after - dt else after
    start = start_date or datetime.min.replace(tzinfo=dt.tzinfo)
    whole, rest = divmod(dt - start, delta)
    return start + (whole + (rest * 2 > delta)) * delta


def infer_time_unit(time_seconds_arr: Collection[float]) -> str:
    """Return the unit in which the longest of these durations is best read."""
    longest = max(time_seconds_arr, default=0)
    if not time_seconds_arr:
        return "hours"
    for unit, limit in (("seconds", 120), ("minutes", 7200), ("hours", 172800)):
        if longest <= limit:
            return unit
    return "days"


def scale_time_units(time_seconds_arr: Collection[float], unit: str) -> Collection[float]:
    """Return durations in a unit."""
    factor = _SECONDS.get(unit, 1)
    return time_seconds_arr if factor == 1 else [seconds / factor for seconds in time_seconds_arr]


def datetime_to_nano(datetime: datetime) -> int:
    """Return nanoseconds since 1970."""
    return int(datetime.timestamp() * 1_000_000_000)


def parse_execution_date(execution_date_str: str) -> datetime:
    """Return the moment that text names."""
    from gnomon.sdk.timezone import parse

    return parse(execution_date_str)


# ------------------------------------------------------------------------------------------------- the others


class AirflowContextDeprecationWarning(DeprecationWarning):
    """A name of the context that will go away."""


class Singleton(type):
    """A metaclass whose classes have one instance each."""

    _instances: ClassVar[dict[type, Any]] = {}

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return the instance."""
        if cls not in Singleton._instances:
            Singleton._instances[cls] = super().__call__(*args, **kwargs)
        return Singleton._instances[cls]


ctx_task_instance: ContextVar[Any] = ContextVar("task_instance")
ctx_trigger_id: ContextVar[Any] = ContextVar("trigger_id")
ctx_trigger_end: ContextVar[Any] = ContextVar("trigger_end")
ctx_indiv_trigger: ContextVar[Any] = ContextVar("__individual_trigger")


class AirflowDagInconsistent(AirflowException):
    """A DAG contradicts itself."""


class AirflowWebServerTimeout(AirflowException):
    """The web server did not answer in time."""


class BackfillUnfinished(AirflowException):
    """A backfill left tasks undone."""

    def __init__(self, message: str, ti_status: Any) -> None:
        super().__init__(message)
        self.ti_status = ti_status


class DagConcurrencyLimitReached(AirflowException):
    """The DAG runs as many tasks as it may."""


class DagFileExists(AirflowBadRequest):
    """The DAG file is there already."""


class NoAvailablePoolSlot(AirflowException):
    """The pool is full."""


class TaskConcurrencyLimitReached(AirflowException):
    """The task runs as often as it may."""


class UnmappableOperator(AirflowException):
    """The operator cannot be mapped."""


class UnmappableXComLengthPushed(AirflowException):
    """A task returned more values than may be expanded over."""


def as_tuple(obj: Any) -> tuple[Any, ...]:
    """Return what can be iterated over as a tuple, anything else as a tuple of one."""
    return tuple(obj) if hasattr(obj, "__iter__") and not isinstance(obj, str) else (obj,)


def reduce_in_chunks(fn: Any, iterable: Any, initializer: Any, chunk_size: int = 0) -> Any:
    """Return `functools.reduce` of pieces of a list, each of at most so many items; 0 for one piece."""
    items = list(iterable)
    size = chunk_size or len(items)
    result = initializer
    for start in range(0, len(items), size or 1):
        result = fn(result, items[start : start + size])
    return result


def parse_template_string(template_string: str) -> tuple[str | None, Any]:
    """Return (text, None), or (None, template) if the text is a Jinja template."""
    if "{{" not in template_string:
        return template_string, None
    import jinja2

    return None, jinja2.Template(template_string)


def mkdirs(path: str, mode: int) -> None:
    """Make a folder and those above it."""
    Path(path).mkdir(mode=mode, parents=True, exist_ok=True)


def __getattr__(name: str) -> Any:
    """Return TemporaryDirectory of the standard library."""
    if name == "TemporaryDirectory":
        from tempfile import TemporaryDirectory

        return TemporaryDirectory
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# ------------------------------------------------------------------------------------------------ the web interface

_RENDERERS = (
    *("bash", "bash_command", "doc", "doc_json", "doc_md", "doc_rst", "doc_yaml", "hql", "html", "jinja", "json", "md"),
    *("mysql", "postgresql", "powershell", "py", "python_callable", "rst", "sql", "tsql", "yaml"),
)


def get_attr_renderer() -> dict[str, Any]:
    """Return the names that `template_fields_renderers` may use: operators look up whether there is one of theirs."""
    return dict.fromkeys(_RENDERERS, str)
