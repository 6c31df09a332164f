from __future__ import annotations

import json

import pytest
import yaml

from gnomon.cli import output

ROWS = [{"dag_id": "a", "paused": False, "tags": ["x", "y"], "next": None, "n": 3}]


def test_json_has_text_for_everything_but_nothing_and_lists(capsys):
    output.rows(ROWS, "json")

    assert json.loads(capsys.readouterr().out) == [
        {"dag_id": "a", "paused": "False", "tags": ["x", "y"], "next": None, "n": "3"}
    ]


def test_yaml_has_the_same_values(capsys):
    output.rows(ROWS, "yaml")

    assert yaml.safe_load(capsys.readouterr().out) == [
        {"dag_id": "a", "paused": "False", "tags": ["x", "y"], "next": None, "n": "3"}
    ]


def test_plain_is_columns_that_line_up(capsys):
    output.rows([*ROWS, {**ROWS[0], "dag_id": "longer"}], "plain")

    assert capsys.readouterr().out.splitlines() == [
        "dag_id  paused  tags  next  n",
        "a       False   x,y         3",
        "longer  False   x,y         3",
    ]


def test_a_table_keeps_what_is_long(capsys):
    output.rows([{"id": "x" * 500}], "table")

    assert capsys.readouterr().out.count("x") == 500


@pytest.mark.parametrize(("form", "expected"), [("json", "[]\n"), ("yaml", "[]\n"), ("table", "No data found\n")])
def test_no_rows(capsys, form, expected):
    output.rows([], form)

    assert capsys.readouterr().out == expected
