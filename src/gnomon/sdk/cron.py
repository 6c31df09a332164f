"""Cron expressions: whether they are valid, and what they say in words; both are asked for each DAG of a file."""

from __future__ import annotations

from functools import cache

from gnomon.sdk.exceptions import AirflowTimetableInvalid


@cache
def check_cron(expression: str) -> None:
    """Check a cron expression.

    Raises:
        AirflowTimetableInvalid: croniter does not understand it.
    """
    from croniter import CroniterBadCronError, CroniterBadDateError, croniter

    try:
        croniter(expression)
    except (CroniterBadCronError, CroniterBadDateError, ValueError, KeyError, TypeError) as error:
        raise AirflowTimetableInvalid(f"invalid cron expression {expression!r}: {error}") from None


@cache
def describe_cron(expression: str) -> str:
    """Return a cron expression in words, or nothing if there are none."""
    from cron_descriptor import (  # type: ignore[import-untyped]
        CasingTypeEnum,
        ExpressionDescriptor,
    )

    try:
        described: str = ExpressionDescriptor(
            expression, casing_type=CasingTypeEnum.Sentence, use_24hour_time_format=True
        ).get_description()
    except Exception:
        return ""
    return described
