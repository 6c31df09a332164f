from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from gnomon.parsing.discovery import find_dag_files, may_define_dags

DAG = "from airflow.sdk import DAG\n"


def put(root: Path, *names: str, text: str = DAG) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def find(root: Path, syntax: str = "glob", *, safe_mode: bool = True) -> list[str]:
    found = find_dag_files(str(root), syntax=syntax, safe_mode=safe_mode)  # type: ignore[arg-type]
    assert found.problems == []
    return found.files


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"from airflow import DAG", True),
        (b"import AIRFLOW  # Dag", True),
        (b"from airflow.sdk import asset", True),
        (b"from gnomon.sdk import dag", True),
        (b"import airflow", False),
        (b"dag = 1", False),
    ],
)
def test_the_look_at_the_bytes(text: bytes, expected: bool) -> None:
    assert may_define_dags(text) is expected


def test_only_python_files_that_may_define_dags(tmp_path: Path) -> None:
    put(tmp_path, "a.py", "sub/deep/b.py")
    put(tmp_path, "helper.py", text="x = 1\n")
    put(tmp_path, "notes.txt", "__pycache__/c.py", ".git/d.py", ".venv/e.py")

    assert find(tmp_path) == ["a.py", "sub/deep/b.py"]
    assert find(tmp_path, safe_mode=False) == ["a.py", "helper.py", "sub/deep/b.py"]


def test_zip_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        archive.writestr("inner.py", DAG)
    put(tmp_path, "broken.zip", text="no archive")

    assert find(tmp_path) == ["good.zip"]


def test_glob_ignores_like_gitignore(tmp_path: Path) -> None:
    put(tmp_path, "a.py", "a_test.py", "keep_test.py", "sub/b.py", "sub/c_test.py", "old/d.py", "x/old/e.py", "x/f.py")
    put(tmp_path, ".airflowignore", text="# tests\n*_test.py\n!keep_test.py\n/old/  # the folder here only\n")

    assert find(tmp_path) == ["a.py", "keep_test.py", "sub/b.py", "x/f.py", "x/old/e.py"]


def test_an_ignore_file_counts_below_its_folder_and_the_innermost_decides(tmp_path: Path) -> None:
    put(tmp_path, "b.py", "sub/b.py", "sub/c.py", "sub/deep/c.py")
    put(tmp_path, ".airflowignore", text="c.py\n")
    put(tmp_path, "sub/.airflowignore", text="b.py\n")
    put(tmp_path, "sub/deep/.airflowignore", text="!c.py\n")

    assert find(tmp_path) == ["b.py", "sub/deep/c.py"]


def test_regexp_matches_anywhere_in_the_path(tmp_path: Path) -> None:
    put(tmp_path, "a.py", "tenant_1/b.py", "tenant_2/b.py", "sub/tenant_10.py")
    put(tmp_path, ".airflowignore", text="tenant_[01]\n  # nothing else\n")

    assert find(tmp_path, "regexp") == ["a.py", "tenant_2/b.py"]


def test_a_bad_pattern_is_named_and_the_others_count(tmp_path: Path) -> None:
    put(tmp_path, "a.py", "b.py", "c.py")
    put(tmp_path, ".airflowignore", text="b\n(\n")
    found = find_dag_files(str(tmp_path), syntax="regexp", safe_mode=True)

    assert found.files == ["a.py", "c.py"]
    ((name, problem),) = found.problems
    assert name == ".airflowignore"
    assert problem.startswith(".airflowignore:2: '(' is not a regular expression")


def test_links_are_followed_once(tmp_path: Path) -> None:
    put(tmp_path, "dags/a.py", "elsewhere/b.py")
    (tmp_path / "dags" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "dags" / "loop").symlink_to(tmp_path / "dags")

    assert find(tmp_path / "dags") == ["a.py", "linked/b.py"]


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert find(tmp_path / "missing") == []


def test_what_was_seen_is_not_read_again(tmp_path: Path) -> None:
    put(tmp_path, "a.py")
    seen: dict[str, tuple[tuple[int, int], bool]] = {}
    find_dag_files(str(tmp_path), syntax="glob", safe_mode=True, seen=seen)
    seen[str(tmp_path / "a.py")] = (seen[str(tmp_path / "a.py")][0], False)

    assert find_dag_files(str(tmp_path), syntax="glob", safe_mode=True, seen=seen).files == []
    put(tmp_path, "a.py", text=DAG + "# changed\n")
    assert find_dag_files(str(tmp_path), syntax="glob", safe_mode=True, seen=seen).files == ["a.py"]
