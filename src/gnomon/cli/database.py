"""`gnomon db`, and `rotate-fernet-key`."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from gnomon.cli import cleaning
from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import application, single
from gnomon.cli.opening import opened
from gnomon.cli.output import Verbose
from gnomon.cli.project import activate

app = application("Migrate, check and reset the database.")
rotate = single()

_Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]


@app.command("migrate")
def migrate(verbose: Verbose = False) -> None:
    """Make the tables, or bring them to this version. Safe to run again, and by several machines at once."""
    activate()
    from gnomon.store import engine

    print(f"Database: {_shown()}")
    before = engine.migrate()
    after = engine.current_revision()
    if before is None:
        print(f"Made the tables, revision {after}.")
    elif before == after:
        print(f"Nothing to do: the tables are of revision {after} already.")
    else:
        print(f"Migrated from revision {before} to {after}.")


for _old in ("init", "upgrade"):  # as Airflow 2 calls it
    app.command(_old, hidden=True)(migrate)


@app.command("check")
def check(
    retry: Annotated[int, typer.Option("--retry", min=0, help="Try so many times more.")] = 0,
    delay: Annotated[int, typer.Option("--retry-delay", min=1, help="Seconds between tries.")] = 1,
    verbose: Verbose = False,
) -> None:
    """Check that the database can be reached and has this version's tables."""
    activate()
    from gnomon.store import engine
    from gnomon.store.errors import Unavailable

    for left in range(retry, -1, -1):
        try:
            engine.check()
            break
        except Unavailable as error:
            if not left:
                raise
            print(f"{error}; {left} more tries", file=sys.stderr)
            time.sleep(delay)
    print(f"Connection successful: {_shown()}")


@app.command("check-migrations")
def check_migrations(
    timeout: Annotated[int, typer.Option("-t", "--migration-wait-timeout", help="Seconds to wait.")] = 60,
    verbose: Verbose = False,
) -> None:
    """Wait until the tables are of this version, as a container does before it starts a process."""
    activate()
    from gnomon.store import engine
    from gnomon.store.errors import StoreError

    deadline = time.monotonic() + timeout
    while True:
        try:
            engine.check()
            return
        except StoreError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(1)


@app.command("reset")
def reset(
    yes: _Yes = False,
    skip_init: Annotated[bool, typer.Option("-s", "--skip-init", hidden=True)] = False,
    verbose: Verbose = False,
) -> None:
    """Delete everything in the database, and make the tables anew."""
    activate()
    from gnomon.cli import statefile
    from gnomon.store import engine

    if state := statefile.running():
        raise CommandError(
            f"processes use this database (supervisor pid {state.pid})", hint="gnomon dev stop ends them"
        )
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("there is nobody to ask whether everything may be deleted", hint="-y says so")
        typer.confirm(f"Delete all DAG runs, variables, connections … in {_shown()}?", abort=True)
    engine.reset()
    print(f"Reset {_shown()}.")


@app.command("downgrade")
def downgrade(
    to_revision: Annotated[str, typer.Option("-r", "--to-revision", help="Revision to go back to.")],
    yes: _Yes = False,
    verbose: Verbose = False,
) -> None:
    """Bring the tables back to an older revision."""
    activate()
    from gnomon.store import engine

    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("there is nobody to ask whether the tables may be changed", hint="-y says so")
        typer.confirm(f"Downgrade {_shown()} to revision {to_revision}?", abort=True)
    engine.downgrade(to_revision)
    print(f"Downgraded to revision {to_revision}.")


@app.command("shell")
def shell(verbose: Verbose = False) -> None:
    """Open the database's own shell: sqlite3 or psql."""
    import os
    import shutil

    activate()
    from sqlalchemy.engine import make_url

    from gnomon.store.engine import default_url

    url = make_url(default_url())
    program = "sqlite3" if url.get_backend_name() == "sqlite" else "psql"
    if shutil.which(program) is None:
        raise CommandError(f"{program} is not installed")
    if program == "sqlite3":
        os.execvp(program, [program, url.database or ""])
    # The password goes by the environment: arguments are for everybody to see.
    environ = {**os.environ, "PGPASSWORD": str(url.password or "")}
    target = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    os.execvpe(program, [program, target], environ)


app.command("clean")(cleaning.clean)
app.command("export-archived")(cleaning.export_archived)
app.command("drop-archived")(cleaning.drop_archived)


@rotate.command()
def rotate_fernet_key() -> None:
    """Encrypt all secrets with the first of the Fernet keys."""
    with opened() as store:
        count = store.rotate_fernet_key()
    print(f"Encrypted {count} secrets with the first key of [core] fernet_key.")


def _shown() -> str:
    from sqlalchemy.engine import make_url

    from gnomon.store.engine import default_url

    return make_url(default_url()).render_as_string(hide_password=True)
