"""Metrics as a statsd server receives them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gnomon.service.config import ConfigError
from gnomon.service.telemetry import Metrics


@pytest.fixture
def server(monkeypatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(listening.getsockname()[1]))
        yield listening


@pytest.fixture
def stats() -> Iterator[Metrics]:
    metrics = Metrics()
    yield metrics
    metrics.close()


def received(server: socket.socket, count: int = 1) -> list[str]:
    return [server.recv(1000).decode() for _ in range(count)]


def test_each_kind(server, stats):
    stats.incr("ti_failures")
    stats.incr("ti_failures", 3)
    stats.decr("open", 2)
    stats.gauge("pool.open_slots.default_pool", 128)
    stats.gauge("change", -2, delta=True)
    stats.timing("dagrun.duration.success.etl", 1.5)
    assert received(server, 6) == [
        "airflow.ti_failures:1|c",
        "airflow.ti_failures:3|c",
        "airflow.open:-2|c",
        "airflow.pool.open_slots.default_pool:128|g",
        "airflow.change:-2|g",
        "airflow.dagrun.duration.success.etl:1500.000|ms",
    ]


def test_a_negative_gauge_is_a_value_not_a_change(server, stats):
    stats.gauge("drift", -2)
    assert received(server, 2) == ["airflow.drift:0|g", "airflow.drift:-2|g"]


def test_a_timer_measures_its_block(server, stats):
    with stats.timer("loop"):
        pass
    (line,) = received(server)
    name, _, rest = line.partition(":")
    assert name == "airflow.loop"
    assert float(rest.removesuffix("|ms")) >= 0


def test_datadog_tags(server, stats, monkeypatch):
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_DATADOG_ENABLED", "True")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_DATADOG_TAGS", "env:prod")
    stats.incr("ti.start", tags={"dag_id": "etl", "run_id": "dropped"})
    assert received(server) == ["airflow.ti.start:1|c|#dag_id:etl,env:prod"]


def test_influxdb_tags(server, stats, monkeypatch):
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    stats.incr("ti.start", tags={"dag_id": "etl"})
    assert received(server) == ["airflow.ti.start,dag_id=etl:1|c"]


def test_names_can_be_allowed_and_blocked(server, stats, monkeypatch):
    monkeypatch.setenv("AIRFLOW__METRICS__METRICS_ALLOW_LIST", "scheduler,executor")
    monkeypatch.setenv("AIRFLOW__METRICS__METRICS_BLOCK_LIST", "scheduler.heartbeat")
    for name in ("dag_processing.x", "scheduler.heartbeat", "scheduler.loop"):
        stats.incr(name)
    assert received(server) == ["airflow.scheduler.loop:1|c"]


def test_nothing_is_opened_when_it_is_off(stats):
    stats.incr("x")
    assert stats._sender is None


def test_a_bad_pattern_is_an_error_of_the_setting(server, stats, monkeypatch):
    monkeypatch.setenv("AIRFLOW__METRICS__METRICS_ALLOW_LIST", "(")
    with pytest.raises(ConfigError, match=r"\[metrics\] metrics_allow_list: '\(' is not a regular expression"):
        stats.incr("x")


def test_nobody_listening_is_no_error(stats, monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(port))
    for _ in range(3):
        stats.incr("x")
