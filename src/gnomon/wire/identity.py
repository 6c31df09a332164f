"""The UUID that Airflow's APIs show for a task instance, made from our number and back."""

from __future__ import annotations

from uuid import UUID

#: Version 8 (free form), RFC variant; the low 62 bits are the number.
_BASE = UUID("676e6f6d-6f6e-8000-8000-000000000000").int
_NUMBER = (1 << 62) - 1


def ti_uuid(number: int) -> UUID:
    """Return the UUID of the task instance with this id."""
    return UUID(int=_BASE | (number & _NUMBER))


def ti_number(uuid: UUID | str) -> int | None:
    """Return the id of the task instance with this UUID; None if it is not one of ours."""
    value = (UUID(uuid) if isinstance(uuid, str) else uuid).int
    return value & _NUMBER if value & ~_NUMBER == _BASE else None
