"""The arguments of BaseOperator: their defaults, their types and how each is normalised.

An operator stores only what differs from its default; everything else is a class attribute. That keeps ten thousand
tasks small in the processes that are forked from the template.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from gnomon.model.states import TriggerRule
from gnomon.sdk.settings import FromSettings, profile, setting

MINIMUM_PRIORITY_WEIGHT = -2147483648
MAXIMUM_PRIORITY_WEIGHT = 2147483647
_HERE = os.path.dirname(__file__) + os.sep


def db_safe_priority(priority_weight: int) -> int:
    """Return a weight clamped to what a database integer holds."""
    return max(MINIMUM_PRIORITY_WEIGHT, min(MAXIMUM_PRIORITY_WEIGHT, priority_weight))


def warn_author(message: str, category: type[Warning] | None = None) -> None:
    """Warn at the line of the DAG file that makes the operator, however many classes it has; RemovedInAirflow4Warning."""
    import warnings

    from gnomon.sdk.exceptions import RemovedInAirflow4Warning

    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category or RemovedInAirflow4Warning, stacklevel=level)


class Fresh:
    """A class attribute that gives each instance that asks an empty list or dict of its own."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self.make()
        value = self.make()
        setattr(instance, self._name, value)
        return value


def _seconds(section: str, key: str, fallback: int | None) -> Callable[[], timedelta | None]:
    def read() -> timedelta | None:
        text = setting(section, key, "" if fallback is None else str(fallback))
        return timedelta(seconds=float(text)) if text not in (None, "") else None

    return read


class OperatorDefaults:
    """What each argument of BaseOperator is when it is left out."""

    owner: Any = FromSettings(lambda: setting("operators", "default_owner", "airflow"))
    email: Any = None
    email_on_retry: Any = FromSettings(lambda: setting("email", "default_email_on_retry", True))
    email_on_failure: Any = FromSettings(lambda: setting("email", "default_email_on_failure", True))
    retries: Any = FromSettings(lambda: setting("core", "default_task_retries", 0))
    retry_delay: Any = FromSettings(_seconds("core", "default_task_retry_delay", 300))
    retry_exponential_backoff: Any = 0.0
    max_retry_delay: Any = None
    retry_policy: Any = None
    depends_on_past: Any = False
    ignore_first_depends_on_past: Any = FromSettings(lambda: profile() == 2)
    wait_for_past_depends_before_skipping: Any = False
    wait_for_downstream: Any = False
    priority_weight: Any = 1
    weight_rule: Any = FromSettings(lambda: setting("core", "default_task_weight_rule", "downstream"))
    queue: Any = FromSettings(lambda: setting("operators", "default_queue", "default"))
    pool: Any = "default_pool"
    pool_slots: Any = 1
    execution_timeout: Any = FromSettings(_seconds("core", "default_task_execution_timeout", None))
    on_execute_callback: Any = Fresh(list)
    on_failure_callback: Any = Fresh(list)
    on_success_callback: Any = Fresh(list)
    on_retry_callback: Any = Fresh(list)
    on_skipped_callback: Any = Fresh(list)
    _pre_execute_hook: Any = None
    _post_execute_hook: Any = None
    trigger_rule: Any = TriggerRule.ALL_SUCCESS
    resources: Any = None
    run_as_user: Any = None
    map_index_template: Any = None
    max_active_tis_per_dag: Any = None
    max_active_tis_per_dagrun: Any = None
    executor: Any = None
    executor_config: Any = Fresh(dict)
    do_xcom_push: Any = True
    multiple_outputs: Any = False
    inlets: Any = Fresh(list)
    outlets: Any = Fresh(list)
    doc: Any = None
    doc_md: Any = None
    doc_json: Any = None
    doc_yaml: Any = None
    doc_rst: Any = None
    allow_nested_operators: Any = True
    render_template_as_native_obj: Any = None


# ------------------------------------------------------------------------------------------- normalisation


def _of_type(*types: type) -> Callable[[Any, str], Any]:
    names = " or ".join(kind.__name__ for kind in types)

    def check(value: Any, name: str) -> Any:
        if value is not None and not isinstance(value, types):
            raise TypeError(f"'{name}' has to be an instance of {names}, not {type(value).__name__}: {value!r}")
        return value

    return check


def _int(value: Any, name: str) -> Any:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError(f"'{name}' has to be an integer, not {type(value).__name__}: {value!r}")
    return value


def _retries(value: Any, name: str) -> int:
    if value is None:
        return 0
    try:
        return int(value)
    except (TypeError, ValueError):
        raise RuntimeError(f"'{name}' type must be int, not {type(value).__name__}") from None


