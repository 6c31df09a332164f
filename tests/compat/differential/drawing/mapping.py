"""Random mapped tasks: what they are expanded over."""

from __future__ import annotations

from math import prod
from typing import Any

from hypothesis import strategies as st

_ATOMS = st.sampled_from([0, 1, 2, "a", "b", "{{ ds }}", None, [1, 2], {"x": 3}, "{{ nothing }}", {"y": "{{ ds }}"}])
_LISTS = st.lists(_ATOMS, max_size=3)
_DICTS = st.dictionaries(st.sampled_from(["x", "y", "k"]), _ATOMS, max_size=3)
_KWARGS = st.dictionaries(st.sampled_from(["x", "y", "x", "y", "x", "y", "x", "z"]), _ATOMS, max_size=2)
_FUNCTIONS = st.sampled_from(["twice", "text", "first", "skip", "dict", "template"])
_TASKS = st.sampled_from(["u0", "u1", "u2"]).map(lambda name: ["task", name])


def _mapped(inner: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[list[Any]]:
    return st.one_of(
        st.tuples(inner, _FUNCTIONS).map(lambda two: ["map", *two]),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: ["concat", *some]),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: ["zip", *some]),
        st.tuples(inner, inner, st.sampled_from([None, 0])).map(lambda three: ["zip_longest", *three]),
    )


_REFERENCES = st.recursive(_TASKS, _mapped, max_leaves=3)
_VALUES = st.one_of(_LISTS, _DICTS, st.sampled_from([None, 3, "text"]), st.lists(_KWARGS, max_size=3))
_ARGUMENTS = st.one_of(
    st.one_of(_LISTS, _DICTS, st.sampled_from(["text", 3])).map(lambda value: ["value", value]), _REFERENCES
)


@st.composite
def mapped(draw: Any) -> dict[str, Any]:
    """Draw a mapped task and what its upstream tasks returned."""
    kwargs = st.one_of(
        _REFERENCES,
        st.lists(_KWARGS, max_size=3).map(lambda value: ["value", value]),
        st.lists(_TASKS | _KWARGS.map(lambda value: ["value", value]), min_size=1, max_size=3).map(
            lambda s: ["list", *s]
        ),
        st.sampled_from([["value", "text"], ["value", {"x": [1]}], ["value", [1]]]),
    )
    by_kwargs = draw(st.integers(0, 2)) == 0
    partial = draw(st.sampled_from([*([{}] * 8), {"y": "{{ ds }}"}, {"x": "{{ ds }}"}, {"z": 1}]))
    least = draw(st.sampled_from([1, 1, 1, 0]))
    names = st.sampled_from(["x", "y"] * 6 + ["task_id", "z"])
    values = {name: draw(_VALUES) for name in ("u0", "u1", "u2")}
    expand = {} if by_kwargs else draw(st.dictionaries(names, _ARGUMENTS, min_size=least, max_size=2))
    if any("concat" in str(one) for one in expand.values()):
        # Beside another argument, Airflow takes a joined list for longer than it is, and asks for what is not there.
        expand = dict([expand.popitem()])
    given = draw(kwargs) if by_kwargs else None
    return {
        "values": values,
        "partial": partial,
        "kwargs": given,
        "strict": draw(st.booleans()),
        "expand": expand,
        # What is beyond the length, or has none, the scheduler never asks for.
        "count": min(9, prod(_length(one, values) for one in ([given] if given else expand.values()))),
    }


def _length(given: list[Any], values: dict[str, Any]) -> int:
    how, *rest = given
    if how == "list":
        return len(rest)
    if how in ("value", "task"):
        value = values[rest[0]] if how == "task" else rest[0]
        return len(value) if isinstance(value, list | dict) else 0
    lengths = [_length(one, values) for one in rest if isinstance(one, list)]
    if how == "concat":
        return sum(lengths)
    return max(lengths) if how == "zip_longest" else min(lengths)
