"""Names of Airflow's messages between a task and its supervisor, which type annotations of providers mention."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn, Protocol, TypeAlias

from gnomon.sdk.state import AssetScope, TaskScope

StoreScope: TypeAlias = TaskScope | AssetScope


class XComCoordinate(NamedTuple):
    """What names an XCom."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    key: str


class XComResult(NamedTuple):
    """An XCom."""

    key: str
    value: Any


class OutletEventAccessorsProtocol(Protocol):
    """The accessors of a task's outlets."""

    def __iter__(self) -> Any:
        """Yield the outlets."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, key: Any) -> Any:
        """Return the accessor of an outlet."""


def get_coordinator_manager() -> NoReturn:
    """Refuse: Gnomon's worker runs tasks of Python only."""
    from gnomon.sdk.exceptions import AirflowException

    raise AirflowException("coordinators for tasks in other languages do not exist in Gnomon")
