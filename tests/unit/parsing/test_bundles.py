from __future__ import annotations

import json
from pathlib import Path

import pytest

from gnomon.parsing.bundles import configured
from gnomon.parsing.fingerprint import fingerprint, salted
from gnomon.service.config import ConfigError

OPTION = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"


def test_the_dags_folder_is_the_bundle_unless_said_otherwise(airflow_home: Path) -> None:
    (bundle,) = configured()

    assert bundle.name == "dags-folder"
    assert bundle.root == str(airflow_home / "dags")
    assert bundle.syntax == "glob"
    assert bundle.safe_mode


def test_the_profile_of_airflow_2_reads_ignore_files_as_regexps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__COMPAT", "2")

    assert configured()[0].syntax == "regexp"


def test_several_bundles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entries = [
        {"name": "a", "classpath": LOCAL, "kwargs": {"path": str(tmp_path), "refresh_interval": 7}},
        {"name": "b", "classpath": LOCAL, "kwargs": {}},
    ]
    monkeypatch.setenv(OPTION, json.dumps(entries))
    first, second = configured()

    assert (first.name, first.root, first.refresh_interval) == ("a", str(tmp_path), 7.0)
    assert second.name == "b"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{}", "must be a JSON list"),
        ('[{"classpath": "x"}]', "entry 1: a bundle is an object with a name"),
        ('[{"name": "g", "classpath": "airflow.providers.git.bundles.git.GitDagBundle"}]', "only local bundles"),
        (json.dumps([{"name": "a", "classpath": LOCAL, "kwargs": {"pfad": "/"}}]), "unknown arguments pfad"),
        (json.dumps([{"name": "a", "classpath": LOCAL}] * 2), "two bundles of one name"),
    ],
)
def test_settings_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, value: str, message: str) -> None:
    monkeypatch.setenv(OPTION, value)
    with pytest.raises(ConfigError, match=message):
        configured()


def test_the_fingerprint_tells_environments_apart(airflow_home: Path) -> None:
    base = {"AIRFLOW__CORE__COMPAT": "3", "MY_SETTING": "1"}
    (airflow_home / "airflow.cfg").write_text("[core]\n")
    first = fingerprint(base)

    assert fingerprint({**base, "PWD": "/x", "SHLVL": "2", "TERM": "dumb"}) == first
    assert fingerprint({**base, "MY_SETTING": "2"}) != first
    assert salted(first, "h") != salted(fingerprint({}), "h")
    (airflow_home / "airflow.cfg").write_text("[core]\ncompat = 2\n")
    assert fingerprint(base) != first
