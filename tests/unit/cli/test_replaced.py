from __future__ import annotations

import json

import pytest

from gnomon.cli.programs import AIRFLOW


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("webserver --port 8080 -D", "the web server of Airflow 2 is gone"),
        ("kerberos", "there is no renewer of Kerberos tickets"),
        ("db-manager migrate x.Y --to-version 3", "tables of providers are not managed"),
        ("users create --username ann", "users and roles of the Flask application builder are not there"),
        ("roles list -o json", "users and roles of the Flask application builder are not there"),
        ("sync-perm --include-dags", "there are no permissions to write down"),
        ("teams create red", "teams are not there"),
        ("teams delete red --yes", "teams are not there"),
        ("teams sync", "teams are not there"),
        ("tasks run a b 2026-01-01 --local", "tasks run on workers only"),
        ("dags backfill a -s 2026-01-01", "dags backfill is a command of Airflow 2"),
    ],
)
def test_a_command_that_is_not_there_says_so_whatever_follows(airflow, command, first):
    code, out, said = airflow(*command.split())
    assert (code, out) == (1, "")
    assert said.startswith(f"Error: {first}")


def test_there_are_no_teams_to_list(airflow):
    code, said, note = airflow("teams", "list")
    assert (code, said, note.startswith("Teams are not there: ")) == (0, "No teams found.\n", True)
    assert airflow("teams", "list", "-o", "json") == (0, "[]\n", "")


def test_a_pool_cannot_be_that_of_a_team(airflow):
    code, _, said = airflow("pools", "set", "p", "1", "x", "--team-name", "red")
    assert (code, said[:40]) == (2, "Error: --team-name: teams are not there:")
    assert airflow("pools", "get", "p")[0] == 1


def test_the_dag_of_list_runs_may_be_an_option_as_in_airflow_2(airflow):
    for arguments, code, first in (
        (("--dag-id", "none"), 1, "Error: there is no DAG 'none'"),
        (("none",), 1, "Error: there is no DAG 'none'"),
        ((), 2, "Error: airflow dags list-runs needs DAG_ID"),
    ):
        got, _, said = airflow("dags", "list-runs", *arguments)
        assert (got, said[: len(first)]) == (code, first)


@pytest.mark.parametrize("name", ["init", "upgrade"])
def test_airflow_2_calls_the_migration_otherwise(airflow, name):
    assert airflow("db", name)[0] == 0
    assert airflow("db", "check")[0] == 0


def test_the_default_connections_are_made_once(airflow):
    assert airflow("connections", "create-default-connections")[:2] == (0, "Created 62 connections; 0 were there.\n")
    found = {row["conn_id"]: row["conn_type"] for row in json.loads(airflow("connections", "list", "-o", "json")[1])}
    assert (len(found), found["aws_default"], found["postgres_default"]) == (62, "aws", "postgres")
    assert airflow("connections", "delete", "aws_default")[0] == 0
    assert airflow("connections", "create-default-connections")[1] == "Created 1 connections; 61 were there.\n"


def test_the_cheat_sheet_has_every_command_that_is_there(airflow):
    code, said, _ = airflow("cheat-sheet")
    lines = [line.split("  ")[0] for line in said.splitlines()]
    assert (code, lines) == (0, sorted(lines))
    for name, entry in AIRFLOW.items():
        found = [line for line in lines if line == f"airflow {name}" or line.startswith(f"airflow {name} ")]
        assert bool(found) is not entry.hidden, name
    assert "airflow db clean" in lines
    assert "airflow db init" not in lines