def _duration(value: Any, name: str) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=value)
    except TypeError:
        raise TypeError(f"'{name}' has to be a timedelta or seconds, not {type(value).__name__}: {value!r}") from None


def _execution_timeout(value: Any, name: str) -> timedelta | None:
    if value is not None and not isinstance(value, timedelta):
        raise ValueError(f"{name} must be timedelta object but passed as type: {type(value)}")
    return value


def _backoff(value: Any, name: str) -> float:
    # Airflow 2 has a bool here; True means a factor of 2.
    if value is True:
        return 2.0
    if not value:
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"'{name}' has to be a number, not {type(value).__name__}: {value!r}") from None


def _trigger_rule(value: Any, name: str) -> TriggerRule:
    rule = {"dummy": "always", "none_failed_or_skipped": "none_failed_min_one_success"}.get(value, value)
    try:
        return TriggerRule(rule)
    except ValueError:
        rules = [one.value for one in TriggerRule]
        raise ValueError(f"The {name} must be one of {rules}; received '{value}'.") from None


def _pool_slots(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"'{name}' has to be an integer, not {type(value).__name__}: {value!r}")
    if value < 1:
        raise ValueError(f"pool slots cannot be less than 1, got {value}")
    return value


def _weight_rule(value: Any, name: str) -> Any:
    from gnomon.sdk.weight import check_weight_rule

    return check_weight_rule(value)


def _list(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    return [value]


def _date(value: Any, name: str) -> Any:
    from gnomon.sdk.timezone import convert_to_utc

    if isinstance(value, str):
        from gnomon.sdk.timezone import parse

        value = parse(value)
    if value is not None and not isinstance(value, datetime):
        raise TypeError(f"'{name}' has to be a datetime, not {type(value).__name__}: {value!r}")
    return convert_to_utc(value)


def _resources(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        from gnomon.sdk.operator_resources import Resources

        return Resources(**value)
    return value


def _dict_or_empty(value: Any, name: str) -> Any:
    if value is not None and not isinstance(value, Mapping) and not hasattr(value, "__dict__"):
        raise TypeError(f"'{name}' has to be a dict, not {type(value).__name__}: {value!r}")
    return {} if value is None else value


_bool = _of_type(bool)
_str = _of_type(str)

NORMALIZE: dict[str, Callable[[Any, str], Any]] = {
    "owner": _str,
    "email": _of_type(str, Collection),
    "email_on_retry": _bool,
    "email_on_failure": _bool,
    "retries": _retries,
    "retry_delay": _duration,
    "retry_exponential_backoff": _backoff,
    "max_retry_delay": _duration,
    "start_date": _date,
    "end_date": _date,
    "depends_on_past": _bool,
    "ignore_first_depends_on_past": _bool,
    "wait_for_past_depends_before_skipping": _bool,
    "wait_for_downstream": _bool,
    "priority_weight": lambda value, name: db_safe_priority(_int(value, name)),
    "weight_rule": _weight_rule,
    "queue": _str,
    "pool": _str,
    "pool_slots": _pool_slots,
    "execution_timeout": _execution_timeout,
    "on_execute_callback": _list,
    "on_failure_callback": _list,
    "on_success_callback": _list,
    "on_retry_callback": _list,
    "on_skipped_callback": _list,
    "trigger_rule": _trigger_rule,
    "resources": _resources,
    "run_as_user": _str,
    "map_index_template": _str,
    "max_active_tis_per_dag": _int,
    "max_active_tis_per_dagrun": _int,
    "executor": _str,
    "executor_config": _dict_or_empty,
    "do_xcom_push": _bool,
    "multiple_outputs": _bool,
    "inlets": _list,
    "outlets": _list,
    "doc": _str,
    "doc_md": _str,
    "doc_json": _str,
    "doc_yaml": _str,
    "doc_rst": _str,
    "task_display_name": _str,
    "logger_name": _str,
    "allow_nested_operators": _bool,
    "render_template_as_native_obj": _bool,
}

#: Under which attribute an argument is stored, where that is not its own name.
STORED_AS = {
    "pre_execute": "_pre_execute_hook",
    "post_execute": "_post_execute_hook",
    "task_display_name": "_task_display_name",
    "logger_name": "_logger_name",
}


def normalized(name: str, value: Any) -> Any:
    """Return an argument of BaseOperator as it is stored.

    Raises:
        TypeError: it has the wrong type; the message names the argument.
        ValueError: it has the right type, but not a possible value.
    """
    normalize = NORMALIZE.get(name)
    return value if normalize is None else normalize(value, name)
