"""The context: forty entries, worked out when asked for (spec: context keys; mistakes 6 and 36)."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import jinja2
import pendulum
import pytest

from gnomon.sdk.exceptions import ParamValidationError
from gnomon.sdk.params import Param
from gnomon.sdk.runtime import current, values
from gnomon.sdk.runtime.accessors import Lazy
from gnomon.sdk.runtime.context import KNOWN_CONTEXT_KEYS, REMOVED, Context, RemovedContextKeyError
from gnomon.wire import execution as wire
from tests.unit.runtime.fakes import DATE, DAY, FakeChannel, run_info

Make = Callable[..., Any]

#: The keys of the 3.3 context; `exception`, `reason` and `templates_dict` are set by callbacks and operators.
KEYS_OF_3 = {
    "conn",
    "dag",
    "dag_run",
    "data_interval_end",
    "data_interval_start",
    "ds",
    "ds_nodash",
    "expanded_ti_count",
    "inlet_events",
    "inlets",
    "logical_date",
    "macros",
    "map_index_template",
    "outlet_events",
    "outlets",
    "params",
    "partition_date",
    "partition_key",
    "prev_data_interval_end_success",
    "prev_data_interval_start_success",
    "prev_end_date_success",
    "prev_start_date_success",
    "run_id",
    "task",
    "task_instance",
    "task_instance_key_str",
    "task_reschedule_count",
    "task_state_store",
    "asset_state_store",
    "test_mode",
    "ti",
    "triggering_asset_events",
    "try_number",
    "ts",
    "ts_nodash",
    "ts_nodash_with_tz",
    "var",
}
WITH_LOGICAL_DATE = {
    "data_interval_end",
    "data_interval_start",
    "ds",
    "ds_nodash",
    "logical_date",
    "prev_data_interval_end_success",
    "prev_data_interval_start_success",
    "ts",
    "ts_nodash",
    "ts_nodash_with_tz",
}


def test_all_forty_keys_are_known(make_ti: Make) -> None:
    assert KEYS_OF_3 | {"exception", "reason", "templates_dict"} == KNOWN_CONTEXT_KEYS
    assert len(KNOWN_CONTEXT_KEYS) == 40
    assert set(make_ti().get_template_context()) == KEYS_OF_3


def test_dates_of_a_scheduled_run(make_ti: Make) -> None:
    context = make_ti().get_template_context()

    expected = {
        "ds": "2024-03-10",
        "ds_nodash": "20240310",
        "ts": "2024-03-10T00:00:00+00:00",
        "ts_nodash": "20240310T000000",
        "ts_nodash_with_tz": "20240310T000000+0000",
        "task_instance_key_str": "d__t__20240310",
        "run_id": "scheduled__2024-03-10T00:00:00+00:00",
    }
    assert {key: context[key] for key in expected} == expected
    assert context["logical_date"] == pendulum.datetime(2024, 3, 10)
    assert isinstance(context["data_interval_end"], pendulum.DateTime)


def test_mistake_6_without_a_logical_date_the_keys_that_need_it_are_missing(make_ti: Make) -> None:
    context = make_ti(run={"logical_date": None, "data_interval_start": None, "data_interval_end": None})
    context = context.get_template_context()

    assert set(context) == KEYS_OF_3 - WITH_LOGICAL_DATE
    assert context["task_instance_key_str"] == "d__t__scheduled__2024-03-10T00:00:00+00:00"
    with pytest.raises(KeyError):
        context["ds"]


def test_mistake_6_a_strict_template_fails_without_a_logical_date(make_ti: Make) -> None:
    ti = make_ti(run={"logical_date": None}, operator={"text": "{{ ds }}"})

    with pytest.raises(jinja2.UndefinedError, match="'ds' is undefined"):
        ti.render_templates()


@pytest.mark.parametrize("key", sorted(REMOVED))
def test_removed_keys_exist_in_the_profile_of_airflow_2_only(make_ti: Make, channel: FakeChannel, key: str) -> None:
    new = make_ti().get_template_context()
    old = make_ti(profile=2, dag={"schedule": "@daily"}).get_template_context()

    assert key not in new
    with pytest.raises(RemovedContextKeyError, match="not in the context of Airflow 3"):
        new[key]
    with pytest.warns(DeprecationWarning, match=key):
        old[key]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("execution_date", pendulum.datetime(2024, 3, 10)),
        ("yesterday_ds", "2024-03-09"),
        ("tomorrow_ds_nodash", "20240311"),
        ("next_execution_date", pendulum.datetime(2024, 3, 11)),
        ("next_ds", "2024-03-11"),
        ("prev_ds", "2024-03-09"),
        ("prev_execution_date", pendulum.datetime(2024, 3, 9)),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_execution_date_family_of_airflow_2(make_ti: Make, key: str, value: Any) -> None:
    context = make_ti(profile=2, dag={"schedule": "@daily"}).get_template_context()

    assert context[key] == value


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_next_and_previous_of_a_manual_run_are_the_run_itself_in_airflow_2(make_ti: Make) -> None:
    context = make_ti(profile=2, dag={"schedule": "@daily"}, run={"run_type": "manual"}).get_template_context()

    assert context["next_execution_date"] == context["prev_execution_date"] == pendulum.datetime(2024, 3, 10)


def test_a_message_is_sent_only_when_its_entry_is_used(make_ti: Make, channel: FakeChannel) -> None:
    channel.runs = [run_info(logical_date=DATE - DAY, run_id="r0", state="success", start_date=DATE)]

    everything = {**make_ti().get_template_context()}

    assert channel.log == []
    assert type(everything["prev_start_date_success"]) is Lazy
    assert everything["prev_start_date_success"] == pendulum.datetime(2024, 3, 10)
    assert len(channel.said(wire.GetDagRun)) == 1


def test_previous_success_is_asked_for_once(make_ti: Make, channel: FakeChannel) -> None:
    channel.runs = [
        run_info(logical_date=DATE - 2 * DAY, run_id="r0", state="success", end_date=DATE),
        run_info(logical_date=DATE - DAY, run_id="r1", state="failed"),
    ]
    context = make_ti().get_template_context()

    assert context["prev_end_date_success"] == pendulum.datetime(2024, 3, 10)
    assert context["prev_start_date_success"] is None
    assert len(channel.log) == 1


def test_it_unpacks_copies_and_pickles_like_a_dict(make_ti: Make) -> None:
    def function(ds: str, ti: Any, **rest: Any) -> tuple[str, int]:
        return ds, len(rest)

    context = make_ti().get_template_context()

    assert function(**context) == ("2024-03-10", len(KEYS_OF_3) - 2)
    assert dict(context)["ds"] == {**context}["ds"] == copy.copy(context)["ds"] == "2024-03-10"
    assert (context | {"x": 1})["x"] == 1
    assert isinstance(context, dict)
    assert pickle.loads(pickle.dumps({"ds": context["ds"]})) == {"ds": "2024-03-10"}


def test_what_is_set_or_removed_stays_so(make_ti: Make) -> None:
    context = make_ti().get_template_context()
    context["ds"] = "mine"
    context.update(extra=1)
    del context["ts"]

    assert (context["ds"], context["extra"], context.get("ts")) == ("mine", 1, None)
    assert "ts" not in context
    assert context.setdefault("ds", 2) == "mine"
    assert context.pop("extra") == 1


def test_the_context_of_a_task_instance_is_one_object(make_ti: Make) -> None:
    ti = make_ti()

    assert ti.get_template_context() is ti.get_template_context()
    assert ti.get_template_context()["ti"] is ti


def test_get_current_context_works_while_a_task_runs(make_ti: Make) -> None:
    with pytest.raises(RuntimeError, match="no current context"):
        current.get_current_context()
    context = make_ti().get_template_context()
    with current.set_current_context(context):
        assert current.get_current_context() is context


def test_parsing_context_names_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert current.get_parsing_context() == (None, None)
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "d")

    assert current.get_parsing_context().dag_id == "d"


# --------------------------------------------------------------------------------------------- mistake 36


def test_mistake_36_params_of_dag_task_and_conf_override_in_this_order(make_ti: Make) -> None:
    ti = make_ti(
        dag={"params": {"a": 1, "b": 1, "c": 1}},
        operator={"params": {"b": 2, "c": 2}},
        run={"conf": b'{"c": 3, "new": 4}'},
    )

    assert ti.get_template_context()["params"] == {"a": 1, "b": 2, "c": 3, "new": 4}


def test_mistake_36_conf_overrides_only_if_settings_say_so(make_ti: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAG_RUN_CONF_OVERRIDES_PARAMS", "False")
    ti = make_ti(dag={"params": {"c": 1}}, run={"conf": b'{"c": 3}'})

    assert ti.get_template_context()["params"] == {"c": 1}


def test_mistake_36_a_value_of_conf_must_fit_the_schema(make_ti: Make) -> None:
    ti = make_ti(dag={"params": {"n": Param(1, type="integer", minimum=0)}}, run={"conf": b'{"n": "many"}'})

    with pytest.raises(ParamValidationError, match="n"):
        ti.get_template_context()["params"]


def test_a_run_prints_its_type_as_the_profile_has_it(make_ti: Make) -> None:
    """Airflow 3 prints the member, Airflow 2 its value; both equal the value."""
    for profile, printed in ((3, "DagRunType.MANUAL DagRunState.RUNNING"), (2, "manual running")):
        run = make_ti(profile=profile, run={"run_type": "manual", "state": "running"}).get_template_context()["dag_run"]
        assert jinja2.Template("{{ run.run_type }} {{ run.state }}").render(run=run) == printed
        assert run.run_type == "manual"
        assert run.run_type in {"manual", "scheduled"}
        assert values.to_plain([run.run_type, run.state]) == ["manual", "running"]
        assert pickle.loads(pickle.dumps(run.run_type)) == "manual"


def test_tests_of_operators_may_make_a_context_of_what_they_need() -> None:
    assert Context() == {}
    assert Context({"ds": "2024-03-10"}, task="t") == {"ds": "2024-03-10", "task": "t"}
