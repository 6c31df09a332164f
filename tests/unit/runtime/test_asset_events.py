"""What a task says about its outlets and learns of events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pendulum
import pytest

from gnomon.sdk.assets import Asset, AssetAlias, Metadata
from gnomon.sdk.runtime.asset_events import InletEventsAccessors, OutletEventAccessors, inactive_of
from gnomon.sdk.runtime.callbacks import call
from gnomon.sdk.runtime.values import NotSerializableError
from gnomon.wire import assets as ask_for
from gnomon.wire import execution as wire
from tests.unit.runtime.fakes import DATE, FakeChannel

Make = Callable[..., Any]

A, B = Asset("a", "s3://b/a", extra={"own": 1}), Asset("b")
KEY_A, KEY_B = {"name": "a", "uri": "s3://b/a"}, {"name": "b", "uri": "b"}


def event(number: int = 1, name: str = "a", *aliases: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "timestamp": DATE + number,
        "extra": {"n": number},
        "asset": {"name": name, "uri": f"s3://b/{name}", "group": "asset", "extra": {}},
        "source_dag_id": "d",
        "source_task_id": "t",
        "source_run_id": "r",
        "source_map_index": -1,
        "source_aliases": [{"name": alias} for alias in aliases],
        "partition_key": None,
        **fields,
    }


def answers(channel: FakeChannel, **found: Any) -> list[Any]:
    """Let requests of these kinds find this, and return what was asked."""
    asked: list[Any] = []

    def custom(request: Any) -> wire.Reply | None:
        name = type(request).__name__
        if name not in found:
            return None
        asked.append(request)
        return wire.Found(json.dumps(found[name]).encode())

    channel.custom = custom
    return asked


# -------------------------------------------------------------------------------------------------- outlets


def test_each_outlet_makes_an_event_with_what_was_said_of_it() -> None:
    outlets = [A, B, "no asset", A & B]
    events = OutletEventAccessors(outlets)
    events[A].extra["rows"] = 3
    events[Asset("elsewhere")].extra["lost"] = True

    assert list(events.events(outlets)) == [
        {"dest_asset_key": KEY_A, "extra": '{"rows":3}'},
        {"dest_asset_key": KEY_B},
    ]


def test_an_event_for_each_partition() -> None:
    events = OutletEventAccessors([A])
    events[A].add_partitions(["y", "x"])
    events[A].add_partitions("x")

    assert [entry["partition_key"] for entry in events.events([A])] == ["x", "y"]
    with pytest.raises(ValueError, match="empty"):
        events[A].add_partitions(" ")
    with pytest.raises(ValueError, match="at most 250"):
        events[A].add_partitions("x" * 251)
    with pytest.raises(TypeError, match="alias"):
        events[AssetAlias("al")].add_partitions("x")


def test_an_alias_makes_events_of_what_it_stands_for(channel: FakeChannel) -> None:
    answers(channel, GetAsset={"name": "b", "uri": "b", "group": "asset", "extra": {}})
    events = OutletEventAccessors([AssetAlias("al")])
    events[AssetAlias("al")].add(A, extra={"n": 1})
    events.for_asset_alias(name="al").add(Asset.ref(name="b"))
    events[A].add(B)  # an asset stands for itself

    assert list(events.events([AssetAlias("al"), AssetAlias("unused")])) == [
        {"source_alias_name": "al", "dest_asset_key": KEY_A, "dest_asset_extra": '{"own":1}', "extra": '{"n":1}'},
        {"source_alias_name": "al", "dest_asset_key": KEY_B, "dest_asset_extra": "{}", "extra": "{}"},
    ]
    assert list(events.events([])) == []


def test_a_reference_among_outlets_is_that_of_its_asset() -> None:
    outlets = [Asset.ref(uri="s3://b/a"), Asset.ref(name="b")]
    events = OutletEventAccessors(outlets)
    events[A].extra["n"] = 1

    assert list(events.events(outlets)) == [{"ref": {"uri": "s3://b/a"}, "extra": '{"n":1}'}, {"ref": {"name": "b"}}]


def test_outlets_by_name_and_uri() -> None:
    events = OutletEventAccessors([A])

    assert events["s3://b/a"] is events["a"] is events[A] is events.for_asset(name="a", uri="s3://b/a")
    assert events.for_asset(uri="s3://b/a") is events[A]
    assert (list(events), len(events)) == ([Asset("a", "s3://b/a")], 1)
    with pytest.raises(ValueError, match="cannot both be None"):
        events.for_asset()
    with pytest.raises(TypeError, match="either an asset or an asset alias"):
        events[5]


def test_an_extra_that_cannot_travel_fails_the_task() -> None:
    events = OutletEventAccessors([A])
    events[A].extra["open"] = object()

    with pytest.raises(NotSerializableError, match="open"):
        list(events.events([A]))


def test_metadata_that_a_hook_yields(make_ti: Make) -> None:
    context = make_ti(operator={"outlets": [A, AssetAlias("al")]}).get_template_context()

    def hook(context: Any) -> Any:
        yield Metadata(A, {"n": 1})
        yield Metadata(B, {"m": 2}, alias="al")
        return "done"

    assert call(hook, context, context) == "done"
    entries = list(context["outlet_events"].events([A, AssetAlias("al")]))
    assert entries[0]["extra"] == '{"n":1}'
    assert (entries[1]["source_alias_name"], entries[1]["extra"]) == ("al", '{"m":2}')


# --------------------------------------------------------------------------------------------------- events


def test_events_of_inlets_are_asked_for_when_they_are_looked_at(channel: FakeChannel) -> None:
    asked = answers(channel, GetAssetEvents=[event(1), event(2)])
    inlets = InletEventsAccessors([A, AssetAlias("al"), Asset.ref(name="b")])
    events = inlets[A]
    assert asked == []

    assert [one.extra["n"] for one in events] == [1, 2]
    assert (len(events), events[-1].extra, events[0].uri) == (2, {"n": 2}, "s3://b/a")
    assert events[0].timestamp == pendulum.datetime(2024, 3, 10).add(microseconds=1)
    assert len(asked) == 1
    events.after("2024-03-10T00:00:00Z").before(pendulum.datetime(2024, 3, 11)).ascending(False).limit(5)
    assert len(events) == 2
    last = asked[-1]
    assert (last.name, last.uri, last.after, last.ascending, last.limit) == ("a", "s3://b/a", DATE, False, 5)
    assert [type(one).__name__ for one in (list(inlets[1]), list(inlets[2]))] == ["list", "list"]
    assert (asked[-2].alias, asked[-1].name) == ("al", "b")
    assert len(list(inlets[B])) == 2  # through the reference to it
    assert (list(inlets), len(inlets)) == ([A, AssetAlias("al"), Asset.ref(name="b")], 3)


@pytest.mark.parametrize("key", [Asset("other"), AssetAlias("other"), Asset.ref(name="other"), "other"])
def test_what_is_no_inlet(key: Any) -> None:
    with pytest.raises(KeyError):
        InletEventsAccessors([A])[key]


def test_the_events_that_started_a_run(channel: FakeChannel, make_ti: Make) -> None:
    asked = answers(channel, GetConsumedEvents=[event(1), event(2, "a", "al")])
    run = {"run_type": "asset_triggered", "logical_date": None, "data_interval_start": None, "data_interval_end": None}
    context = make_ti(run=run).get_template_context()
    dict(context)  # whoever takes all of them asks nothing
    assert asked == []

    events = context["triggering_asset_events"]
    assert {of.name: [one.id for one in found] for of, found in events.items()} == {"a": [1, 2], "al": [2]}
    assert [one.id for one in events[Asset.ref(uri="s3://b/a")]] == [1, 2]
    assert [one.id for one in events.for_asset_alias(name="al")] == [2]
    assert len(asked) == 1
    with pytest.raises(KeyError):
        events[B]


def test_a_run_that_no_asset_started_asks_nothing(make_ti: Make) -> None:
    assert len(make_ti().get_template_context()["triggering_asset_events"]) == 0


def test_in_airflow_2_they_are_by_uri(channel: FakeChannel, make_ti: Make) -> None:
    answers(channel, GetConsumedEvents=[event(1)])
    context = make_ti(profile=2, run={"run_type": "asset_triggered"}).get_template_context()

    with pytest.warns(DeprecationWarning, match="triggering_asset_events"):
        (found,) = context["triggering_dataset_events"]["s3://b/a"]
    assert found.dataset.uri == "s3://b/a"


def test_where_an_event_comes_from(channel: FakeChannel, make_ti: Make) -> None:
    ti = make_ti(run={"run_type": "asset_triggered"})
    run = ti.dag_run._info
    channel.runs = [run]
    channel.xcoms["d", run.run_id, "t", -1, "return_value"] = wire.XComEntry("return_value", b'"made"')
    answers(channel, GetConsumedEvents=[event(1, source_run_id=run.run_id), event(2, source_dag_id=None)])

    first, second = ti.dag_run.consumed_asset_events
    assert first.source_dag_run.run_id == run.run_id
    assert first.source_task_instance.xcom_pull() == "made"
    assert first.source_task_instance.xcom_pull(key="other", default=5) == 5
    assert second.source_dag_run is second.source_task_instance is None


def test_which_inlets_and_outlets_are_not_active(channel: FakeChannel) -> None:
    asked = answers(channel, GetInactiveAssets=[["a", "s3://b/a"]])

    assert inactive_of([A, AssetAlias("al"), Asset.ref(name="x")]) == [("a", "s3://b/a")]
    assert inactive_of([AssetAlias("al")]) == []
    assert asked == [ask_for.GetInactiveAssets(keys=[("a", "s3://b/a")])]
