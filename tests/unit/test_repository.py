"""The repository keeps its own promises: locks, licences, commands."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return {normal(match.group()) for match in found if match}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_releases_and_hashes_but_no_places(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())

    assert "://" not in text
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_everything_that_pyproject_asks_for_is_locked(project):
    wanted = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["postgres"]
    runtime = names((ROOT / LOCKS[0]).read_text(encoding="utf-8").splitlines())
    development = names((ROOT / LOCKS[1]).read_text(encoding="utf-8").splitlines())

    assert names(wanted) - runtime == set(), "run: make lock"
    assert names(project["dependency-groups"]["dev"]) - development == set(), "run: make lock"
    assert runtime - development == set(), "the development environment holds the runtime"


def test_both_locks_name_the_same_releases():
    def releases(lock: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))

    assert releases(LOCKS[0]) - releases(LOCKS[1]) == set()


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert {line.split()[1] for line in shown.splitlines()} == set(phony.split())


def test_the_readme_says_who_this_is_not():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())

    assert "not affiliated with, endorsed or sponsored by the Apache Software Foundation or Astronomer" in text
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", sorted(path.name for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))))
def test_links_between_documents_lead_somewhere(document):
    path = next(found for found in (ROOT / document, ROOT / "docs" / document) if found.exists())
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8"))

    assert [link for link in links if not (path.parent / link).exists()] == []
