"""The harness says what it measured, and whether that is enough."""

from __future__ import annotations

import ast

import pytest

from benchmarks import dags
from benchmarks.record import Figure, percentile, table


def figure(value: float, *, limit: float, at_least: bool = False) -> Figure:
    return Figure(
        workload="chain",
        what="total",
        value=value,
        unit="s",
        target="<= 2 s",
        limit=limit,
        at_least=at_least,
        floor="1 s",
    )


@pytest.mark.parametrize(
    ("value", "at_least", "met"),
    [(1.0, False, True), (2.0, False, True), (2.1, False, False), (2.1, True, True), (1.9, True, False)],
)
def test_a_figure_knows_whether_its_target_is_met(value, at_least, met):
    assert figure(value, limit=2.0, at_least=at_least).met is met


def test_the_table_shows_figure_target_floor_and_verdict():
    good, bad = table([figure(1.234, limit=2), figure(1234.5, limit=2)]).splitlines()[2:]

    assert good.split("  ")[0] == "chain"
    assert "total 1.23 s" in good
    assert good.endswith("met")
    assert "total 1234 s" in bad
    assert bad.endswith("NOT MET")
    assert "<= 2 s" in bad


def test_percentiles():
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(101)], 0.95) == 95.0
    assert percentile([1.0], 0.95) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        dags.chain("c", 40, call="fibo, op_args=[10]"),
        dags.chain("c", 5, runs=50, paused=True),
        dags.fan("f", 400),
        dags.fan("f", 400, reuse=True),
        dags.once("o"),
    ],
)
def test_the_dag_files_are_python(text):
    ast.parse(text)
