"""What stands for rows of the metadata database."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from airflow.models import TaskInstance
from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance
from gnomon.sdk.standard import trigger_dagrun


@pytest.mark.parametrize(("generation", "expected"), [(2, True), (3, False)])
def test_a_running_task_instance_is_the_databases_own_only_in_airflow_2(make_ti, generation, expected):
    ti = make_ti(profile=generation)

    assert isinstance(ti, RuntimeTaskInstance)
    assert isinstance(ti, TaskInstance) is expected
    assert ti.bundle_instance.name == ti._workload.file.bundle


@pytest.mark.parametrize(
    ("conf", "told"),
    [
        (None, True),
        ({"day": 1, "openlineage": {"note": 1}}, True),
        ({"openlineage": {"parentRunId": "x"}}, False),
        ({"openlineage": {"rootParentJobName": "x"}}, False),
        ({"openlineage": "x"}, False),
    ],
)
def test_a_triggered_run_knows_its_parent_unless_its_conf_says_so_already(conf, told, monkeypatch):
    modules = {
        "airflow.providers.openlineage.conf": SimpleNamespace(is_disabled=lambda: False),
        "airflow.providers.openlineage.plugins.macros": SimpleNamespace(
            **{name: lambda *_, name=name: name for name in _MACROS}
        ),
    }
    monkeypatch.setattr(trigger_dagrun, "import_module", modules.__getitem__)
    before = json.dumps(conf)

    found = trigger_dagrun._with_parent(conf, object())

    assert json.dumps(conf) == before
    if not told:
        assert found == conf
        return
    assert found["openlineage"]["parentRunId"] == "lineage_run_id"
    assert found["openlineage"]["rootParentJobNamespace"] == "lineage_root_job_namespace"
    assert {name: value for name, value in found.items() if name != "openlineage"} == {
        name: value for name, value in (conf or {}).items() if name != "openlineage"
    }


def test_without_the_provider_a_conf_is_as_it_was():
    assert trigger_dagrun._with_parent({"a": 1}, object()) == {"a": 1}


_MACROS = (
    "lineage_run_id", "lineage_job_name", "lineage_job_namespace", "lineage_root_run_id", "lineage_root_job_name",
    "lineage_root_job_namespace",
)  # fmt: skip
