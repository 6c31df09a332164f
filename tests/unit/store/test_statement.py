from __future__ import annotations

import pytest

from gnomon.store import limits, records, tables
from gnomon.store.database import Statement
from gnomon.store.errors import Invalid


def test_names_are_translated_for_psycopg_and_casts_and_percent_signs_are_left() -> None:
    statement = Statement("SELECT a::text FROM t WHERE b LIKE 'x%' AND c = :c AND d = :d_1")

    assert statement._for_psycopg == "SELECT a::text FROM t WHERE b LIKE 'x%%' AND c = %(c)s AND d = %(d_1)s"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"conn_id": "x" * 251}, "conn_id is longer than 250"),
        ({"extra": "a\0b"}, "extra holds a NUL"),
        ({"port": 2**31}, "port: 2147483648 is beyond 32 bits"),
        ({"port": -(2**31) - 1}, "32 bits"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        limits.check(tables.connection, values)


def test_what_fits_passes() -> None:
    values = {"conn_id": "é" * 250, "extra": "x" * 10**6, "port": 2**31 - 1, "host": None, "is_encrypted": True}

    limits.check(tables.connection, values)


def test_records_leave_out_only_what_no_verb_hands_out() -> None:
    left_out = {
        table.name: sorted(set(table.columns.keys()) - set(record.__struct_fields__))
        for record, table in (
            (records.Dag, tables.dag),
            (records.Run, tables.dag_run),
            (records.TaskInstance, tables.task_instance),
            (records.Try, tables.task_instance_history),
            (records.Pool, tables.pool),
            (records.Job, tables.job),
            (records.ParsedFileRecord, tables.parsed_file),
        )
    }

    assert left_out == {
        "dag": [],
        "dag_run": ["backfill_sort_ordinal", "span_context"],
        "task_instance": [],
        "task_instance_history": [],
        "pool": [],
        "job": [],
        "parsed_file": [],
    }
