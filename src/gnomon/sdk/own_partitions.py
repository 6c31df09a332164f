"""Partition mappers and windows of the user's own, in the place of those of `gnomon.model.partitions`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gnomon.model.partitions import Mapper, PartitionError, Window


class OwnMapper(Mapper):
    """Asks an object of a user's class."""

    def __init__(self, mapper: Any) -> None:
        super().__init__(mapper.max_downstream_keys)
        object.__setattr__(self, "own", mapper)

    own: Any

    def downstream(self, key: str) -> list[str]:
        return keys_of(self.own, self.own.to_downstream(key))

    def decode(self, key: str) -> Any:
        return self.own.decode_downstream(key)

    def encode(self, value: Any) -> str:
        encoded: str = self.own.encode_upstream(value)
        return encoded

    def format(self, value: Any) -> str:
        write = getattr(self.own, "format", None)
        return str(write(value)) if callable(write) else super().format(value)

    def date(self, key: str) -> datetime | None:
        found: datetime | None = self.own.to_partition_date(key)
        return found


class OwnWindow(Window):
    """Asks an object of a user's class."""

    def __init__(self, window: Any) -> None:
        super().__init__("custom")
        object.__setattr__(self, "own", window)

    own: Any

    def members(self, start: Any) -> list[Any]:
        return list(self.own.to_upstream(start))


def keys_of(mapper: Any, found: object) -> list[str]:
    """Return the keys that a mapper's `to_downstream` gave.

    Raises:
        PartitionError: it gave something else.
    """
    if isinstance(found, str):
        return [found]
    keys = []
    for key in found if isinstance(found, Iterable) else [found]:
        if not isinstance(key, str):
            raise PartitionError(f"{type(mapper).__name__}.to_downstream() has to give strings, and gave {key!r}")
        keys.append(key)
    return keys
