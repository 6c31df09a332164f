"""The database goes away in the middle of runs and comes back: they end as if it had been there all the time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gnomon.store.engine import open_store
from tests.acceptance.fault_runs import check, supervised, trigger, unfinished, wait_for, wait_until_up
from tests.fixtures.postgresql_server import PostgresServer, PostgresUnavailable, running_postgresql

RUNS_EACH = 4
#: Pieces of tries that have begun when the database goes: some are over, some run, most are to come.
BEGUN = 25


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of its own, since others do not want theirs stopped."""
    try:
        with running_postgresql(durable=True) as server:
            yield server
    except PostgresUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.timeout(200)
def test_an_outage_of_the_database_loses_nothing_and_repeats_nothing(
    server: PostgresServer, airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = server.url(server.create())
    journal = airflow_home / "journal"
    with supervised(database, airflow_home, monkeypatch):
        wait_until_up()
        with open_store(database) as store:
            trigger(store, RUNS_EACH)
        wait_for(lambda: len(journal.read_text().splitlines()) >= BEGUN)

        server.stop()
        # Whatever ran has reported, and nobody could write it down.
        wait_for(lambda: not begun(journal), explain=lambda: f"still running: {begun(journal)}")
        server.start()

        with open_store(database) as store:
            wait_for(lambda: not unfinished(store), 100, lambda: f"stuck: {unfinished(store)}")
            check(store, journal, RUNS_EACH)
    tries = {line.split()[4] for line in journal.read_text().splitlines()}
    assert tries == {"1"}, "no try was given up because of the outage"


def begun(journal: Path) -> list[str]:
    """Return what has begun and is not over, of the DAGs whose tasks ask nothing; the others wait for their answers."""
    lines = [line for line in journal.read_text().splitlines() if line.startswith(("chain ", "fan ", "failing "))]
    return [line for line in lines if psutil.pid_exists(int(line.rpartition(" ")[2]))]
