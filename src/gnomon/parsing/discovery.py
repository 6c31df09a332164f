"""Which files of a folder may define DAGs: .airflowignore in both syntaxes, and a look at the bytes."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

IGNORE_FILE = ".airflowignore"
#: Folders of tools, which hold no DAGs and change all the time.
TOOL_FOLDERS = frozenset(
    {
        "__pycache__",
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "node_modules",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
    }
)
Syntax = Literal["glob", "regexp"]
#: Says of a path relative to the root, with a slash at its end if it is a folder: leave it out, keep it, or nothing.
Verdict = Callable[[str], bool | None]


@dataclass
class Found:
    """What a look through a folder gave."""

    #: relative paths, in order
    files: list[str] = field(default_factory=list)
    #: (relative path of an ignore file, what is wrong with it)
    problems: list[tuple[str, str]] = field(default_factory=list)


def may_define_dags(content: bytes) -> bool:
    """Return whether a Python file is worth importing: it speaks of Airflow, and of a DAG or an asset."""
    text = content.lower()
    return (b"airflow" in text or b"gnomon" in text) and (b"dag" in text or b"asset" in text)


#: What is known of a file: (mtime_ns, size), and whether it may define DAGs.
Seen = dict[str, tuple[tuple[int, int], bool]]


def find_dag_files(root: str, *, syntax: Syntax, safe_mode: bool, seen: Seen | None = None) -> Found:
    """Return the files below `root` that may define DAGs.

    Links to folders are followed; a folder is visited once, however many links lead to it.

    Args:
        seen: what an earlier look found; files that have not changed are not read again.
    """
    found = Found()
    _walk(_Search(root, syntax, safe_mode, found, {os.path.realpath(root)}, {} if seen is None else seen), "", ())
    return found


def is_dag_file(path: str, *, safe_mode: bool) -> bool:
    """Return whether a file, ignored or not, is one that may define DAGs."""
    try:
        if path.endswith(".py"):
            if not safe_mode:
                return os.path.isfile(path)
            with open(path, "rb") as file:
                return may_define_dags(file.read())
        return path.endswith(".zip") and zipfile.is_zipfile(path)
    except OSError:
        return False


@dataclass
class _Search:
    root: str
    syntax: Syntax
    safe_mode: bool
    found: Found
    visited: set[str]
    seen: Seen

    def may_define_dags(self, path: str) -> bool:
        """Look at the bytes of a file, unless they are known."""
        try:
            status = os.stat(path)
        except OSError:
            return False
        stamp = (status.st_mtime_ns, status.st_size)
        known = self.seen.get(path)
        if known is None or known[0] != stamp:
            known = self.seen[path] = (stamp, is_dag_file(path, safe_mode=self.safe_mode))
        return known[1]


def _walk(search: _Search, folder: str, rules: tuple[Verdict, ...]) -> None:
    try:
        entries = sorted(os.scandir(os.path.join(search.root, folder)), key=lambda entry: entry.name)
    except OSError:
        return  # gone meanwhile, or not ours to read
    if any(entry.name == IGNORE_FILE for entry in entries):
        rules = (*rules, _read_ignore_file(search, folder))
    for entry in entries:
        path = folder + entry.name
        if entry.is_dir():
            if entry.name not in TOOL_FOLDERS and not _left_out(path + "/", rules):
                real = os.path.realpath(entry.path)
                if real not in search.visited:
                    search.visited.add(real)
                    _walk(search, path + "/", rules)
        elif entry.name.endswith((".py", ".zip")) and not _left_out(path, rules) and search.may_define_dags(entry.path):
            search.found.files.append(path)


def _left_out(path: str, rules: tuple[Verdict, ...]) -> bool:
    """The innermost ignore file that says anything about a path decides."""
    return next((verdict for rule in reversed(rules) if (verdict := rule(path)) is not None), False)


def _read_ignore_file(search: _Search, folder: str) -> Verdict:
    name = folder + IGNORE_FILE
    try:
        with open(os.path.join(search.root, name), encoding="utf-8", errors="replace") as file:
            lines = [re.sub(r"\s*#.*", "", line).strip() for line in file.read().splitlines()]
    except OSError:
        return lambda path: None
    return _globs(search, name, lines) if search.syntax == "glob" else _regexps(search, name, lines)


def _globs(search: _Search, name: str, lines: list[str]) -> Verdict:
    """Patterns as in .gitignore, relative to the folder of the file; the last one that matches decides."""
    from pathspec import GitIgnoreSpec

    folder = name.removesuffix(IGNORE_FILE)
    try:
        spec = GitIgnoreSpec.from_lines([line for line in lines if line and line != "/"])
    except ValueError as error:
        search.found.problems.append((name, f"{name}: {error}"))
        return lambda path: None
    return lambda path: spec.check_file(path.removeprefix(folder)).include


def _regexps(search: _Search, name: str, lines: list[str]) -> Verdict:
    """Regular expressions that may match anywhere in the path from the root."""
    patterns: list[re.Pattern[str]] = []
    for number, line in enumerate(lines, 1):
        if line:
            try:
                patterns.append(re.compile(line))
            except re.error as error:
                problem = f"{name}:{number}: {line!r} is not a regular expression: {error}"
                search.found.problems.append((name, problem))
    return lambda path: True if any(pattern.search(path.rstrip("/")) for pattern in patterns) else None
