"""Conditions over assets: what one names, and whether it is met. Pure data as `wire.dag.TimetableSpec.assets` has it.

{"all": […]} · {"any": […]} · {"asset": {"name", "uri", …}} · {"alias": name} · {"ref": {"name" or "uri"}}
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Expression = Mapping[str, Any]


class AssetKey(NamedTuple):
    """What tells one asset from another."""

    name: str
    uri: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows about the assets that a condition may mean."""

    #: the assets that were updated
    updated: Collection[AssetKey]
    #: alias → the assets that tasks have resolved it to
    aliases: Mapping[str, Collection[AssetKey]] = field(default_factory=dict)
    #: the active assets by ("name", name) and ("uri", uri)
    references: Mapping[tuple[str, str], AssetKey] = field(default_factory=dict)


def leaves(expression: Expression) -> Iterator[tuple[str, Any]]:
    """Yield (kind, content) of everything that a condition names, in its order."""
    for kind in ("all", "any"):
        if kind in expression:
            for part in expression[kind]:
                yield from leaves(part)
            return
    for kind in ("asset", "alias", "ref"):
        if kind in expression:
            yield kind, expression[kind]
            return


def assets_of(expression: Expression) -> dict[AssetKey, dict[str, Any]]:
    """Return the assets of a condition as they were written, the last of one key."""
    return {key_of(content): dict(content) for kind, content in leaves(expression) if kind == "asset"}


def aliases_of(expression: Expression) -> dict[str, str]:
    """Return the aliases of a condition and their groups."""
    return dict(alias_of(content) for kind, content in leaves(expression) if kind == "alias")


def references_of(expression: Expression) -> set[tuple[str, str]]:
    """Return ("name", name) and ("uri", uri) of assets that are defined elsewhere."""
    return {reference_of(content) for kind, content in leaves(expression) if kind == "ref"}


def key_of(content: Mapping[str, Any]) -> AssetKey:
    """Return the key of an asset as data."""
    return AssetKey(content["name"], content["uri"])


def alias_of(content: str | Mapping[str, Any]) -> tuple[str, str]:
    """Return name and group of an alias as data."""
    return (content, "asset") if isinstance(content, str) else (content["name"], content.get("group") or "asset")


def reference_of(content: Mapping[str, Any]) -> tuple[str, str]:
    """Return which asset a reference means."""
    kind = "name" if content.get("name") else "uri"
    return kind, content[kind]


def is_met(expression: Expression, known: Known) -> bool:
    """Return whether a condition is met. All of nothing is met, any of nothing is not."""
    if "all" in expression:
        return all(is_met(part, known) for part in expression["all"])
    if "any" in expression:
        return any(is_met(part, known) for part in expression["any"])
    return any(_meets(kind, content, known) for kind, content in leaves(expression))


def _meets(kind: str, content: Any, known: Known) -> bool:
    return any(key in known.updated for key in _MEANT[kind](content, known))


_MEANT: dict[str, Callable[[Any, Known], Collection[AssetKey]]] = {
    "asset": lambda content, known: (key_of(content),),
    "alias": lambda content, known: known.aliases.get(alias_of(content)[0], ()),
    "ref": lambda content, known: tuple(filter(None, [known.references.get(reference_of(content))])),
}


def shown(expression: Expression | None) -> dict[str, Any] | None:
    """Return a condition as the REST API shows it."""
    if expression is None:
        return None
    for kind in ("all", "any"):
        if kind in expression:
            return {kind: [shown(part) for part in expression[kind]]}
    kind, content = next(leaves(expression))
    if kind == "asset":
        return {"asset": {name: content.get(name) or "asset" for name in ("uri", "name", "group")}}
    if kind == "alias":
        name, group = alias_of(content)
        return {"alias": {"name": name, "group": group}}
    kind, value = reference_of(content)
    return {"asset_ref": {kind: value}}
