from __future__ import annotations

import pytest

from gnomon.cli import settings_file
from gnomon.cli.errors import CommandError
from gnomon.cli.settings_file import ConnectionEntry, PoolEntry, VariableEntry


def read(tmp_path, text):
    path = tmp_path / "airflow_settings.yaml"
    path.write_text(text)
    return settings_file.read(path)


def test_what_dev_init_writes_is_empty(tmp_path):
    from gnomon.cli import scaffold

    scaffold.write(tmp_path, name="p", image="runtime:3.1-4")
    found = settings_file.read(tmp_path / "airflow_settings.yaml")

    assert (found.pools, found.variables, found.connections, found.skipped) == ([], [], [], [])


def test_all_kinds(tmp_path):
    found = read(
        tmp_path,
        """
airflow:
  connections:
    - conn_id: pg
      conn_type: postgres
      conn_host: db
      conn_port: "5432"
      conn_extra: {sslmode: require}
    - conn_id: by_uri
      conn_uri: postgres://u:p@h/s
  pools:
    - {pool_name: etl, pool_slot: 3, pool_description: for loads}
  variables:
    - {variable_name: text, variable_value: hello}
    - {variable_name: number, variable_value: 7}
    - {variable_name: nested, variable_value: {a: [1]}}
""",
    )

    assert found.connections == [
        ConnectionEntry("pg", conn_type="postgres", host="db", port=5432, extra='{"sslmode": "require"}'),
        ConnectionEntry("by_uri", uri="postgres://u:p@h/s"),
    ]
    assert found.pools == [PoolEntry("etl", 3, "for loads")]
    assert found.variables == [
        VariableEntry("text", "hello"),
        VariableEntry("number", "7"),
        VariableEntry("nested", '{"a": [1]}'),
    ]


def test_what_is_left_out_is_said_with_its_line(tmp_path):
    found = read(
        tmp_path,
        "airflow:\n  pools:\n    - {pool_name: p, pool_slot: 0}\n  connections:\n    - {conn_id: c, conn_host: h}\n"
        "  variables:\n    - {variable_name: v, variable_value: ''}\n",
    )

    assert (found.pools, found.connections, found.variables) == ([], [], [])
    assert found.skipped == [
        "airflow_settings.yaml:3: pool p is left out: pool_slot is 0",
        "airflow_settings.yaml:7: variable v is left out: variable_value is empty",
        "airflow_settings.yaml:5: connection c is left out: it has neither conn_type nor conn_uri",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("airflow:\n  pools:\n    - pool_name: p\n      pool_slot: many\n", ":4: pool_slot must be a whole number"),
        ("airflow:\n  pools: 7\n", ":2: pools must be a list"),
        ("airflow:\n  connections: [a\n", ":3: "),
        ("pools: []\n", ":1: expected one entry called `airflow:`"),
        ("airflow:\n  connections:\n    - {conn_id: c, conn_type: t, conn_extra: '{'}\n", ":3: conn_extra must be"),
        ("airflow:\n  connections:\n    - conn_id: c\n      conn_host: [h]\n", ":4: conn_host must be text"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, text, message):
    with pytest.raises(CommandError) as error:
        read(tmp_path, text)

    assert message in str(error.value)
