"""What operators of Airflow 2 named as inlets and outlets: files, tables and their owners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass
class File:
    """A file at a URL."""

    template_fields: ClassVar[Sequence[str]] = ("url",)

    url: str
    type_hint: str | None = None


@dataclass
class User:
    """A person."""

    template_fields: ClassVar[Sequence[str]] = ("email", "first_name", "last_name")

    email: str
    first_name: str | None = None
    last_name: str | None = None


@dataclass
class Tag:
    """A tag or a class."""

    template_fields: ClassVar[Sequence[str]] = ("tag_name",)

    tag_name: str


@dataclass
class Column:
    """A column of a table."""

    template_fields: ClassVar[Sequence[str]] = ("name", "description", "data_type", "tags")

    name: str
    description: str | None = None
    data_type: str = ""
    tags: list[Tag] = field(default_factory=list)


@dataclass
class Table:
    """A table."""

    template_fields: ClassVar[Sequence[str]] = (
        "database", "cluster", "name", "tags", "description", "columns", "owners", "extra",
    )  # fmt: skip

    database: str
    cluster: str
    name: str
    tags: list[Tag] = field(default_factory=list)
    description: str | None = None
    columns: list[Column] = field(default_factory=list)
    owners: list[User] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    type_hint: str | None = None


def default_if_none(arg: bool | None) -> bool:
    """Return False for None."""
    return bool(arg)
