"""What a class extends that keeps the values of state stores elsewhere (`[workers] state_store_backend`)."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class TaskScope:
    """A task instance as the owner of a store."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


@dataclass(frozen=True)
class AssetScope:
    """An asset as the owner of a store."""

    asset_id: int | None = None
    name: str | None = None
    uri: str | None = None


class BaseStoreBackend(ABC):
    """Keeps values elsewhere; the database then holds a reference to each.

    The worker calls the four methods with "ref" in their names, and `delete` and `clear` after the references are gone.
    A reference has to be the same whenever owner and key are.
    """

    @abstractmethod
    def get(self, scope: TaskScope | AssetScope, key: str, *, session: Any = None) -> str | None:
        """Return a value as JSON text, None if there is none."""

    @abstractmethod
    def set(
        self, scope: TaskScope | AssetScope, key: str, value: str, *, expires_at: datetime | None = None,
        session: Any = None,
    ) -> None:  # fmt: skip
        """Keep a value, given as JSON text."""

    @abstractmethod
    def delete(self, scope: TaskScope | AssetScope, key: str, *, session: Any = None) -> None:
        """Forget a key, if it is there."""

    @abstractmethod
    def clear(self, scope: TaskScope | AssetScope, *, all_map_indices: bool = False, session: Any = None) -> None:
        """Forget all keys."""

    @abstractmethod
    async def aget(self, scope: TaskScope | AssetScope, key: str, *, session: Any = None) -> str | None:
        """Do what `get` does."""

    @abstractmethod
    async def aset(
        self, scope: TaskScope | AssetScope, key: str, value: str, *, expires_at: datetime | None = None,
        session: Any = None,
    ) -> None:  # fmt: skip
        """Do what `set` does."""

    @abstractmethod
    async def adelete(self, scope: TaskScope | AssetScope, key: str, *, session: Any = None) -> None:
        """Do what `delete` does."""

    @abstractmethod
    async def aclear(
        self, scope: TaskScope | AssetScope, *, all_map_indices: bool = False, session: Any = None
    ) -> None:
        """Do what `clear` does."""

    def cleanup(self) -> None:  # noqa: B027 - a backend without expiry needs none
        """Remove what has expired; does nothing unless overridden."""

    def serialize_task_state_store_to_ref(self, *, value: Any, key: str, scope: TaskScope) -> str:
        """Keep a task's value and return the reference to it."""
        return json.dumps(value)

    def deserialize_task_state_store_from_ref(self, stored: str) -> Any:
        """Return the value that a reference leads to."""
        return json.loads(stored)

    def serialize_asset_state_store_to_ref(self, *, value: Any, key: str, scope: AssetScope) -> str:
        """Keep an asset's value and return the reference to it."""
        return json.dumps(value)

    def deserialize_asset_state_store_from_ref(self, stored: str) -> Any:
        """Return the value that a reference leads to."""
        return json.loads(stored)
