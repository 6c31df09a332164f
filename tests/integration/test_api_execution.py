"""What user code asks, answered from real databases."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from gnomon.api.execution import Handlers
from gnomon.store.engine import Store
from gnomon.store.records import Connection
from gnomon.store.types import to_micros
from gnomon.wire import execution as wire
from tests.fixtures.api_data import DAY, NOW, add_dag, add_run, add_ti, tea
from tests.fixtures.loops import within

KEY = wire.TryKey(1, 1)  # boil of run r1


@pytest.fixture
def handlers(kettle: Store) -> Handlers:
    return Handlers(kettle)


def push(handlers: Handlers, task_id: str, value: Any, **options: Any) -> wire.Reply:
    place = {"dag_id": "tea", "run_id": "r1", "map_index": -1, "key": "return_value", "caller": KEY, **options}
    entry = wire.XComEntry(place.pop("key"), msgspec.json.encode(value))
    return handlers.handle(place.pop("caller"), wire.PutXCom(task_id=task_id, entry=entry, **place))


def pull(handlers: Handlers, **ask: Any) -> list[Any]:
    reply = handlers.handle(KEY, wire.GetXComs(**{"dag_id": "tea", "run_id": "r1", **ask}))
    assert isinstance(reply, wire.XComValues), reply
    return [json.loads(one.value) for one in reply.values]


def found(reply: wire.Reply) -> Any:
    assert isinstance(reply, wire.Found), reply
    return msgspec.json.decode(reply.value)


def problem(reply: wire.Reply) -> str:
    assert isinstance(reply, wire.Problem), reply
    assert "Traceback" not in reply.message
    return reply.code


def test_variables(handlers: Handlers) -> None:
    assert problem(handlers.handle(KEY, wire.GetVariable("cup"))) == "not_found"
    assert handlers.handle(KEY, wire.PutVariable("cup", "blue")) == wire.Done()
    assert handlers.handle(None, wire.GetVariable("cup")) == wire.VariableFound("cup", "blue")
    handlers.handle(KEY, wire.PutVariable("cube", "1"))
    assert found(handlers.handle(KEY, wire.GetVariableKeys("cu"))) == ["cube", "cup"]
    assert handlers.handle(KEY, wire.DeleteVariable("cup")) == wire.Done()
    assert (
        handlers.handle(KEY, wire.DeleteVariable("cup")) == wire.Done()
    )  # as in Airflow, one that is not there is no error


def test_a_variable_that_cannot_be_stored_is_invalid(handlers: Handlers) -> None:
    assert problem(handlers.handle(KEY, wire.PutVariable("k" * 300, "x"))) == "invalid"


def test_a_connection_comes_decrypted(handlers: Handlers, kettle: Store) -> None:
    kettle.connections.add(Connection(conn_id="pot", conn_type="http", password="steam", schema="s", port=80))
    assert handlers.handle(KEY, wire.GetConnection("pot")) == wire.ConnectionFound(
        conn_id="pot", conn_type="http", password="steam", schema="s", port=80
    )
    assert problem(handlers.handle(KEY, wire.GetConnection("pan"))) == "not_found"


def test_an_xcom_is_replaced_read_and_deleted(handlers: Handlers) -> None:
    assert push(handlers, "boil", {"c": 99}) == wire.Done()
    assert push(handlers, "boil", {"c": 100}) == wire.Done()
    ask = wire.GetXCom(dag_id="tea", run_id="r1", task_id="boil")
    assert handlers.handle(KEY, ask) == wire.XComValues([wire.XComValue("boil", -1, "return_value", b'{"c":100}')], 1)
    push(handlers, "boil", 1, key="other")
    handlers.handle(KEY, wire.DeleteXComs(dag_id="tea", run_id="r1", task_id="boil", key="return_value"))
    assert handlers.handle(KEY, ask) == wire.XComValues([], 0)
    assert pull(handlers, key=None) == [1]
    handlers.handle(KEY, wire.DeleteXComs(dag_id="tea", run_id="r1", task_id="boil"))
    assert pull(handlers, key=None) == []


def test_mapped_xcoms_come_in_order_and_in_slices(handlers: Handlers) -> None:
    for index in (2, 0, 1):
        push(handlers, "kitchen.pour", index * 10, map_index=index)
    push(handlers, "boil", "b")
    assert pull(handlers, task_ids=["kitchen.pour"]) == [0, 10, 20]
    assert pull(handlers, task_ids=["kitchen.pour", "boil"]) == [0, 10, 20, "b"]
    assert pull(handlers, task_ids=["boil", "kitchen.pour"]) == ["b", 0, 10, 20]
    assert pull(handlers, task_ids=["kitchen.pour"], map_indexes=[2, 0]) == [0, 20]
    for start, stop in ((1, None), (None, 2), (-2, None), (None, -1), (5, 9), (1, 2)):
        assert pull(handlers, task_ids=["kitchen.pour"], start=start, stop=stop) == [0, 10, 20][start:stop]
    reply = handlers.handle(KEY, wire.GetXComs(dag_id="tea", run_id="r1", task_ids=["kitchen.pour"], count_only=True))
    assert reply == wire.XComValues([], 3)


def test_prior_dates_reach_back_but_not_ahead(handlers: Handlers, kettle: Store) -> None:
    second = wire.TryKey(6, 1)
    push(handlers, "boil", "old")
    ask = wire.GetXCom(dag_id="tea", run_id="r2", task_id="boil", include_prior_dates=True)
    reply = handlers.handle(second, ask)
    assert isinstance(reply, wire.XComValues)
    assert [one.value for one in reply.values] == [b'"old"']
    push(handlers, "boil", "new", run_id="r2", caller=second)
    assert pull(handlers, run_id="r1", task_ids=["boil"], include_prior_dates=True) == ["old"]
    assert pull(handlers, run_id="r3", task_ids=["boil"], include_prior_dates=True) == ["new"]


def test_prior_dates_of_another_dag_are_counted_from_the_callers_run(handlers: Handlers, kettle: Store) -> None:
    add_dag(kettle, tea("coffee"))
    for day, run_id in ((-1, "c1"), (0, "c2"), (1, "c3")):
        run = add_run(kettle, "coffee", run_id, day=day)
        ti = add_ti(kettle, run, "boil")
        push(handlers, "boil", run_id, dag_id="coffee", run_id=run_id, caller=wire.TryKey(ti, 1))
    assert pull(handlers, dag_id="coffee", task_ids=["boil"], include_prior_dates=True) == ["c2"]


def test_a_task_writes_only_into_its_own_run_and_only_while_it_is_current(handlers: Handlers) -> None:
    assert problem(push(handlers, "boil", 1, run_id="r2")) == "forbidden"
    assert problem(push(handlers, "boil", 1, caller=wire.TryKey(1, 0))) == "forbidden"
    assert problem(push(handlers, "boil", 1, caller=wire.TryKey(99, 1))) == "forbidden"
    assert problem(push(handlers, "boil", 1, caller=None)) == "forbidden"
    assert pull(handlers, key=None) == []


def test_an_xcom_above_the_limit_is_refused_with_both_sizes(kettle: Store) -> None:
    handlers = Handlers(kettle, max_xcom_bytes=10)
    reply = push(handlers, "boil", "x" * 20)
    assert isinstance(reply, wire.Problem)
    assert "22 bytes" in reply.message
    assert "allows 10" in reply.message
    assert push(handlers, "boil", "x") == wire.Done()


def test_rendered_fields_are_kept(handlers: Handlers, kettle: Store) -> None:
    assert handlers.handle(KEY, wire.PutRenderedFields(fields=b'{"a": 1}', map_index_label="cup")) == wire.Done()
    assert kettle.task_instances.rendered_fields(1) == b'{"a": 1}'


def run_of(reply: wire.Reply) -> wire.RunInfo | None:
    assert isinstance(reply, wire.RunFound), reply
    # As it comes at the other end: what cannot be read back there ends the worker's connection.
    back = msgspec.msgpack.decode(msgspec.msgpack.encode(reply), type=wire.Reply)
    assert back == reply
    return reply.run


def run_id_of(handlers: Handlers, **ask: Any) -> str | None:
    info = run_of(handlers.handle(KEY, wire.GetDagRun(dag_id="tea", **ask)))
    return None if info is None else info.run_id


def test_runs_are_found_by_id_date_state_and_as_previous(handlers: Handlers) -> None:
    tomorrow = to_micros(NOW + DAY)
    assert run_id_of(handlers, run_id="r2") == "r2"
    assert run_id_of(handlers, run_id="r2", state="success") is None
    assert run_id_of(handlers, logical_date=tomorrow) == "r2"
    assert run_id_of(handlers, logical_date=tomorrow, previous=True) == "r1"
    assert run_id_of(handlers, logical_date=tomorrow + 1, previous=True, state="success") == "r1"
    assert run_id_of(handlers, run_id="r3", previous=True) == "r2"
    assert run_id_of(handlers, state="running") == "r2"
    assert run_id_of(handlers) == "r3"
    assert run_id_of(handlers, run_id="nope") is None


def test_a_run_is_told_in_full(handlers: Handlers) -> None:
    info = run_of(handlers.handle(None, wire.GetDagRun(dag_id="tea", run_id="r1")))
    assert info is not None
    assert (info.logical_date, info.state, info.conf) == (to_micros(NOW), "success", b"{}")


def test_counting_runs_and_task_instances(handlers: Handlers) -> None:
    assert found(handlers.handle(KEY, wire.CountDagRuns(dag_id="tea"))) == 3
    assert found(handlers.handle(KEY, wire.CountDagRuns(dag_id="tea", states=["success", "queued"]))) == 2
    assert found(handlers.handle(KEY, wire.CountDagRuns(dag_id="tea", logical_dates=[to_micros(NOW)]))) == 1
    count = wire.CountTaskInstances
    assert found(handlers.handle(KEY, count(dag_id="tea"))) == 7
    assert found(handlers.handle(KEY, count(dag_id="tea", group_id="kitchen"))) == 3
    assert found(handlers.handle(KEY, count(dag_id="tea", group_id="kitchen", map_index=1))) == 1
    assert found(handlers.handle(KEY, count(dag_id="tea", states=["null", "failed"]))) == 2
    assert problem(handlers.handle(KEY, count(dag_id="tea", group_id="garden"))) == "not_found"
    assert problem(handlers.handle(KEY, count(dag_id="milk", group_id="kitchen"))) == "not_found"


def test_task_states_by_run(handlers: Handlers) -> None:
    assert found(handlers.handle(KEY, wire.GetTaskStates(dag_id="tea", run_ids=["r1"]))) == {
        "r1": {
            "boil": "success",
            "kitchen.pour_0": "success",
            "kitchen.pour_1": "success",
            "kitchen.pour_2": "success",
            "drink": "failed",
        }
    }
    assert found(handlers.handle(KEY, wire.GetTaskStates(dag_id="tea", task_ids=["drink"]))) == {
        "r1": {"drink": "failed"},
        "r2": {"drink": None},
    }


def test_the_same_task_in_an_earlier_run(handlers: Handlers) -> None:
    ask = wire.GetPreviousTaskInstance
    earlier = found(handlers.handle(KEY, ask(dag_id="tea", task_id="drink", logical_date=to_micros(NOW + DAY))))
    assert (earlier["run_id"], earlier["state"], earlier["start_date"]) == ("r1", "failed", to_micros(NOW))
    assert found(handlers.handle(KEY, ask(dag_id="tea", task_id="drink", logical_date=to_micros(NOW)))) is None
    assert found(handlers.handle(KEY, ask(dag_id="tea", task_id="drink", state="failed")))["run_id"] == "r1"
    assert found(handlers.handle(KEY, ask(dag_id="tea", task_id="drink")))["run_id"] == "r2"


def test_triggering_a_run_creates_it_and_rings_the_bell(handlers: Handlers, kettle: Store) -> None:
    async def ring() -> str:
        heard = asyncio.get_running_loop().create_future()
        subscription = kettle.notifier.subscribe(asyncio.get_running_loop(), ["run"], heard.set_result)
        ask = wire.TriggerRun(dag_id="tea", run_id="mine", conf=b'{"cups": 3}', logical_date=to_micros(NOW + 9 * DAY))
        assert await asyncio.to_thread(handlers.handle, KEY, ask) == wire.Done()
        notice = await within(10, heard)
        subscription.close()
        return str(notice.payload)

    number = asyncio.run(ring())
    run = kettle.runs.by_run_id("tea", "mine")
    assert run is not None
    assert (str(run.id), run.state, run.run_type) == (number, "queued", "operator_triggered")
    assert (run.conf, run.triggered_by, run.logical_date) == ('{"cups":3}', "operator", NOW + 9 * DAY)


def test_triggering_what_cannot_be(handlers: Handlers, kettle: Store) -> None:
    ask = wire.TriggerRun
    assert problem(handlers.handle(KEY, ask(dag_id="milk"))) == "not_found"
    assert problem(handlers.handle(KEY, ask(dag_id="tea", run_id="r1"))) == "exists"
    assert problem(handlers.handle(KEY, ask(dag_id="tea", logical_date=to_micros(NOW)))) == "exists"
    assert problem(handlers.handle(KEY, ask(dag_id="tea", conf=b"[1]"))) == "invalid"
    assert problem(handlers.handle(KEY, ask(dag_id="tea", conf=b'{"cups": 0}'))) == "invalid"
    assert problem(handlers.handle(KEY, ask(dag_id="tea", run_type="odd"))) == "invalid"
    add_dag(kettle, tea("coffee", allowed_run_types=["scheduled"]))
    assert problem(handlers.handle(KEY, ask(dag_id="coffee"))) == "invalid"


@pytest.mark.parametrize("ask", [{"run_id": "r1"}, {"logical_date": to_micros(NOW)}])
def test_reset_clears_the_run_that_is_there(handlers: Handlers, kettle: Store, ask: dict[str, Any]) -> None:
    assert handlers.handle(KEY, wire.TriggerRun(dag_id="tea", reset=True, **ask)) == wire.Done()
    run = kettle.runs.by_run_id("tea", "r1")
    assert run is not None
    assert (run.state, run.clear_number) == ("queued", 1)


def test_a_run_of_the_same_date_and_another_name_is_cleared_as_airflow_2_does(handlers, kettle, monkeypatch) -> None:
    ask = wire.TriggerRun(dag_id="tea", reset=True, run_id="other", logical_date=to_micros(NOW))
    reply = handlers.handle(KEY, ask)
    assert problem(reply) == "not_found"
    assert "the one of this logical date is 'r1'" in reply.message
    assert kettle.runs.by_run_id("tea", "r1").clear_number == 0
    monkeypatch.setenv("AIRFLOW__CORE__COMPAT", "2")
    assert handlers.handle(KEY, ask) == wire.Done()
    assert kettle.runs.by_run_id("tea", "r1").clear_number == 1


def test_dag_info_and_pausing(handlers: Handlers, kettle: Store) -> None:
    info = found(handlers.handle(None, wire.GetDagInfo("tea")))
    assert (info["is_paused"], info["tags"], info["fileloc"]) == (False, ["hot", "leaf"], "/dags/tea.py")
    assert handlers.handle(KEY, wire.SetDagPaused("tea", True)) == wire.Done()
    assert kettle.dags.get("tea").is_paused  # type: ignore[union-attr]
    assert problem(handlers.handle(KEY, wire.SetDagPaused("milk", True))) == "not_found"
    assert problem(handlers.handle(KEY, wire.GetDagInfo("milk"))) == "not_found"


def test_secrets_are_masked(handlers: Handlers) -> None:
    from gnomon.service.masking import masker

    assert handlers.handle(KEY, wire.MaskSecret("open-sesame")) == wire.Done()
    assert masker.redact("say open-sesame") == "say ***"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_database_that_is_gone_is_a_problem_and_no_crash(handlers: Handlers, kettle: Store) -> None:
    import os

    kettle.database.close()
    os.unlink(kettle.database.url.database or "")
    assert problem(handlers.handle(KEY, wire.GetVariable("x"))) in ("unavailable", "invalid")
