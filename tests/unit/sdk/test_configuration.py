"""`conf` as DAG files and provider packages know it."""

from __future__ import annotations

import pytest

from airflow.configuration import conf
from airflow.exceptions import AirflowConfigException, AirflowException
from gnomon.service import config


def test_it_reads_and_sets_what_all_of_gnomon_reads(monkeypatch):
    monkeypatch.setenv("AIRFLOW__SMTP__SMTP_PORT", "2525")
    config.conf.reload()
    assert conf.getint("smtp", "smtp_port") == 2525
    assert conf.has_option("core", "parallelism")
    assert conf.get("openlineage", "namespace", fallback="mine") == "mine"
    assert conf.getboolean is conf.getboolean


def test_what_is_wrong_can_be_caught_as_airflows_errors(monkeypatch):
    with pytest.raises(AirflowConfigException, match=r"\[nowhere\] nothing"):
        conf.get("nowhere", "nothing")
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "many")
    config.conf.reload()
    with pytest.raises(AirflowException, match="AIRFLOW__CORE__PARALLELISM"):
        conf.getint("core", "parallelism")
    with pytest.raises(AttributeError, match="getdecimal"):
        conf.getdecimal("core", "parallelism")
