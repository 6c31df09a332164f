from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.store.engine import Store
from gnomon.store.errors import Invalid, RunNotFound
from gnomon.store.parses import Recorded
from gnomon.store.reads.xcoms import decoded
from gnomon.store.records import Run
from gnomon.wire.execution import XComEntry

from .conftest import NOW, later


def put(store: Store, run_id: str, task_id: str, value: object, key: str = "return_value", index: int = -1) -> None:
    store.xcoms.put("a", run_id, task_id, XComEntry(key, json.dumps(value).encode()), NOW, index)


def pull(store: Store, run_id: str = "r1", **fields: object) -> list[tuple[str, int, str, object]]:
    found = store.xcoms.get_many("a", run_id, **fields)  # type: ignore[arg-type]
    return [(x.task_id, x.map_index, x.key, json.loads(x.value)) for x in found]


def test_a_value_comes_back_and_is_replaced(store: Store, a_run: Callable[..., Run]) -> None:
    a_run()
    store.xcoms.put("a", "r1", "t", XComEntry("k", b"[1, 2]", 2), NOW)

    assert store.xcoms.get("a", "r1", "t", "k") == b"[1, 2]"
    assert store.xcoms.list("a", "r1", "t") == [XComEntry("k", b"[1, 2]", 2)]
    put(store, "r1", "t", None, "k")
    assert store.xcoms.list("a", "r1", "t") == [XComEntry("k", b"null", None)]
    assert store.xcoms.get("a", "r1", "t", "other") is None
    assert store.xcoms.get("a", "r1", "t", "k", 0) is None
    assert store.xcoms.get("a", "r2", "t", "k") is None


def test_what_cannot_be_written_is_refused(store: Store, a_run: Callable[..., Run]) -> None:
    a_run()

    with pytest.raises(RunNotFound):
        store.xcoms.put("a", "gone", "t", XComEntry("k", b"1"), NOW)
    with pytest.raises(Invalid, match="key"):
        store.xcoms.put("a", "r1", "t", XComEntry("k" * 513, b"1"), NOW)
    with pytest.raises(Invalid, match="JSON"):
        store.xcoms.put("a", "r1", "t", XComEntry("k", b"\xff"), NOW)


def test_many_come_in_the_order_asked_for(store: Store, a_run: Callable[..., Run]) -> None:
    a_run()
    for index in (2, 0, 1):
        put(store, "r1", "m", index, index=index)
    put(store, "r1", "t", "x")
    put(store, "r1", "t", "y", "extra")

    mapped = [("m", index, "return_value", index) for index in range(3)]
    single = [("t", -1, "return_value", "x")]
    assert pull(store) == mapped + single
    assert pull(store, task_ids=["t", "m"]) == single + mapped
    assert pull(store, task_ids=["m"], map_indexes=[0, 2]) == [mapped[0], mapped[2]]
    assert pull(store, task_ids=["t"], key=None) == [("t", -1, "extra", "y"), *single]
    assert pull(store, task_ids=[]) == []
    assert store.xcoms.count("a", "r1", task_ids=["m"]) == 3


@pytest.mark.parametrize("span", [(None, None), (1, None), (None, 2), (1, 2), (-1, None), (None, -1), (-2, -1), (5, 2)])
def test_slices_are_those_of_a_list(
    store: Store, a_run: Callable[..., Run], span: tuple[int | None, int | None]
) -> None:
    a_run()
    for index in range(4):
        put(store, "r1", "m", index, index=index)

    found = pull(store, task_ids=["m"], start=span[0], stop=span[1])

    assert [value for *_, value in found] == list(range(4))[span[0] : span[1]]


def test_mistake_33_prior_dates_reach_back_by_logical_date_or_run_after(
    store: Store, a_dag: Callable[..., Recorded]
) -> None:
    a_dag("a")
    for run_id, seconds, dated in (("r1", 0, True), ("r2", 10, False), ("r3", 20, True), ("r4", 30, True)):
        moment = later(seconds)
        store.runs.create("a", run_id, now=NOW, run_after=moment, logical_date=moment if dated else None)
    put(store, "r1", "t", "first")
    put(store, "r2", "t", "second")
    put(store, "r1", "u", "only")
    put(store, "r4", "t", "too late")

    assert store.xcoms.get("a", "r3", "t") is None
    assert store.xcoms.get("a", "r3", "t", include_prior_dates=True) == b'"second"'
    assert store.xcoms.get("a", "r2", "t", include_prior_dates=True) == b'"second"'
    assert store.xcoms.get("a", "r1", "t", include_prior_dates=True) == b'"first"'
    found = pull(store, "r3", task_ids=["u", "t"], include_prior_dates=True)
    assert [value for *_, value in found] == ["only", "second"]
    assert store.xcoms.count("a", "r3", include_prior_dates=True) == 2


def test_deleting_one_key_or_all(store: Store, a_run: Callable[..., Run]) -> None:
    a_run()
    for key in ("a", "b", "c"):
        put(store, "r1", "t", 1, key)
    put(store, "r1", "u", 1, "a")

    assert store.xcoms.delete("a", "r1", "t", key="a") == 1
    assert store.xcoms.delete("a", "r1", "t") == 2
    assert [x.key for x in store.xcoms.list("a", "r1", "u")] == ["a"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_json)
def test_any_json_comes_back_byte_for_byte(store: Store, value: object) -> None:
    if store.dags.get("a") is None:
        from .conftest import parse, serialized

        store.dags.record_parse(parse(serialized("a")), NOW)
        store.runs.create("a", "r1", now=NOW, run_after=NOW)
    data = json.dumps(value).encode()

    store.xcoms.put("a", "r1", "t", XComEntry("k", data), NOW)

    assert store.xcoms.get("a", "r1", "t", "k") == data


def test_half_a_surrogate_pair_can_be_shown() -> None:
    assert decoded('{"file": "\\udce4"}') == {"file": "?"}
