"""The running task instance: XComs (spec: mistake 33), names, and questions about what ran before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pendulum
import pytest

from gnomon.sdk.runtime import xcom
from gnomon.sdk.runtime.dag_run import DagRun
from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance
from gnomon.sdk.runtime.xcom import BaseXCom, LazyXComSequence, XComError, XComSizeError
from gnomon.sdk.types import NOTSET
from gnomon.wire import execution as wire
from gnomon.wire.identity import ti_number, ti_uuid
from tests.unit.runtime.fakes import DATE, DAY, FakeChannel, run_info

Make = Callable[..., RuntimeTaskInstance]
RUN = "scheduled__2024-03-10T00:00:00+00:00"


def put(channel: FakeChannel, task: str, value: bytes, *, key: str = "return_value", index: int = -1) -> None:
    channel.xcoms["d", RUN, task, index, key] = wire.XComEntry(key, value)


# ----------------------------------------------------------------------------- mistake 33, profile of Airflow 3


def test_3_one_task_gives_one_value(make_ti: Make, channel: FakeChannel) -> None:
    put(channel, "a", b"[1,2]")

    assert make_ti().xcom_pull("a") == [1, 2]
    assert make_ti().xcom_pull("missing") is None


def test_3_several_tasks_give_a_list_with_none_for_what_is_missing(make_ti: Make, channel: FakeChannel) -> None:
    put(channel, "a", b"1")
    put(channel, "c", b"3")

    assert make_ti().xcom_pull(["c", "b", "a"]) == [3, None, 1]
    assert make_ti().xcom_pull(["a"]) == [1]
    assert len(channel.log) == 2


def test_3_no_task_ids_means_the_task_itself(make_ti: Make, channel: FakeChannel) -> None:
    put(channel, "a", b"1")
    put(channel, "t", b"2", key="k")

    assert make_ti().xcom_pull(key="k") == 2
    assert make_ti().xcom_pull() is None


def test_3_default_counts_only_together_with_map_indexes(make_ti: Make, channel: FakeChannel) -> None:
    assert make_ti().xcom_pull("a", default=5) is None
    assert make_ti().xcom_pull("a", default=5, map_indexes=None) == 5
    assert make_ti().xcom_pull("a", default=5, map_indexes=[0, 1]) == [5, 5]
    assert make_ti().xcom_pull("a", default=NOTSET, map_indexes=0) is NOTSET


def test_3_a_mapped_task_gives_its_values_by_index(make_ti: Make, channel: FakeChannel) -> None:
    for index in (2, 0, 1):
        put(channel, "m", str(index * 10).encode(), index=index)

    assert make_ti().xcom_pull("m") == [0, 10, 20]
    assert make_ti().xcom_pull("m", map_indexes=1) == 10
    assert make_ti().xcom_pull("m", map_indexes=[2, 1]) == [20, 10]
    assert make_ti().xcom_pull(["m"], map_indexes=0) == [0]
    assert make_ti().xcom_pull("m", map_indexes=None) is None


def test_map_indexes_must_be_numbers(make_ti: Make, channel: FakeChannel) -> None:
    with pytest.raises(TypeError, match="map_indexes"):
        make_ti().xcom_pull("m", map_indexes=1.5)


# ----------------------------------------------------------------------------- mistake 33, profile of Airflow 2


def test_2_no_task_ids_means_the_last_value_of_any_task(make_ti: Make, channel: FakeChannel) -> None:
    put(channel, "a", b"1")
    put(channel, "b", b"2")

    assert make_ti(profile=2).xcom_pull() == 2
    assert make_ti(profile=2).xcom_pull(key="nothing", default=9) == 9


def test_2_lists_hold_only_what_was_found(make_ti: Make, channel: FakeChannel) -> None:
    put(channel, "a", b"1")

    assert make_ti(profile=2).xcom_pull(["b", "a"]) == [1]


def test_2_default_always_counts_for_one_task(make_ti: Make, channel: FakeChannel) -> None:
    assert make_ti(profile=2).xcom_pull("a", default=5) == 5


def test_2_a_mapped_task_gives_its_values(make_ti: Make, channel: FakeChannel) -> None:
    for index in (0, 1):
        put(channel, "m", str(index).encode(), index=index)

    assert make_ti(profile=2).xcom_pull("m") == [0, 1]
    assert make_ti(profile=2).xcom_pull("m", map_indexes=1) == 1
    assert make_ti(profile=2).xcom_pull("m", map_indexes=[1, 0]) == [0, 1]


def test_prior_dates_other_dags_and_runs_are_passed_on(make_ti: Make, channel: FakeChannel) -> None:
    make_ti().xcom_pull("a", dag_id="other", run_id="r", include_prior_dates=True, key="k")

    assert channel.log == [wire.GetXComs(dag_id="other", run_id="r", task_ids=["a"], key="k", include_prior_dates=True)]


# ------------------------------------------------------------------------------------------------- pushing


def test_what_is_pushed_is_there_at_once(make_ti: Make, channel: FakeChannel) -> None:
    ti = make_ti()
    ti.xcom_push("k", {"a": (1, 2)})

    assert ti.xcom_pull("t", key="k") == {"a": (1, 2)}
    assert channel.said(wire.PutXCom)[0].task_id == "t"


def test_coroutines_push_and_pull(make_ti: Make, channel: FakeChannel) -> None:
    ti = make_ti()

    async def main() -> Any:
        await ti.axcom_push("k", 1)
        return await ti.axcom_pull(key="k")

    assert asyncio.run(main()) == 1


def test_a_value_without_json_form_is_refused_with_task_key_and_place(make_ti: Make, channel: FakeChannel) -> None:
    with pytest.raises(XComError, match=r"task t cannot push the XCom 'k': value\['a'\]\[1\]: a builtins.bytes has no"):
        make_ti().xcom_push("k", {"a": [1, b"x"]})
    with pytest.raises(XComError, match="must be a string, not 5"):
        make_ti().xcom_push(5, 1)  # type: ignore[arg-type]
    assert channel.log == []


def test_a_value_above_the_limit_is_refused(
    make_ti: Make, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_XCOM_SIZE", "10")
    make_ti().xcom_push("small", "12345678")

    with pytest.raises(XComSizeError, match=r"has 11 bytes, and \[core\] max_xcom_size allows 10"):
        make_ti().xcom_push("large", "123456789")


def test_a_refusal_of_the_control_side_is_an_error(make_ti: Make, channel: FakeChannel) -> None:
    channel.custom = lambda request: wire.Problem("forbidden", "not yours")

    with pytest.raises(XComError, match="not yours"):
        make_ti().xcom_push("k", 1)


# ------------------------------------------------------------------------------------------ custom backend


class Elsewhere(BaseXCom):
    """Keeps values in a dict, and passes a reference on."""

    kept: dict[str, Any] = {}

    @staticmethod
    def serialize_value(value: Any, *, key: Any = None, task_id: Any = None) -> Any:  # type: ignore[override]
        Elsewhere.kept[key] = value
        return BaseXCom.serialize_value(f"kept://{task_id}/{key}")

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        reference = BaseXCom.deserialize_value(result)
        return Elsewhere.kept[reference.rpartition("/")[2]]

    @staticmethod
    def purge(xcom: Any, *args: Any) -> None:
        Elsewhere.kept.pop(xcom.key, None)


@pytest.fixture
def custom_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    Elsewhere.kept.clear()
    monkeypatch.setattr(xcom, "_backend", Elsewhere)


@pytest.mark.usefixtures("custom_backend")
def test_a_custom_backend_keeps_values_elsewhere(make_ti: Make, channel: FakeChannel) -> None:
    ti = make_ti()
    ti.xcom_push("k", object)

    assert channel.xcoms["d", RUN, "t", -1, "k"].value == b'"kept://t/k"'
    assert ti.xcom_pull("t", key="k") is object
    assert Elsewhere.get_one(key="k", dag_id="d", task_id="t", run_id=RUN) is object


@pytest.mark.usefixtures("custom_backend")
def test_a_custom_backend_purges_what_is_deleted(make_ti: Make, channel: FakeChannel) -> None:
    make_ti().xcom_push("k", 1)
    Elsewhere.delete(key=None, dag_id="d", task_id="t", run_id=RUN)

    assert (Elsewhere.kept, channel.xcoms) == ({}, {})


def test_the_setting_names_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__XCOM_BACKEND", "airflow.models.xcom.BaseXCom")
    assert xcom._configured_backend() is BaseXCom

    monkeypatch.setenv("AIRFLOW__CORE__XCOM_BACKEND", "collections.OrderedDict")
    with pytest.raises(TypeError, match="does not extend BaseXCom"):
        xcom.backend()


# -------------------------------------------------------------------------------------------- lazy sequence


class Ref:
    """What LazyXComSequence needs of an XComArg."""

    class operator:
        task_id = "m"

    key = "return_value"


def test_a_lazy_sequence_fetches_in_chunks_and_only_what_is_read(make_ti: Make, channel: FakeChannel) -> None:
    for index in range(250):
        put(channel, "m", str(index).encode(), index=index)
    sequence = LazyXComSequence(Ref, make_ti())

    assert channel.log == []
    assert sequence[120] == 120
    assert [(ask.start, ask.stop) for ask in channel.said(wire.GetXComs)] == [(100, 200)]
    assert len(sequence) == 250
    assert list(sequence) == list(range(250)) == sequence
    assert (sequence[-1], sequence[1:3]) == (249, [1, 2])
    assert xcom.mappable_length(sequence) == 250
    with pytest.raises(IndexError):
        sequence[250]


# --------------------------------------------------------------------------------------- names and questions


def test_its_id_is_a_uuid_made_from_the_number_and_back(make_ti: Make) -> None:
    ti = make_ti()

    assert ti.id == ti_uuid(42)
    assert ti_number(str(ti.id)) == 42
    assert ti.id.version == 8
    assert ti_number("00000000-0000-4000-8000-000000000001") is None


def test_links_to_the_ui(make_ti: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.org/")
    quoted = "scheduled__2024-03-10T00%3A00%3A00%2B00%3A00"

    assert make_ti().log_url == f"https://example.org/dags/d/runs/{quoted}/tasks/t?try_number=1"
    assert "/tasks/t/mapped/3?" in make_ti(map_index=3).mark_success_url


def test_its_key_names_the_try(make_ti: Make) -> None:
    key = make_ti(try_number=2, map_index=4).key

    assert tuple(key) == ("d", "t", RUN, 2, 4)
    assert key.primary == ("d", "t", RUN, 4)
    assert key.reduced.try_number == 1


def test_sensors_time_out_from_the_first_piece_of_the_try(make_ti: Make) -> None:
    assert make_ti(first_start=DATE).get_first_reschedule_date() is None
    assert make_ti(first_start=DATE, reschedules=2).get_first_reschedule_date() == pendulum.datetime(2024, 3, 10)


def test_questions_about_what_ran_before(make_ti: Make, channel: FakeChannel) -> None:
    channel.runs = [run_info(run_id="before", logical_date=DATE - DAY, state="failed")]
    channel.states = {RUN: {"a": "success", "m_0": "failed"}}
    answer = wire.Found(b'{"task_id": "t", "state": "success", "start_date": %d, "end_date": null}' % DATE)
    channel.custom = lambda request: answer if type(request) is wire.GetPreviousTaskInstance else None
    ti = make_ti()

    assert ti.get_previous_dagrun().run_id == "before"  # type: ignore[union-attr]
    assert ti.get_previous_dagrun(state="success") is None
    assert ti.get_previous_ti().start_date == pendulum.datetime(2024, 3, 10)  # type: ignore[union-attr]
    assert ti.previous_ti_success.state == "success"  # type: ignore[union-attr]
    assert RuntimeTaskInstance.get_ti_count("d", states=["success"]) == 3
    assert RuntimeTaskInstance.get_dr_count("d", logical_dates=[pendulum.datetime(2024, 3, 10)]) == 2
    assert channel.said(wire.CountDagRuns)[0].logical_dates == [DATE]
    assert RuntimeTaskInstance.get_dagrun_state("d", "before") == "failed"
    assert RuntimeTaskInstance.get_task_states("d") == channel.states
    with pytest.raises(ValueError, match="no run 'gone'"):
        RuntimeTaskInstance.get_dagrun_state("d", "gone")


def test_a_run_knows_its_task_instances(channel: FakeChannel) -> None:
    channel.states = {RUN: {"a": "success", "m_0": "failed", "m_1": None}}
    run = DagRun(run_info())

    assert run.get_task_instance("a").state == "success"  # type: ignore[union-attr]
    assert run.get_task_instance("m", map_index=0).state == "failed"  # type: ignore[union-attr]
    assert run.get_task_instance("nothing") is None
    assert [(ti.task_id, ti.map_index) for ti in run.get_task_instances()] == [("a", -1), ("m", 0), ("m", 1)]
    assert [ti.task_id for ti in run.get_task_instances(state="failed")] == ["m"]


def test_a_run_without_dates(channel: FakeChannel) -> None:
    run = DagRun(run_info(logical_date=None, data_interval_start=None, data_interval_end=None, conf=b"null"))

    assert (run.logical_date, run.execution_date, run.data_interval_end) == (None, None, None)
    assert run.conf == {}
    assert run.run_after == pendulum.datetime(2024, 3, 11)
