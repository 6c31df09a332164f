"""Connections and variables that only the secrets backend has."""

from __future__ import annotations

import pendulum

from airflow.sdk import DAG, BaseHook, Variable, task

with DAG("secrets_elsewhere", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC")):

    @task
    def read():
        connection = BaseHook.get_connection("vault")
        print("the password is", connection.password)
        return {
            "uri": connection.get_uri().replace(connection.password, "…"),
            "variable": Variable.get("station"),
            "default": Variable.get("no_such_thing", default="none"),
            "settings": Variable.get("settings", deserialize_json=True),
        }

    @task
    def render(value):
        assert value == "Altona of db.example.com", value

    read() >> render("{{ var.value.station }} of {{ conn.vault.host }}")
