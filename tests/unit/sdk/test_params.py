from __future__ import annotations

import copy

import pytest

from gnomon.sdk import DAG, Param, ParamsDict, task
from gnomon.sdk.exceptions import ParamValidationError
from gnomon.sdk.params import process_params
from gnomon.sdk.standard.empty import EmptyOperator


def test_a_value_has_to_fit_the_schema():
    assert Param(5, type="integer", minimum=3).resolve() == 5
    assert Param("a@b.org", type="string", format="email").resolve() == "a@b.org"
    with pytest.raises(ParamValidationError, match="2 is less than the minimum of 3"):
        Param(5, type="integer", minimum=3).resolve(2)
    with pytest.raises(ParamValidationError, match="not a 'date'"):
        Param("yesterday", type="string", format="date").resolve()
    with pytest.raises(ParamValidationError, match="no default"):
        Param(type="string").resolve()
    assert Param(type="string").resolve(suppress_exception=True) is None
    assert Param(None, type=["null", "string"]).resolve() is None


def test_an_invalid_schema_is_said():
    with pytest.raises(ParamValidationError, match="schema itself"):
        Param(1, type="nonsense").resolve()


def test_values_are_json():
    with pytest.raises(ParamValidationError, match="json-serializable"):
        Param({1, 2})


def test_a_dict_of_params():
    params = ParamsDict({"a": 1, "b": Param(2, type="integer")})

    params["b"] = 3
    with pytest.raises(ParamValidationError, match="param b"):
        params["b"] = "three"

    assert params.dump() == {"a": 1, "b": 3} == params
    assert params.get_param("b").schema == {"type": "integer"}
    assert "a" in params
    assert len(params) == 2
    assert list(params) == ["a", "b"]
    assert copy.copy(params) == copy.deepcopy(params) == params
    assert [name for name, _ in params.items()] == ["a", "b"]
    del params["a"]
    assert params.validate() == {"b": 3}


def test_a_copy_does_not_share_values():
    params = ParamsDict({"a": Param(1, type="integer")})
    other = copy.copy(params)

    other["a"] = 5

    assert params["a"] == 1


def test_dag_then_task_then_conf(monkeypatch):  # mistake 36
    with DAG("d", params={"a": 1, "b": 1, "c": Param(1, type="integer")}) as dag:
        with_own = EmptyOperator(task_id="t", params={"b": 2, "z": 2})
        without = EmptyOperator(task_id="u")

    conf = {"c": 3, "new": 3}
    merged = process_params(dag, with_own, conf, suppress_exception=False)

    assert merged == {"a": 1, "b": 2, "z": 2, "c": 3, "new": 3}
    assert dict(without.params) == {"a": 1, "b": 1, "c": 1}
    assert dag.params["c"] == 1
    with pytest.raises(ParamValidationError, match="param c"):
        process_params(dag, without, {"c": "x"}, suppress_exception=False)
    monkeypatch.setenv("AIRFLOW__CORE__DAG_RUN_CONF_OVERRIDES_PARAMS", "False")
    assert process_params(dag, without, conf, suppress_exception=False)["c"] == 1


def test_params_in_default_args_are_the_dags():
    dag = DAG("d", default_args={"params": {"a": 1}})

    assert dag.params.dump() == {"a": 1}
    assert "params" not in dag.default_args


def test_params_as_data(as_data):
    with DAG("d", params={"a": Param(1, "what", type="integer")}) as dag:
        EmptyOperator(task_id="t", params={"b": "x"})

    data = as_data(dag)

    assert data.params == {"a": {"value": 1, "schema": {"type": "integer"}, "description": "what", "source": "dag"}}
    assert data.tasks[0].params["b"]["value"] == "x"


def test_params_reach_templates_and_functions(runner):
    @task
    def show(text, params=None):
        return [text, params["n"]]

    with DAG("d", params={"n": 1}) as dag:
        show("{{ params.n }}")

    assert runner.run_and_return(dag, "show", run={"conf": b'{"n": 4}'}) == ["4", 4]
