"""Bulk requests: several creates, updates and deletes of one kind of thing in one body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from gnomon.api.public.models.base import (
    BulkActionResponse,
    BulkBody,
    BulkCreate,
    BulkResponse,
    BulkUpdate,
    OnExistence,
    OnNonExistence,
)
from gnomon.store.errors import StoreError

Entity = TypeVar("Entity")
Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[Entity, Record]):
    """How one kind of thing is named, made and stored.

    Args:
        noun: for messages.
        key: the key of an entity in a body.
        present: the records of those keys that exist.
        new: the record that an entity describes.
        changed: the record that an entity makes of one that exists; the mask limits the fields.
        put: writes records, all or none.
        delete: deletes one.
    """

    noun: str
    key: Callable[[Entity], str]
    present: Callable[[Iterable[str]], dict[str, Record]]
    new: Callable[[Entity], Record]
    changed: Callable[[Record, Entity, Sequence[str] | None], Record]
    put: Callable[[list[Record]], Any]
    delete: Callable[[str], Any]


@dataclass
class _Result:
    success: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, status: int, message: str) -> None:
        self.errors.append({"error": message, "status_code": status})


def perform(kind: Kind[Entity, Record], body: BulkBody[Entity]) -> BulkResponse:
    """Do the actions in their order; one that fails changes nothing, and the others still count."""
    results: dict[str, _Result] = {}
    for action in body.actions:
        result = results.setdefault(action.action, _Result())
        try:
            if isinstance(action, BulkCreate):
                _create(kind, action.entities, action.action_on_existence, result)
            elif isinstance(action, BulkUpdate):
                _update(kind, action.entities, action.update_mask, action.action_on_non_existence, result)
            else:
                keys = [one if isinstance(one, str) else kind.key(one) for one in action.entities]
                _delete(kind, keys, action.action_on_non_existence, result)
        except (StoreError, ValueError) as error:
            result.fail(400, str(error))
    answers = {name: BulkActionResponse(success=one.success, errors=one.errors) for name, one in results.items()}
    return BulkResponse(**answers)


def _create(kind: Kind[Entity, Record], entities: Sequence[Entity], on_existence: OnExistence, result: _Result) -> None:
    present = kind.present(kind.key(one) for one in entities)
    if present and on_existence is OnExistence.FAIL:
        result.fail(409, f"The {kind.noun}s with these keys already exist: {', '.join(sorted(present))}")
        return
    wanted = [one for one in entities if on_existence is OnExistence.OVERWRITE or kind.key(one) not in present]
    kind.put([kind.new(one) for one in wanted])
    result.success += [kind.key(one) for one in wanted]


def _update(
    kind: Kind[Entity, Record],
    entities: Sequence[Entity],
    mask: Sequence[str] | None,
    on_missing: OnNonExistence,
    result: _Result,
) -> None:
    present = kind.present(kind.key(one) for one in entities)
    if not _complete(kind, [kind.key(one) for one in entities], present, on_missing, result):
        return
    wanted = [one for one in entities if kind.key(one) in present]
    kind.put([kind.changed(present[kind.key(one)], one, mask) for one in wanted])
    result.success += [kind.key(one) for one in wanted]


def _delete(kind: Kind[Any, Any], keys: Sequence[str], on_missing: OnNonExistence, result: _Result) -> None:
    present = kind.present(keys)
    if not _complete(kind, keys, present, on_missing, result):
        return
    for key in keys:
        if key in present:
            kind.delete(key)
            result.success.append(key)


def _complete(
    kind: Kind[Any, Any], keys: Sequence[str], present: dict[str, Any], on_missing: OnNonExistence, result: _Result
) -> bool:
    missing = sorted(set(keys) - present.keys())
    if missing and on_missing is OnNonExistence.FAIL:
        result.fail(404, f"The {kind.noun}s with these keys were not found: {', '.join(missing)}")
        return False
    return True
