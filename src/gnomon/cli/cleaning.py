"""`airflow db clean`, `export-archived` and `drop-archived`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli import output
from gnomon.cli.arguments import Yes
from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.opening import opened, parse_date
from gnomon.cli.output import Format, Verbose
from gnomon.service import clock

if TYPE_CHECKING:
    from gnomon.store.cleaning import Cleaner, Cleaning, Rule

_Tables = Annotated[
    str | None, typer.Option("-t", "--tables", help="Only these tables, by their names in Airflow, with commas.")
]
_CLEAN_WORDS, _DROP_WORDS = "delete rows", "drop archived tables"


def clean(
    clean_before_timestamp: Annotated[
        str, typer.Option("--clean-before-timestamp", help="Delete what is older than this date.")
    ],
    tables: _Tables = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    skip_archive: Annotated[bool, typer.Option("--skip-archive", help="Keep no copy in an archive table.")] = False,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="At most so many rows per transaction; 1000 or less.")
    ] = None,
    dag_ids: Annotated[str | None, typer.Option("--dag-ids", help="Only rows of these DAGs, with commas.")] = None,
    exclude_dag_ids: Annotated[
        str | None, typer.Option("--exclude-dag-ids", help="No rows of these DAGs, with commas.")
    ] = None,
    error_on_cleanup_failure: Annotated[
        bool, typer.Option("--error-on-cleanup-failure", help="A failure always ends the command with an error here.")
    ] = False,
    yes: Yes = False,
    verbose: Verbose = False,
) -> None:
    """Delete old rows, a copy of which goes into archive tables; what a run that has not ended needs stays."""
    from gnomon.store.cleaning import BATCH, Cleaner, Cleaning, archive_name

    now = clock.now()
    before = parse_date(clean_before_timestamp, "--clean-before-timestamp")
    cleaning = Cleaning(before, now, _names(dag_ids), _names(exclude_dag_ids))
    if both := set(cleaning.dag_ids) & set(cleaning.exclude_dag_ids):
        raise CommandError(f"--dag-ids and --exclude-dag-ids both have {min(both)!r}", exit_code=2)
    rules = _rules(tables, cleaning)
    if not dry_run and not yes:
        _confirm(_question(before, rules, cleaning), _CLEAN_WORDS)
    with opened() as store:
        cleaner = Cleaner(store.database)
        if dry_run:
            _forecast(cleaner, rules, cleaning, verbose)
            return
        for rule in rules:
            archive = None if skip_archive else archive_name(rule, now)
            count = cleaner.clean(rule, cleaning, archive=archive, batch=batch_size or BATCH)
            where = f"; copies are in {archive}" if archive and count else ""
            print(f"{rule.name}: deleted {_rows(count)}{where}", flush=True)


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _names(given: str | None) -> list[str]:
    return [name.strip() for name in (given or "").split(",") if name.strip()]


def _rules(tables: str | None, cleaning: Cleaning) -> list[Rule]:
    """Return the rules of the tables that are asked for.

    Raises:
        CommandError: there is no such table.
    """
    from gnomon.store.cleaning import WITHOUT_ROWS, chosen, rules

    known = rules(cleaning.now)
    aliases = {"dataset_event": "asset_event"}
    asked = [aliases.get(name, name) for name in _names(tables)]
    for name in asked:
        if name not in known and name not in WITHOUT_ROWS:
            all_names = [*known, *WITHOUT_ROWS]
            raise CommandError(
                f"--tables: there is no table {name!r}{did_you_mean(name, all_names)}",
                exit_code=2,
                hint=f"there are {', '.join(sorted(known))}",
            )
    for name in sorted(set(asked) & set(WITHOUT_ROWS)):
        output.note(f"{name}: no rows to clean, Gnomon keeps none in such a table.")
    wanted = [name for name in asked if name in known]
    if asked and not wanted:
        return []
    found = chosen(wanted, cleaning.now)
    if cleaning.dag_ids:
        for rule in found:
            if rule.dag_id is None:
                output.note(f"{rule.name}: left alone, because its rows belong to no DAG and --dag-ids is given.")
        found = [rule for rule in found if rule.dag_id is not None]
    return found


def _question(before: datetime, rules: list[Rule], cleaning: Cleaning) -> str:
    which = ", ".join(rule.name for rule in rules)
    of_dags = f" of {', '.join(cleaning.dag_ids)}" if cleaning.dag_ids else ""
    but = f" but of {', '.join(cleaning.exclude_dag_ids)}" if cleaning.exclude_dag_ids else ""
    return f"This deletes rows{of_dags}{but} older than {before.isoformat()} from: {which}."


def _forecast(cleaner: Cleaner, rules: list[Rule], cleaning: Cleaning, verbose: bool) -> None:
    print(f"Dry run: nothing is deleted. Older than {cleaning.before.isoformat()} are:")
    rows = []
    for rule in rules:
        row = {"table": rule.name, "recency_column": rule.recency, "rows": cleaner.count(rule, cleaning)}
        rows.append(row | ({"always kept": rule.keeps} if verbose else {}))
    output.rows(rows, Format.TABLE)


def export_archived(
    output_path: Annotated[Path, typer.Option("--output-path", metavar="DIRPATH", help="A folder that is there.")],
    export_format: Annotated[str, typer.Option("--export-format", help="Only csv.")] = "csv",
    drop_archives: Annotated[bool, typer.Option("--drop-archives", help="Drop the tables afterwards.")] = False,
    tables: _Tables = None,
    yes: Yes = False,
    verbose: Verbose = False,
) -> None:
    """Write each archive table into a file."""
    import csv

    from gnomon.store.cleaning import Cleaner

    if export_format != "csv":
        raise CommandError(f"--export-format: {export_format!r} is not csv, the only format there is", exit_code=2)
    if not output_path.is_dir():
        raise CommandError(f"--output-path: there is no folder {output_path}", exit_code=2)
    with opened() as store:
        cleaner = Cleaner(store.database)
        found = cleaner.archives(_archived_of(tables))
        if drop_archives and found and not yes:
            _confirm(_about_to_drop(found), _DROP_WORDS)
        for name in found:
            file = output_path / f"{name}.csv"
            with file.open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows(cleaner.rows(name))
            print(f"Wrote {file}")
            if drop_archives:
                cleaner.drop(name)
    dropped = len(found) if drop_archives else 0
    print(f"Total exported tables: {len(found)}, Total dropped tables: {dropped}")


def drop_archived(tables: _Tables = None, yes: Yes = False, verbose: Verbose = False) -> None:
    """Drop the archive tables that `db clean` has made."""
    from gnomon.store.cleaning import Cleaner

    with opened() as store:
        cleaner = Cleaner(store.database)
        found = cleaner.archives(_archived_of(tables))
        if found and not yes:
            _confirm(_about_to_drop(found), _DROP_WORDS)
        for name in found:
            cleaner.drop(name)
            print(f"Dropped {name}")
    print(f"Total dropped tables: {len(found)}")


def _archived_of(tables: str | None) -> list[str]:
    from gnomon.store.cleaning import Cleaning

    now = clock.now()
    found = [rule.name for rule in _rules(tables, Cleaning(now, now))]
    return found if tables else []


def _about_to_drop(found: list[str]) -> str:
    return f"This drops {', '.join(found)}."


def _confirm(what: str, words: str) -> None:
    """Ask for some words before rows are lost for ever.

    Raises:
        CommandError: they are not given, or nobody is there to give them.
    """
    if not sys.stdin.isatty():
        raise CommandError("there is nobody to ask whether rows may be lost", hint="-y goes ahead")
    print(f"{what}\nThere is no way back; --dry-run of `db clean` shows how much it is.")
    if input(f"Type '{words}' to go ahead: ").strip() != words:
        raise CommandError("not confirmed: nothing was deleted")
