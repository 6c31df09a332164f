"""Conditions over assets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.model.assets import AssetKey, Known, aliases_of, assets_of, is_met, references_of, shown

_NAMES = "abcd"


def asset(name: str) -> dict[str, Any]:
    return {"asset": {"name": name, "uri": f"s3://{name}", "group": "asset", "extra": {}}}


def key(name: str) -> AssetKey:
    return AssetKey(name, f"s3://{name}")


leaves = st.sampled_from(
    [
        *map(asset, _NAMES),
        {"alias": "one"},
        {"alias": {"name": "several", "group": "g"}},
        {"ref": {"name": "a"}},
        {"ref": {"uri": "s3://b"}},
        {"ref": {"name": "unknown"}},
    ]
)
conditions = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda kind, parts: {kind: parts}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=4)
    ),
)
updated = st.sets(st.sampled_from(_NAMES)).map(lambda names: {key(name) for name in names})


def known(keys: set[AssetKey]) -> Known:
    references = {("name", "a"): key("a"), ("uri", "s3://b"): key("b")}
    return Known(keys, {"one": [key("c")], "several": [key("a"), key("d")]}, references)


@given(conditions, updated, updated)
def test_more_updates_never_undo_a_condition(condition, some, more):
    if is_met(condition, known(some)):
        assert is_met(condition, known(some | more))


@given(st.lists(conditions, max_size=4), updated)
def test_all_and_any_are_what_their_parts_are(parts, keys):
    assert is_met({"all": parts}, known(keys)) == all(is_met(part, known(keys)) for part in parts)
    assert is_met({"any": parts}, known(keys)) == any(is_met(part, known(keys)) for part in parts)


@given(conditions, updated)
def test_only_what_a_condition_names_matters(condition, keys):
    named = set(assets_of(condition))
    for alias in aliases_of(condition):
        named |= set(known(set()).aliases[alias])
    named |= {known(set()).references[ref] for ref in references_of(condition) if ref in known(set()).references}

    assert is_met(condition, known(keys)) == is_met(condition, known(keys & named))


@pytest.mark.parametrize(
    ("condition", "keys", "met"),
    [
        (asset("a"), "a", True),
        (asset("a"), "b", False),
        ({"alias": "one"}, "c", True),
        ({"alias": {"name": "several", "group": "g"}}, "d", True),
        ({"alias": "one"}, "a", False),
        ({"ref": {"uri": "s3://b"}}, "b", True),
        ({"ref": {"name": "unknown"}}, "abcd", False),
        ({"all": [asset("a"), {"any": [asset("b"), asset("c")]}]}, "ac", True),
        ({"all": [asset("a"), {"any": [asset("b"), asset("c")]}]}, "bc", False),
        ({"all": []}, "", True),
        ({"any": []}, "a", False),
    ],
)
def test_when_a_condition_is_met(condition, keys, met):
    assert is_met(condition, known({key(name) for name in keys})) is met


def test_a_condition_as_the_api_shows_it():
    condition = {"any": [asset("a"), {"all": [{"alias": "x"}, {"ref": {"name": "n"}}]}]}

    assert shown(condition) == {
        "any": [
            {"asset": {"uri": "s3://a", "name": "a", "group": "asset"}},
            {"all": [{"alias": {"name": "x", "group": "asset"}}, {"asset_ref": {"name": "n"}}]},
        ]
    }
    assert shown(None) is None
