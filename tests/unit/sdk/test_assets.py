from __future__ import annotations

import os

import pytest

from gnomon.sdk import DAG, Asset, AssetAlias, AssetAll, AssetAny, AssetWatcher, Metadata, asset
from gnomon.sdk.assets import Dataset, sanitize_uri
from gnomon.sdk.authoring import DagContext
from gnomon.sdk.standard.empty import EmptyOperator
from gnomon.sdk.trigger import BaseEventTrigger


def test_a_name_a_uri_or_both():
    assert (Asset("a").name, Asset("a").uri) == ("a", "a")
    assert (Asset(uri="s3://b/k").name, Asset(uri="s3://b/k").uri) == ("s3://b/k", "s3://b/k")
    both = Asset("a", "s3://b/k", group="g", extra={"x": 1})
    assert (both.name, both.uri, both.group, both.extra) == ("a", "s3://b/k", "g", {"x": 1})
    assert os.fspath(both) == "s3://b/k"
    assert both == Asset("a", "s3://b/k", group="g", extra={"x": 1})


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [
        ({}, TypeError), ({"name": " "}, ValueError), ({"name": 5}, ValueError),
        ({"name": "x" * 1501}, ValueError), ({"uri": "airflow://x"}, ValueError), ({"name": "context"}, ValueError),
    ],
)  # fmt: skip
def test_what_is_no_asset(kwargs, error):
    with pytest.raises(error):
        Asset(**kwargs)


def test_uris_are_compared_in_one_form():
    assert sanitize_uri("S3://bucket/key/") == "s3://bucket/key"
    assert sanitize_uri("http://h/p?b=2&a=1") == "http://h/p?a=1&b=2"
    assert sanitize_uri("no scheme") == "no scheme"
    assert sanitize_uri("s3://bucket#here") == "s3://bucket/"
    assert sanitize_uri("file:///Some/path/") == "file:///Some/path"
    assert sanitize_uri("ftp://me@h/ü") == "ftp://me@h/ü"
    assert sanitize_uri("x-mine://As It Is/") == "x-mine://As It Is/"
    with pytest.warns(UserWarning, match="password"):
        assert sanitize_uri("postgres://me:secret@h/db") == "postgres://h/db"


def test_conditions():
    a, b, c = Asset("a"), Asset("b"), Asset("c")

    assert (a & b & c).objects == [a, b, c]
    assert isinstance(a & b, AssetAll)
    assert (a | b | c).objects == [a, b, c]
    assert isinstance(a | b, AssetAny)
    assert [key.name for key, _ in ((a & b) | (b & c)).iter_assets()] == ["a", "b", "c"]
    assert [name for name, _ in (a | AssetAlias("x")).iter_asset_aliases()] == ["x"]
    with pytest.raises(TypeError):
        a & 5


def test_inlets_and_outlets_as_data(as_data):
    with DAG("d") as dag:
        EmptyOperator(task_id="t", inlets=[Asset("a")], outlets=Asset("b"))

    made = as_data(dag).tasks[0]

    assert made.inlets[0]["asset"]["name"] == "a"
    assert made.outlets[0]["asset"]["name"] == "b"
    assert not made.inline  # mistake 32: only without inlets and outlets


def test_references_are_by_name_or_uri():
    assert Asset.ref(name="a").as_expression() == {"ref": {"name": "a"}}
    with pytest.raises(TypeError):
        Asset.ref(name="a", uri="b")


def test_dataset_of_airflow_2():
    made = Dataset("s3://b/k", {"x": 1})

    assert (made.uri, made.extra) == ("s3://b/k", {"x": 1})
    assert isinstance(made, Asset)
    assert Dataset(uri="s3://b/k").uri == "s3://b/k"


def test_metadata_and_watchers():
    assert Metadata("s3://b/k", {"a": 1}).asset.uri == "s3://b/k"
    assert Metadata(Asset("a"), alias="x").alias == AssetAlias("x")
    with pytest.raises(ValueError, match="BaseEventTrigger"):
        AssetWatcher("w", "no trigger")


def make_one(self, context, outlet_events, source, known="here"):
    pass


def make_several():
    pass


def test_an_asset_function_is_a_dag_of_one_task(as_data, monkeypatch):
    monkeypatch.setattr(DagContext, "autoregistered_dags", set())
    monkeypatch.setattr(DagContext, "current_autoregister_module_name", __name__)

    made = asset(schedule="@daily", uri="s3://b/made")(make_one)
    asset.multi(outlets=[Asset("x"), Asset("y")], schedule=made, dag_id="several")(make_several)

    dags = {dag.dag_id: dag for dag, _ in DagContext.autoregistered_dags}
    assert isinstance(made, Asset)
    assert made.uri == "s3://b/made"
    task = as_data(dags["make_one"]).tasks[0]
    assert task.outlets[0]["asset"]["uri"] == "s3://b/made"
    assert task.inlets == [{"ref": {"name": "source"}}]
    assert len(as_data(dags["several"]).tasks[0].outlets) == 2
    assert as_data(dags["several"]).timetable.assets["asset"]["name"] == "make_one"


class EachMinute(BaseEventTrigger):
    def __init__(self, queue):
        super().__init__()
        self.queue = queue

    def serialize(self):
        return "some.where.EachMinute", {"queue": self.queue}

    async def run(self):
        yield None


def wild(*things):
    pass


@pytest.mark.parametrize(
    ("function", "message"),
    [(EachMinute.serialize, "nested function"), (wild, r"wildcard '\*things'")],
)
def test_what_cannot_be_an_asset_function(function, message):
    with pytest.raises((ValueError, TypeError), match=message):
        asset(schedule=None)(function)


def test_a_watcher_travels_with_its_asset():
    watched = Asset("a", watchers=[AssetWatcher("w", EachMinute(("x", 1)))])

    (data,) = watched.as_expression()["asset"]["watchers"]

    assert (data["name"], data["classpath"]) == ("w", "some.where.EachMinute")
    assert data["kwargs"]["queue"]["__data__"] == ["x", 1]


def test_a_watcher_whose_trigger_cannot_travel():
    watched = Asset("a", watchers=[AssetWatcher("w", EachMinute(object()))])

    with pytest.raises(ValueError, match=r"AssetWatcher 'w'.*no JSON form"):
        watched.as_expression()


def test_a_task_may_return_an_asset():
    from gnomon.sdk.runtime import values

    given = [Asset("a", "s3://b/a", extra={"n": 1}), AssetAlias("x", group="g")]

    assert values.decode(values.encode(given)) == given
