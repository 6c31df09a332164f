"""The store, as commands open it: that of the project around, or of AIRFLOW_HOME."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.project import activate

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.store.records import Dag, Run


@contextmanager
def opened() -> Iterator[Store]:
    """Yield the store, and close it at the end. An SQLite database that is not there yet is made."""
    activate()
    from sqlalchemy.engine import make_url

    from gnomon.store import engine

    url = engine.default_url()
    if url.startswith("sqlite"):
        file = make_url(url).database
        if file and (not Path(file).exists() or engine.current_revision(url) is None):
            engine.migrate(url)
    with engine.open_store(url) as store:
        yield store


def dag_of(store: Store, dag_id: str) -> Dag:
    """Return a DAG.

    Raises:
        CommandError: there is none; close names are suggested.
    """
    dag = store.dags.get(dag_id)
    if dag is not None:
        return dag
    known = [found.dag_id for found in store.dags.all(include_stale=True)]
    more = did_you_mean(dag_id, known)
    if not known:
        more = "; no DAG has been parsed yet"
    raise CommandError(f"there is no DAG {dag_id!r}{more}")


def run_of(store: Store, dag_id: str, logical_date_or_run_id: str) -> Run:
    """Return a run by its run id or its logical date, as Airflow's commands accept both.

    Raises:
        CommandError: there is no such DAG or run.
    """
    dag_of(store, dag_id)
    run = find_run(store, dag_id, logical_date_or_run_id)
    if run is not None:
        return run
    known = [found.run_id for found in store.runs.all(dag_id, limit=200)]
    raise CommandError(
        f"DAG {dag_id} has no run with the id or the logical date {logical_date_or_run_id!r}"
        f"{did_you_mean(logical_date_or_run_id, known)}"
    )


def find_run(store: Store, dag_id: str, logical_date_or_run_id: str) -> Run | None:
    """Return a run by its run id or its logical date; None if there is none."""
    run = store.runs.by_run_id(dag_id, logical_date_or_run_id)
    if run is not None:
        return run
    try:
        moment = parse_date(logical_date_or_run_id, "logical_date_or_run_id")
    except CommandError:
        return None
    return store.runs.by_logical_date(dag_id, moment)


def parse_date(text: str, option: str) -> datetime:
    """Return a moment given on the command line; without an offset it is in [core] default_timezone.

    Raises:
        CommandError: it is no date; the message names the option.
    """
    import pendulum
    from pendulum.parsing.exceptions import ParserError

    from gnomon.service.config import conf

    zone = str(conf.get("core", "default_timezone", fallback="utc"))
    exact: datetime | None = None
    # An offset of 25 hours is told only when it is used.
    with suppress(ParserError, ValueError, OverflowError):
        found: object = pendulum.parse(text, tz="local" if zone == "system" else zone, strict=False)
        exact = found.astimezone(UTC) if isinstance(found, datetime) else None
    if exact is None:
        raise CommandError(
            f"{option}: {text!r} is not a date such as 2026-01-31 or 2026-01-31T06:00+01:00", exit_code=2
        )
    # A plain datetime: pendulum's own subtracts in a way of its own.
    return datetime.combine(exact.date(), exact.time(), tzinfo=UTC)
