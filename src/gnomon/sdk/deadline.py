"""Deadlines: what happens when a DAG run takes too long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from gnomon.sdk.callbacks import AsyncCallback, Callback


class BaseDeadlineReference:
    """The moment that a deadline is counted from."""

    #: what `_evaluate_with` of a subclass wants to know: dag_id, run_id, logical_date, queued_at
    required_kwargs: ClassVar[set[str]] = set()

    @property
    def reference_name(self) -> str:
        """The name of the class."""
        return type(self).__name__

    def serialize_reference(self) -> dict[str, Any]:
        """Return the reference as data."""
        return {"reference_type": self.reference_name}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> BaseDeadlineReference:
        """Return the reference that `serialize_reference` wrote."""
        return cls()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseDeadlineReference):
            return NotImplemented
        return self.serialize_reference() == other.serialize_reference()

    def __hash__(self) -> int:
        return hash(frozenset(self.serialize_reference().items()))


class DagRunLogicalDateDeadline(BaseDeadlineReference):
    """The logical date of the run."""


class DagRunQueuedAtDeadline(BaseDeadlineReference):
    """When the run was queued."""


class FixedDatetimeDeadline(BaseDeadlineReference):
    """A fixed moment."""

    def __init__(self, _datetime: datetime) -> None:
        self._datetime = _datetime

    def serialize_reference(self) -> dict[str, Any]:
        """Return the reference as data."""
        return {**super().serialize_reference(), "datetime": self._datetime.timestamp()}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> BaseDeadlineReference:
        """Return the reference that `serialize_reference` wrote."""
        from gnomon.sdk.timezone import from_timestamp

        return cls(from_timestamp(reference_data["datetime"]))


class AverageRuntimeDeadline(BaseDeadlineReference):
    """The average duration of the latest runs, counted from when the run was queued."""

    DEFAULT_LIMIT: ClassVar[int] = 10

    def __init__(self, max_runs: int = DEFAULT_LIMIT, min_runs: int | None = None) -> None:
        self.max_runs = max_runs
        self.min_runs = max_runs if min_runs is None else min_runs
        if self.min_runs < 1:
            raise ValueError("min_runs must be at least 1")

    def serialize_reference(self) -> dict[str, Any]:
        """Return the reference as data."""
        return {**super().serialize_reference(), "max_runs": self.max_runs, "min_runs": self.min_runs}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> BaseDeadlineReference:
        """Return the reference that `serialize_reference` wrote."""
        return cls(reference_data.get("max_runs", cls.DEFAULT_LIMIT), reference_data.get("min_runs"))


@dataclass(frozen=True)
class VariableInterval:
    """An interval that a variable holds, in seconds."""

    key: str


class DeadlineAlert:
    """Call `callback` when a run is not done `interval` after `reference`.

    Args:
        reference: the moment to count from; see DeadlineReference.
        interval: how long after it.
        callback: an AsyncCallback or SyncCallback.
        name: what the deadline is called.

    Raises:
        ValueError: the callback is something else.
    """

    def __init__(
        self,
        reference: BaseDeadlineReference,
        interval: timedelta | VariableInterval,
        callback: Callback,
        name: str | None = None,
    ) -> None:
        if not isinstance(callback, Callback):
            raise ValueError(f"Callbacks of type {type(callback).__name__} are not currently supported")
        self.reference, self.interval, self.callback, self.name = reference, interval, callback, name

    def as_data(self) -> dict[str, Any]:
        """Return the alert as data."""
        interval, callback = self.interval, self.callback
        kind = "AsyncCallback" if isinstance(callback, AsyncCallback) else "SyncCallback"
        return {
            "name": self.name,
            "reference": _reference_as_data(self.reference),
            "interval": interval.total_seconds() if isinstance(interval, timedelta) else {"variable": interval.key},
            "callback": {**callback.serialize(), "kind": kind, "kwargs": _plain_kwargs(callback)},
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeadlineAlert) and self.as_data() == other.as_data()

    def __hash__(self) -> int:
        return hash((self.reference, self.interval, self.callback))


def _reference_as_data(reference: BaseDeadlineReference) -> dict[str, Any]:
    """Return a reference as data; a user's own one names its class, which alone knows what it means."""
    from gnomon.sdk.exceptions import SerializationError

    data = reference.serialize_reference()
    kind = type(reference)
    if kind.__module__ == __name__:
        return data
    if "<" in kind.__qualname__:
        raise SerializationError(f"the deadline reference {kind.__qualname__} has to be at the top level of a module")
    return {**data, "classpath": f"{kind.__module__}.{kind.__qualname__}"}


