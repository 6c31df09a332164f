"""`airflow config lint` and `config update`: settings of Airflow 2 in airflow.cfg that Airflow 3 calls or takes otherwise.

What changed is data, in config_changes.tsv. The file is edited line by line, so that its comments stay.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from gnomon.cli.errors import CommandError
from gnomon.cli.output import Verbose
from gnomon.cli.project import activate

_HEADER = re.compile(r"^\s*\[([^\]]+)\]")
_OPTION = re.compile(r"^([^#;\s\[=:][^=:]*?)\s*[=:]\s*(.*)$")


_Sections = Annotated[str | None, typer.Option("--section", help="Only these sections, with commas.")]
_Options = Annotated[str | None, typer.Option("--option", help="Only these options, with commas.")]
_NoSections = Annotated[str | None, typer.Option("--ignore-section", help="Not these sections, with commas.")]
_NoOptions = Annotated[str | None, typer.Option("--ignore-option", help="Not these options, with commas.")]


class Change(NamedTuple):
    """What Airflow 3 did to an option."""

    section: str
    option: str
    #: renamed (to the section `value` and the option `new`), removed (if it is `value`, or always), default (from `value`
    #: to `new`), or invalid (if it is `value`)
    kind: str
    value: str
    new: str
    is_breaking: bool

    def concerns(self, given: str) -> bool:
        """Tell whether somebody who has set the option to this is concerned."""
        if self.kind == "default":
            return given != self.new
        return self.kind == "renamed" or given == self.value or (self.kind == "removed" and not self.value)

    def said(self, given: str) -> str:
        """Return what is to be said about it."""
        name = f"[{self.section}] {self.option}"
        if self.kind == "renamed":
            return f"{name} is called [{self.value}] {self.new} now."
        if self.kind == "removed":
            return f"{name} is gone in Airflow 3."
        if self.kind == "default":
            return f"{name}: the default was {self.value} and is {self.new} now; here it is {given}."
        return f"{name} must not be {self.value} any more."


def lint(
    section: _Sections = None,
    option: _Options = None,
    ignore_section: _NoSections = None,
    ignore_option: _NoOptions = None,
    verbose: Verbose = False,
) -> None:
    """List the settings of airflow.cfg and the environment that Airflow 3 renamed, removed or gave other defaults."""
    from gnomon.service.config import conf

    activate()
    found = []
    for change in _chosen(section, option, ignore_section, ignore_option):
        given = conf.written(change.section, change.option)
        if given is not None and change.concerns(given.value):
            found.append(
                f"{change.said(given.value)} It is set in {given.source}." if verbose else change.said(given.value)
            )
    if not found:
        print("No issues found: the settings are ready for Airflow 3.")
        return
    print("These settings are of Airflow 2:")
    for line in found:
        print(f"  - {line}")
    print("`airflow config update --fix --all-recommendations` changes those in airflow.cfg.")


def update(
    section: _Sections = None,
    option: _Options = None,
    ignore_section: _NoSections = None,
    ignore_option: _NoOptions = None,
    all_recommendations: Annotated[
        bool, typer.Option("--all-recommendations", help="Not only what breaks, but all that changed.")
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Write airflow.cfg; without it, only show the changes.")] = False,
    verbose: Verbose = False,
) -> None:
    """Bring airflow.cfg from Airflow 2 to Airflow 3. Without --fix it stays as it is; with it, a copy of it is kept."""
    import difflib

    from gnomon.service.config import config_file

    activate()
    path = config_file()
    try:
        before = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CommandError(f"there is no {path}; settings of the environment are yours to change") from None
    changes = [
        change
        for change in _chosen(section, option, ignore_section, ignore_option)
        if all_recommendations or change.is_breaking
    ]
    after, said = updated(before, changes)
    if not said:
        print("No updates needed: the file is up to date.")
        return
    if verbose or not fix:
        names = str(path), f"{path} (new)"
        print("".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), *names)), end="")
    if fix:
        shutil.copy2(path, f"{path}.bak")
        print(f"The old file is {path}.bak")
        _replace(path, after)
    print("Changed:" if fix else "Nothing was written; --fix makes these changes:")
    for line in said:
        print(f"  - {line}")


def _replace(path: Path, text: str) -> None:
    """Write a file that is whole at any moment, with the rights that it had."""
    new = path.with_name(f"{path.name}.new")
    shutil.copy2(path, new)
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def changes() -> list[Change]:
    """Return all that changed."""
    lines = Path(__file__).with_name("config_changes.tsv").read_text(encoding="utf-8").splitlines()
    found = []
    for line in lines[1:]:
        *cells, weight = line.split("\t")
        section, option, kind, value, new = cells
        found.append(Change(section, option, kind, value, new, weight == "breaking"))
    return found


def _chosen(*given: str | None) -> list[Change]:
    sections, options, no_sections, no_options = (
        {name.strip().lower() for name in (one or "").split(",") if name.strip()} for one in given
    )
    return [
        change
        for change in changes()
        if (not sections or change.section in sections)
        and (not options or change.option in options)
        and change.section not in no_sections
        and change.option not in no_options
    ]


# --------------------------------------------------------------------------------------------------- the file


class _Entry(NamedTuple):
    """An option in a file: lines from `first` up to `end`."""

    section: str
    option: str
    value: str
    first: int
    end: int


def updated(text: str, changes: Iterable[Change]) -> tuple[str, list[str]]:
    """Return the text of airflow.cfg with changes, and what was done."""
    lines, said = text.splitlines(), []
    for change in changes:
        entry = next((one for one in _entries(lines) if one[:2] == change[:2]), None)
        if entry is None or change.kind == "invalid" or not change.concerns(entry.value):
            continue
        taken = lines[entry.first : entry.end]
        if change.kind == "default":
            lines[entry.first : entry.end] = [f"{change.option} = {change.new}"]
            said.append(f"[{change.section}] {change.option} is {change.new} in place of {entry.value}")
        elif change.kind == "removed":
            del lines[entry.first : entry.end]
            said.append(f"[{change.section}] {change.option} is left out")
        else:
            del lines[entry.first : entry.end]
            _put(lines, change.value, change.new, [re.sub(r"^[^=:]+", f"{change.new} ", taken[0]), *taken[1:]], entry)
            said.append(f"[{change.section}] {change.option} is called [{change.value}] {change.new}")
    return "\n".join(lines) + ("\n" if text.endswith("\n") else ""), said


def _put(lines: list[str], section: str, option: str, written: list[str], old: _Entry) -> None:
    """Put an option into its section: in its old place, at the end of the section, or in a new one; not if it is set."""
    if any(one[:2] == (section, option) for one in _entries(lines)):
        return
    if section == old.section:
        lines[old.first : old.first] = written
        return
    at = _end_of(lines, section)
    if at is None:
        lines += ["", f"[{section}]", *written]
    else:
        lines[at:at] = written


def _end_of(lines: list[str], section: str) -> int | None:
    """Return where a section ends, before the empty lines and comments that belong to what follows."""
    last, inside = None, False
    for number, line in enumerate(lines):
        if header := _HEADER.match(line):
            inside = header[1].strip().lower() == section
        if inside and line.strip() and (header or not line.lstrip().startswith(("#", ";"))):
            last = number + 1
    return last


def _entries(lines: list[str]) -> Iterator[_Entry]:
    section = ""
    for number, line in enumerate(lines):
        if header := _HEADER.match(line):
            section = header[1].strip().lower()
        elif found := _OPTION.match(line):
            end = number + 1
            while end < len(lines) and lines[end][:1].isspace() and lines[end].strip():
                end += 1
            parts = [found[2].strip(), *(part.strip() for part in lines[number + 1 : end])]
            value = "\n".join(parts).replace("%%", "%")
            yield _Entry(section, found[1].strip().lower(), value, number, end)
