"""DAGs, operators and timetables in their stored form, as far as provider packages ask for it.

Gnomon stores a form of its own (`gnomon.wire.dag`), which only the scheduler reads; what runs in a task, a trigger or a
plugin is always what the DAG file made. So nothing is an instance of the serialized operators.
"""

from __future__ import annotations

import json
from datetime import timedelta
from enum import StrEnum
from typing import Any, NoReturn

from gnomon.sdk.exceptions import AirflowException


class DagAttributeTypes(StrEnum):
    """What Airflow calls the kinds of encoded values."""

    DAG = "dag"
    ASSET_EVENT_ACCESSORS = "asset_event_accessors"
    OP = "operator"
    DATETIME = "datetime"
    TIMEDELTA = "timedelta"
    TIMEZONE = "timezone"
    DICT = "dict"
    SET = "set"
    TUPLE = "tuple"
    CONNECTION = "connection"
    PARAM = "param"
    XCOM_REF = "xcomref"
    ASSET = "asset"
    TASK_GROUP = "taskgroup"
    EDGE_INFO = "edgeinfo"


class Encoding(StrEnum):
    """The keys of an encoded value."""

    TYPE = "__type"
    VAR = "__var"


def _refuse(what: str) -> NoReturn:
    raise AirflowException(
        f"{what} cannot be made here: DAGs are stored in Gnomon's own form, which its scheduler reads"
    )


class _Stored(type):
    def __call__(cls, *_: Any, **__: Any) -> NoReturn:
        _refuse(cls.__name__)


class BaseSerialization(metaclass=_Stored):
    """What all stored forms have in common."""

    @classmethod
    def serialize(cls, var: Any, **_: Any) -> Any:
        """Return a value in the form of XComs."""
        from gnomon.sdk.runtime.values import to_plain

        return to_plain(var)

    @classmethod
    def deserialize(cls, encoded_var: Any, **_: Any) -> Any:
        """Undo `serialize`."""
        from gnomon.sdk.runtime.values import from_plain

        return from_plain(encoded_var)


class SerializedBaseOperator(BaseSerialization):
    """An operator as the scheduler would have it; nothing is one."""


class SerializedMappedOperator(BaseSerialization):
    """A mapped operator as the scheduler would have it; nothing is one."""


class SerializedDAG(BaseSerialization):
    """A DAG in its stored form."""

    @classmethod
    def to_dict(cls, var: Any) -> dict[str, Any]:
        """Return the stored form of a DAG as plain values."""
        import msgspec

        from gnomon.sdk.serialization import serialize_dag

        plain: dict[str, Any] = msgspec.to_builtins(serialize_dag(var))
        return plain

    @classmethod
    def to_json(cls, var: Any) -> str:
        """Return the stored form of a DAG as JSON."""
        return json.dumps(cls.to_dict(var))

    @classmethod
    def from_dict(cls, serialized_obj: dict[str, Any], *_: Any) -> NoReturn:
        """Refuse: only the scheduler reads the stored form."""
        _refuse("a DAG of its stored form")

    from_json = from_dict


def create_scheduler_operator(op: Any) -> Any:
    """Return the operator itself: there is no other form of it in this process."""
    return op


def coerce_to_core_timetable(obj: Any) -> Any:
    """Return the timetable itself: SDK and scheduler share it."""
    return obj


def encode_timetable(var: Any) -> dict[str, Any]:
    """Return the class of a timetable and what it is made of."""
    kind = type(var)
    # Those of Airflow have no data of their own making: what they were given is what they are.
    data = var.serialize() or {name: _plain(value) for name, value in vars(var).items() if not name.startswith("_")}
    return {Encoding.TYPE.value: f"{kind.__module__}.{kind.__qualname__}", Encoding.VAR.value: data}


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value if isinstance(value, (str, int, float, type(None))) else str(getattr(value, "name", value))