def _plain_kwargs(callback: Callback) -> dict[str, Any]:
    from gnomon.sdk.exceptions import SerializationError
    from gnomon.sdk.runtime import values

    try:
        plain: dict[str, Any] = values.to_plain(callback.kwargs)
    except values.NotSerializableError as error:
        raise SerializationError(f"the kwargs of the deadline callback {callback.path}: {error}") from None
    return plain


class DeadlineReference:
    """The moments that deadlines can be counted from."""

    class TYPES:
        """Which of them are known when a run is created, and which when it is queued."""

        DAGRUN_CREATED: tuple[type[BaseDeadlineReference], ...] = (
            DagRunLogicalDateDeadline,
            FixedDatetimeDeadline,
            AverageRuntimeDeadline,
        )
        DAGRUN_QUEUED: tuple[type[BaseDeadlineReference], ...] = (DagRunQueuedAtDeadline,)
        DAGRUN: tuple[type[BaseDeadlineReference], ...] = (*DAGRUN_CREATED, *DAGRUN_QUEUED)

    DAGRUN_LOGICAL_DATE: ClassVar[BaseDeadlineReference] = DagRunLogicalDateDeadline()
    DAGRUN_QUEUED_AT: ClassVar[BaseDeadlineReference] = DagRunQueuedAtDeadline()

    @classmethod
    def AVERAGE_RUNTIME(cls, max_runs: int = 0, min_runs: int | None = None) -> BaseDeadlineReference:
        """Count from the average duration of the latest runs."""
        return AverageRuntimeDeadline(max_runs or AverageRuntimeDeadline.DEFAULT_LIMIT, min_runs)

    @classmethod
    def FIXED_DATETIME(cls, dt: datetime) -> BaseDeadlineReference:
        """Count from a fixed moment."""
        return FixedDatetimeDeadline(dt)

    @classmethod
    def register_custom_reference(
        cls, reference_class: type[BaseDeadlineReference], deadline_reference_type: Any = None
    ) -> type[BaseDeadlineReference]:
        """Make a reference of your own an attribute of this class.

        Raises:
            ValueError: it is no BaseDeadlineReference, or the type is none of DeadlineReference.TYPES.
        """
        if not issubclass(reference_class, BaseDeadlineReference):
            raise ValueError(f"{reference_class.__name__} must inherit from BaseDeadlineReference")
        known = deadline_reference_type or cls.TYPES.DAGRUN_CREATED
        name = "DAGRUN_CREATED" if known == cls.TYPES.DAGRUN_CREATED else "DAGRUN_QUEUED"
        if known not in (cls.TYPES.DAGRUN_CREATED, cls.TYPES.DAGRUN_QUEUED):
            raise ValueError(f"Invalid deadline reference type {known}")
        setattr(cls.TYPES, name, (*known, reference_class))
        cls.TYPES.DAGRUN = (*cls.TYPES.DAGRUN_CREATED, *cls.TYPES.DAGRUN_QUEUED)
        setattr(cls, reference_class.__name__, reference_class())
        return reference_class


def deadline_reference(deadline_reference_type: Any = None) -> Any:
    """Class decorator: register a reference of your own."""
    if isinstance(deadline_reference_type, type):
        return DeadlineReference.register_custom_reference(deadline_reference_type)

    def decorate(reference_class: type[BaseDeadlineReference]) -> type[BaseDeadlineReference]:
        return DeadlineReference.register_custom_reference(reference_class, deadline_reference_type)

    return decorate
