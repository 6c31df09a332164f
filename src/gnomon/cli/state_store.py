"""`airflow state-store`."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli.lazy import application
from gnomon.cli.opening import opened
from gnomon.cli.output import Verbose
from gnomon.service import clock
from gnomon.service.config import conf

app = application("Look after what tasks keep.")


@app.callback()
def _group() -> None:
    """Look after what task instances keep in their state stores."""


@app.command("clean")
def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    verbose: Verbose = False,
) -> None:
    """Delete what has expired of the state that task instances keep."""
    now = clock.now()
    with opened() as store:
        if not dry_run:
            batch = conf.getint("state_store", "state_cleanup_batch_size", fallback=0)
            print(f"Deleted {store.task_states.clean(now, batch=batch)} expired task state store row(s).")
            return
        expired = store.task_states.expired(now)
    if not expired:
        print("Nothing to delete.")
        return
    print(f"Would delete {len(expired)} task state store row(s):\n")
    for dag_id, run_id, task_id, map_index, key in expired:
        print(f"  Dag {dag_id!r}, run {run_id!r}, task {task_id!r}, map_index {map_index!r}, key {key!r}")
