from __future__ import annotations

import pytest

from gnomon.sdk import DAG, Variable, task
from gnomon.sdk.exceptions import AirflowRuntimeError
from gnomon.wire.execution import DeleteVariable, Done, Found, GetVariableKeys, PutVariable


@pytest.fixture
def stores(channel):
    def answer(request):
        if isinstance(request, PutVariable):
            channel.variables[request.key] = request.value
            return Done()
        if isinstance(request, DeleteVariable):
            channel.variables.pop(request.key, None)
            return Done()
        if isinstance(request, GetVariableKeys):
            import json

            return Found(json.dumps([key for key in channel.variables if key.startswith(request.prefix)]).encode())
        return None

    channel.custom = answer
    return channel


def test_what_is_set_can_be_got_and_deleted(stores):
    Variable.set("a", 5)
    Variable.set("j", {"x": 1}, serialize_json=True)

    assert Variable.get("a") == "5"
    assert Variable.get("j", deserialize_json=True) == {"x": 1}
    Variable.delete("a")
    assert Variable.get("a", default=None) is None


def test_the_environment_comes_before_the_database(stores, monkeypatch):  # mistake 37
    Variable.set("a", "db")
    monkeypatch.setenv("AIRFLOW_VAR_A", "env")

    assert Variable.get("a") == "env"


def test_a_missing_variable_is_named(stores):
    with pytest.raises(KeyError, match="nope"):
        Variable.get("nope")
    with pytest.raises(AirflowRuntimeError, match="nope"):
        Variable.get("nope")


def test_a_default_is_not_parsed(stores):  # mistake 37
    assert Variable.get("nope", default='{"a": 1}', deserialize_json=True) == '{"a": 1}'
    assert Variable.get("nope", default_var="old name") == "old name"


def test_json_that_is_none_names_the_variable(stores):
    Variable.set("a", "{no")

    with pytest.raises(ValueError, match="'a' is not JSON"):
        Variable.get("a", deserialize_json=True)


def test_setdefault_and_update(stores):
    assert Variable.setdefault("a", {"x": 1}, deserialize_json=True) == {"x": 1}
    assert Variable.setdefault("a", {"x": 2}, deserialize_json=True) == {"x": 1}
    Variable.update("a", "new")
    assert Variable.get("a") == "new"
    with pytest.raises(KeyError):
        Variable.update("nope", 1)


def test_keys_are_those_of_the_database(stores, monkeypatch):  # mistake 37
    Variable.set("app_a", 1)
    Variable.set("other", 1)
    monkeypatch.setenv("AIRFLOW_VAR_APP_ENV", "x")

    assert list(Variable.keys("app_")) == ["app_a"]


def test_values_of_sensitive_names_are_masked(stores):
    from gnomon.service.masking import masker

    Variable.set("api_token", "t-o-k-e-n-9")
    Variable.set("city", "Reykjavik")
    Variable.get("api_token")
    Variable.get("city")

    assert masker.redact("t-o-k-e-n-9 in Reykjavik") == "*** in Reykjavik"


def test_outside_of_a_task_only_the_environment_is_known(monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_A", "1")

    assert Variable.get("a") == "1"
    assert Variable.get("b", default=2) == 2
    with pytest.raises(RuntimeError, match="while a task"):
        Variable.set("a", 1)


def test_variables_in_templates(runner, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_J", '{"x": [1, 2]}')

    with DAG("d") as dag:
        task(task_id="t")(lambda text: text)("{{ var.json.j.x[1] }} {{ var.value.get('nope', 'none') }}")

    assert runner.run_and_return(dag, "t") == "2 none"


def test_conf_is_one_object_by_all_its_names():
    from airflow.configuration import conf as old
    from airflow.sdk import conf
    from airflow.sdk.exceptions import AirflowConfigException

    assert conf is old
    with pytest.raises(AirflowConfigException, match=r"\[core\] no_such_thing is set nowhere"):
        conf.get("core", "no_such_thing")
