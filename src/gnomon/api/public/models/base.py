"""What all bodies share."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag

Entity = TypeVar("Entity")

#: Ours are numbers; Airflow's clients read a UUID, so a number is written as the UUID of that value.
NumberAsUuid = Annotated[UUID, BeforeValidator(lambda value: UUID(int=value) if isinstance(value, int) else value)]
Note = Annotated[str, StringConstraints(max_length=1000)]


class Response(BaseModel):
    """What we send."""

    model_config = ConfigDict(populate_by_name=True, defer_build=True)


class Body(BaseModel):
    """What we are sent: a field that we do not know is an error of the sender, not something to pass over."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")


class Info(BaseModel):
    """The shape of every error."""

    detail: str | dict[str, Any] | list[Any]


def changed(body: BaseModel, update_mask: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the fields that a PATCH is to change: those that were sent, limited to the mask if there is one.

    Raises:
        ValueError: the mask names something that is no field of the body.
    """
    fields = type(body).model_fields
    names = {field.alias or name: name for name, field in fields.items()} | {name: name for name in fields}
    sent = body.model_fields_set
    if update_mask:
        unknown = sorted(set(update_mask) - names.keys())
        if unknown:
            raise ValueError(f"update_mask: there is no field {', '.join(map(repr, unknown))}")
        sent = {names[name] for name in update_mask} & sent
    return {name: getattr(body, name) for name in fields if name in sent}


# ---------------------------------------------------------------------------------------------------- bulk


class OnExistence(StrEnum):
    """What a bulk create does with what is there already."""

    FAIL = "fail"
    SKIP = "skip"
    OVERWRITE = "overwrite"


class OnNonExistence(StrEnum):
    """What a bulk update or delete does with what is not there."""

    FAIL = "fail"
    SKIP = "skip"


class BulkCreate(Body, Generic[Entity]):
    """Create these."""

    action: Literal["create"]
    entities: list[Entity]
    action_on_existence: OnExistence = OnExistence.FAIL


class BulkUpdate(Body, Generic[Entity]):
    """Change these."""

    action: Literal["update"]
    entities: list[Entity]
    update_mask: list[str] | None = None
    action_on_non_existence: OnNonExistence = OnNonExistence.FAIL


class BulkDelete(Body, Generic[Entity]):
    """Delete these, named by key or as whole entities."""

    action: Literal["delete"]
    entities: list[str | Entity]
    action_on_non_existence: OnNonExistence = OnNonExistence.FAIL


def _action(value: Any) -> str | None:
    return value.get("action") if isinstance(value, dict) else getattr(value, "action", None)


class BulkBody(Body, Generic[Entity]):
    """Several changes in one request; each action is done whole or not at all."""

    actions: list[
        Annotated[
            Annotated[BulkCreate[Entity], Tag("create")]
            | Annotated[BulkUpdate[Entity], Tag("update")]
            | Annotated[BulkDelete[Entity], Tag("delete")],
            Discriminator(_action),
        ]
    ]


class BulkActionResponse(Response):
    """What one kind of action did."""

    success: list[str] = []
    errors: list[dict[str, Any]] = []


class BulkResponse(Response):
    """What the actions did; None for kinds that were not asked for."""

    create: BulkActionResponse | None = None
    update: BulkActionResponse | None = None
    delete: BulkActionResponse | None = None


class CursorPage(Response):
    """The paging fields of lists that page by offset or by cursor."""

    total_entries: int | None = Field(
        default=None, description="Exact for paging by offset, else at most the limit beside it."
    )
    total_entries_limit: int | None = Field(
        default=None, description="Up to where the total is counted; null for offset."
    )
    next_cursor: str | None = None
    previous_cursor: str | None = None
