from __future__ import annotations

import pytest
from sqlalchemy import select

from gnomon.store import tables
from gnomon.store.engine import Store
from gnomon.store.errors import Invalid

from .conftest import NOW


def test_an_entry_holds_who_did_what_to_what(store: Store) -> None:
    number = store.events.record(
        "patch_dag", NOW, owner="me", dag_id="a", run_id="r", task_id="t", map_index=1, try_number=2, extra="{}"
    )

    with store.database.read() as conn:
        row = conn.execute(select(tables.event_log)).one()
    assert row._mapping == {
        "id": number,
        "dttm": NOW,
        "event": "patch_dag",
        "dag_id": "a",
        "run_id": "r",
        "task_id": "t",
        "map_index": 1,
        "try_number": 2,
        "logical_date": None,
        "owner": "me",
        "extra": "{}",
    }


def test_what_does_not_fit_is_refused(store: Store) -> None:
    with pytest.raises(Invalid, match="event_log event"):
        store.events.record("x" * 101, NOW)
