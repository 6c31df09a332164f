"""Whose fault it is when a module cannot be imported: pure decisions over what `walk.py` prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from airflow._finder import provider_of
from tests.compat.imports.providers import BROUGHT_BY, DISTRIBUTIONS, UNDECLARED, WITHOUT

_EXTRA = re.compile(r"extra == ['\"]([^'\"]+)")


@dataclass(frozen=True)
class Verdict:
    """Why a module cannot be imported.

    Attributes:
        ours: Gnomon lacks something.
        missing: what would have to be installed.
        why: a sentence.
    """

    ours: bool
    missing: str
    why: str


def verdict(failure: Mapping[str, Any], requires: Sequence[str]) -> Verdict:
    """Judge one failure.

    Args:
        failure: what `walk.py` printed of a module.
        requires: the requirements of its distribution.
    """
    first = failure["chain"][-1]
    name = first["name"] or ""
    if first["type"] == "ModuleNotFoundError" and _is_elsewhere(name):
        return _of_missing(_distribution(name), requires)
    if first["type"] == "ImportError" and ".so" in first["text"]:
        return Verdict(
            False, "a library of the system", first["text"].split(":")[0] + " belongs to the system, not to Python"
        )
    wanted = re.search(r"apache-airflow-providers-[a-z-]+", failure["chain"][0]["text"])
    if failure["chain"][0]["type"] == "AirflowOptionalProviderFeatureException" and wanted is not None:
        return _of_missing(wanted[0].rstrip("-"), requires)
    return Verdict(True, "", f"{first['type']}: {first['text']}")


def _is_elsewhere(module: str) -> bool:
    """Say whether a module that is missing belongs to another distribution than Gnomon."""
    if module.split(".", maxsplit=1)[0] not in ("airflow", "gnomon"):
        return bool(module)
    return provider_of(module) not in (None, "apache-airflow-providers-standard")


def _distribution(module: str) -> str:
    top = module.split(".", maxsplit=1)[0]
    if top == "airflow":
        return str(provider_of(module))
    return DISTRIBUTIONS.get(top, top.replace("_", "-"))


def _of_missing(distribution: str, requires: Sequence[str]) -> Verdict:
    extras = extras_with(distribution, requires) or extras_with(BROUGHT_BY.get(distribution, distribution), requires)
    if distribution in WITHOUT:
        return Verdict(False, distribution, "is built on the spot and needs MySQL's C library; left out here")
    if None in extras:
        return Verdict(True, distribution, f"{distribution} is a requirement and yet not there")
    if extras:
        return Verdict(
            False,
            distribution,
            f"optional: in the extra {', '.join(f'[{extra}]' for extra in sorted(map(str, extras)))}",
        )
    if distribution in UNDECLARED:
        return Verdict(False, distribution, UNDECLARED[distribution])
    if distribution.startswith("apache-airflow-providers-"):
        return Verdict(False, distribution, "works with another provider package, which no extra names")
    return Verdict(False, distribution, "imports a package that no extra names")


def extras_with(distribution: str, requires: Sequence[str]) -> set[str | None]:
    """Return the extras that bring a distribution; None stands for no extra at all."""
    found: set[str | None] = set()
    for text in requires:
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) == canonicalize_name(distribution):
            extra = _EXTRA.search(str(requirement.marker or ""))
            found.add(extra[1] if extra else None)
    return found
