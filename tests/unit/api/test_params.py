"""Query parameters: what is read, and what is refused."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy import column, select
from sqlalchemy import table as make_table

from gnomon.api.public import params
from gnomon.api.public.app import MODULES, routers
from gnomon.store.reads import admin, dags, runs, task_instances, versions, xcoms
from gnomon.store.reads.listing import BadQuery, Listing, Query, equals, one_of, patterns, ranges

_t = make_table("t", column("id"), column("name"))
LISTING = Listing(
    name="things",
    select=select(_t.c.id),
    key=_t.c.id,
    filters=(
        one_of("size", _t.c.id, "int"),
        equals("on", _t.c.id, "bool", default=True),
        equals("state", _t.c.name, choices=("a", "b")),
        *ranges("born", _t.c.id),
        *patterns("name", _t.c.name),
    ),
    orders={"id": _t.c.id},
    default_order=("id",),
)
EVERY = [
    *(admin.VARIABLES, admin.CONNECTIONS, admin.POOLS, admin.IMPORT_ERRORS, admin.JOBS, admin.EVENTS),
    *(dags.DAGS, dags.TAGS, dags.WARNINGS, runs.RUNS, task_instances.TASK_INSTANCES, versions.VERSIONS, xcoms.XCOMS),
]


def read(text: str) -> Query:
    scope = {"type": "http", "query_string": text.encode(), "headers": [], "method": "GET", "path": "/"}
    return params.Reader(LISTING)(Request(scope))


def test_values_are_converted_by_kind() -> None:
    query = read("size=1&size=2&on=no&state=b&born_gte=2026-01-01T00:00:00Z&name_pattern=x&limit=7&offset=3&other=1")
    assert query.values == {
        "size": [1, 2],
        "on": False,
        "state": "b",
        "born_gte": datetime(2026, 1, 1, tzinfo=UTC),
        "name_pattern": "x",
    }
    assert (query.limit, query.offset, query.cursor) == (7, 3, None)


def test_defaults() -> None:
    query = read("")
    assert (query.values, query.limit, query.offset, query.order_by) == ({"on": True}, 50, 0, [])


def test_a_page_is_never_longer_than_the_limit() -> None:
    assert read("limit=100000").limit == 100


@pytest.mark.parametrize("text", ["2026-01-01T01:00:00+01:00", "2026-01-01 00:00:00", "2026-01-01"])
def test_times_with_and_without_zone(text: str) -> None:
    # an unquoted "+" arrives as a space
    for spelling in (text, text.replace("+", "%2B")):
        assert read(f"born_gt={spelling}").values["born_gt"] == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "size=x",
        "on=perhaps",
        "state=c",
        "born_gte=now",
        "limit=x",
        "limit=-1",
        "offset=-1",
        "limit=99999999999999999999",
    ],
)
def test_what_is_not_of_its_kind_is_named(text: str) -> None:
    with pytest.raises(RequestValidationError) as refused:
        read(text)
    assert refused.value.errors()[0]["loc"] == ("query", text.partition("=")[0])


@pytest.mark.parametrize("listing", EVERY, ids=lambda listing: listing.name)
def test_every_listing_is_sound(listing: Listing) -> None:
    names = [one.param for one in listing.filters]
    assert len(names) == len(set(names))
    assert set(listing.default_order) <= set(listing.orders)
    described: list[dict[str, Any]] = params.Reader(listing).openapi()["parameters"]
    assert {"limit", "offset", *names} <= {one["name"] for one in described}


@pytest.mark.parametrize("cursor", ["x", "!!!", "gA", "kZEB", "~", "wA"])
def test_a_broken_cursor_is_refused(cursor: str) -> None:
    from gnomon.store.reads.listing import _decode

    with pytest.raises(BadQuery):
        _decode(cursor, 1)


def paths_of(module: str) -> list[str]:
    return [MODULES[module][0] + route.path for router in routers(module) for route in router.routes]  # type: ignore[attr-defined]


def example(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "x", path)


def loads(module: str) -> re.Pattern[str]:
    prefix, paths, _ = MODULES[module]
    return re.compile(f"{prefix}/(?:{paths})" if prefix else paths)


def test_each_route_is_under_the_path_that_loads_it() -> None:
    for module in MODULES:
        for path in paths_of(module):
            assert loads(module).fullmatch(example(path)), f"{module} is not loaded for {path}"
    assert sum(len(paths_of(module)) for module in MODULES) > 80


def test_routes_that_could_take_each_others_requests_are_loaded_together() -> None:
    """Else the one that happens to be asked for first would get them."""
    for one, other in itertools.permutations(MODULES, 2):
        for path in paths_of(one):
            pattern = re.compile(re.sub(r"\{[^}]*:path\}", ".+", re.sub(r"\{[^}:]*\}", "[^/]+", path)))
            if any(pattern.fullmatch(example(theirs)) for theirs in paths_of(other)):
                assert MODULES[one][1] == MODULES[other][1], f"{path} of {one} takes requests of {other}"
