"""The size of files and functions, and the names of modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
FILE_LINES = 500
FUNCTION_LINES = 60
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}

#: Files that are longer, each with the reason.
LONG_FILES: dict[str, str] = {
    "gnomon/wire/execution.py": "the whole execution protocol, each message declared once, to be read from top to bottom",
}

#: Functions that are longer, each with the reason.
LONG_FUNCTIONS: dict[str, str] = {
    "gnomon/sdk/dag.py:DAG.__init__": "one line per argument of Airflow's DAG",
    "gnomon/sdk/operator.py:BaseOperator.__init__": "one line per argument of Airflow's BaseOperator",
}


def python_files() -> list[Path]:
    return sorted(path for path in SRC.rglob("*.py") if "template" not in path.relative_to(SRC).parts[:-1])


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yield the dotted name and the length of every function, without its docstring."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{prefix}{node.name}"
            if not isinstance(node, ast.ClassDef):
                yield name, lines_of(node)
            yield from functions(node, f"{name}.")
        else:
            yield from functions(node, prefix)


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    length = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is None:
        return length
    docstring = node.body[0]
    assert docstring.end_lineno is not None
    return length - (docstring.end_lineno - docstring.lineno + 1)


@pytest.fixture(scope="module")
def sizes() -> dict[str, tuple[int, dict[str, int]]]:
    found = {}
    for path in python_files():
        text = path.read_text(encoding="utf-8")
        found[str(path.relative_to(SRC))] = (len(text.splitlines()), dict(functions(ast.parse(text))))
    return found


def test_files_are_short(sizes):
    long = {name: lines for name, (lines, _) in sizes.items() if lines > FILE_LINES}

    assert set(LONG_FILES) == set(long), f"longer than {FILE_LINES} lines: {long}"


def test_functions_are_short(sizes):
    long = {
        f"{file}:{name}": lines
        for file, (_, functions) in sizes.items()
        for name, lines in functions.items()
        if lines > FUNCTION_LINES
    }

    assert set(LONG_FUNCTIONS) == set(long), f"longer than {FUNCTION_LINES} lines: {long}"


def test_each_exception_has_a_reason():
    assert all(len(reason.split()) >= 4 for reason in (*LONG_FILES.values(), *LONG_FUNCTIONS.values()))


def test_modules_of_gnomon_are_named_for_what_they_are():
    gnomon = SRC / "gnomon"
    bad = [
        path for path in gnomon.rglob("*.py") if FORBIDDEN_NAMES & set(path.relative_to(gnomon).with_suffix("").parts)
    ]

    assert bad == []


def test_every_package_has_its_init():
    bare = {
        path.parent
        for path in (SRC / "gnomon").rglob("*.py")
        if "template" not in path.parts and not (path.parent / "__init__.py").exists()
    }

    assert bare == set()
