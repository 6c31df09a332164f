"""What a timetable is; subclass `Timetable` for one of your own."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, NamedTuple

from gnomon.sdk.assets import BaseAsset
from gnomon.sdk.exceptions import AirflowTimetableInvalid


class DataInterval(NamedTuple):
    """The time that a run is about."""

    start: Any
    end: Any

    @classmethod
    def exact(cls, at: Any) -> DataInterval:
        """Return an interval without length."""
        return cls(at, at)


class TimeRestriction(NamedTuple):
    """Between when runs may be scheduled."""

    earliest: Any
    latest: Any
    catchup: bool


class DagRunInfo(NamedTuple):
    """When a run starts, and what time it is about."""

    run_after: Any
    data_interval: DataInterval | None
    partition_date: Any = None
    partition_key: str | None = None

    @classmethod
    def exact(cls, at: Any) -> DagRunInfo:
        """Return a run at a moment, about that moment."""
        return cls(at, DataInterval(at, at))

    @classmethod
    def interval(cls, start: Any, end: Any) -> DagRunInfo:
        """Return a run at the end of an interval, about that interval."""
        return cls(end, DataInterval(start, end))

    @property
    def logical_date(self) -> Any:
        """The start of the interval."""
        return self.data_interval.start if self.data_interval is not None else None


class Timetable:
    """A schedule. Subclass it for one of your own: define `next_dagrun_info` and `infer_manual_data_interval`."""

    description: str = ""
    periodic: bool = True
    can_be_scheduled: bool = True
    run_ordering: Collection[str] = ("data_interval_end", "logical_date")
    active_runs_limit: int | None = None
    asset_condition: BaseAsset | None = None
    partitioned: bool = False
    #: the kind of a wire.dag.TimetableSpec; "custom" is worked out by the class itself
    kind: ClassVar[str] = "custom"

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """Return the timetable that `serialize` wrote; a class whose arguments matter defines both."""
        return cls()

    def serialize(self) -> dict[str, Any]:
        """Return what `deserialize` needs, as JSON data."""
        return {}

    def validate(self) -> None:
        """Check the timetable.

        Raises:
            AirflowTimetableInvalid: it can never work.
        """

    @property
    def summary(self) -> str:
        """A short text to show."""
        return type(self).__name__

    @property
    def type_name(self) -> str:
        """The name of the class."""
        return type(self).__name__

    def infer_manual_data_interval(self, *, run_after: Any) -> DataInterval:
        """Return the interval of a manual run."""
        raise NotImplementedError(f"{type(self).__name__} does not define infer_manual_data_interval()")

    def next_dagrun_info(self, *, last_automated_data_interval: Any, restriction: TimeRestriction) -> DagRunInfo | None:
        """Return the next run, or None."""
        raise NotImplementedError(f"{type(self).__name__} does not define next_dagrun_info()")

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next run, or None; asked in place of `next_dagrun_info` where a class defines it."""
        last = last_dagrun_info.data_interval if last_dagrun_info is not None else None
        return self.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)

    def generate_run_id(self, *, run_type: Any, run_after: Any, data_interval: Any = None, **extra: Any) -> str:
        """Return the run_id of a run."""
        return f"{getattr(run_type, 'value', run_type)}__{run_after.isoformat()}"

    def fields(self) -> dict[str, Any]:
        """Return the fields of the TimetableSpec, besides its kind.

        Raises:
            AirflowTimetableInvalid: the class cannot be found by an import path.
        """
        name = type(self).__qualname__
        if "<" in name:
            raise AirflowTimetableInvalid(f"the timetable class {name} has to be at the top level of a module")
        return {
            "classpath": f"{type(self).__module__}.{name}",
            "data": self.serialize(),
            "summary": self.summary,
            "description": self.description or None,
            "can_be_scheduled": bool(self.can_be_scheduled),
            "periodic": bool(self.periodic),
            "active_runs_limit": self.active_runs_limit,
            "names_runs": type(self).generate_run_id is not Timetable.generate_run_id,
        }

    def to_spec(self) -> Any:
        """Return the wire.dag.TimetableSpec."""
        from gnomon.wire.dag import TimetableSpec

        return TimetableSpec(kind=self.kind, **self.fields())

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.fields() == other.fields()

    def __hash__(self) -> int:
        return hash((type(self), repr(self.fields())))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary}>"


BaseTimetable = Timetable
