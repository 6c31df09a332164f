"""Loading one file, in this process: what is collected, and how what goes wrong is told."""

from __future__ import annotations

import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon.parsing.loader import LoadedFile, load_file, unique_module_name

Load = Callable[..., LoadedFile]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Writes a DAG file, and others beside it, and loads it."""
    path, modules = list(sys.path), set(sys.modules)
    hooks, cache = list(sys.path_hooks), dict(sys.path_importer_cache)

    def load_text(text: str, name: str = "file.py", **others: str) -> LoadedFile:
        for other, content in others.items():
            (tmp_path / f"{other}.py").write_text(textwrap.dedent(content))
        (tmp_path / name).write_text(textwrap.dedent(text))
        return load_file(str(tmp_path / name), bundle_root=str(tmp_path), relative_path=name)

    yield load_text
    sys.path[:], sys.path_hooks[:] = path, hooks
    sys.path_importer_cache.clear()
    sys.path_importer_cache.update(cache)
    for module in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


def test_dags_of_all_styles(load: Load, tmp_path: Path) -> None:
    loaded = load(
        """
        from gnomon.sdk import DAG, dag

        in_a_global = DAG("global_dag", schedule=None)
        with DAG("context_dag", schedule=None):
            pass

        @dag(schedule=None)
        def decorated_dag():
            pass

        decorated_dag()

        def hidden():
            with DAG("in_a_function", schedule=None):
                pass
            DAG("never_registered", schedule=None)
            with DAG("not_wanted", schedule=None, auto_register=False):
                pass

        hidden()
        """
    )

    assert loaded.error is None
    assert sorted(loaded.dags) == ["context_dag", "decorated_dag", "global_dag", "in_a_function"]
    assert {dag.fileloc for dag in loaded.dags.values()} == {str(tmp_path / "file.py")}
    assert {dag.relative_fileloc for dag in loaded.dags.values()} == {"file.py"}
    assert loaded.modules == []
    assert unique_module_name(str(tmp_path / "file.py")) in sys.modules


def test_an_imported_dag_counts_too_and_its_module_is_a_dependency(load: Load) -> None:
    factory = "from gnomon.sdk.dag import DAG\ndef make():\n    return DAG('made', schedule=None)\n"
    loaded = load("import factory\ndag = factory.make()\n", factory=factory)

    assert list(loaded.dags) == ["made"]
    assert loaded.modules == ["factory.py"]
    assert loaded.dags["made"].fileloc.endswith("file.py")


def test_each_file_sees_project_modules_anew(load: Load) -> None:
    load("import counter\ncounter.n += 1\n", counter="n = 0\n")
    loaded = load("import counter\nassert counter.n == 0\n", name="other.py")

    assert loaded.error is None
    assert loaded.modules == ["counter.py"]


def test_two_saves_in_one_second_of_one_size(load: Load) -> None:
    text = "import value\nfrom gnomon.sdk.dag import DAG\ndag = DAG(value.name, schedule=None)\n"
    first = load(text, value="name = 'aa'\n")
    second = load(text, value="name = 'bb'\n")

    assert (list(first.dags), list(second.dags)) == (["aa"], ["bb"])
    assert first.source_hash != second.source_hash


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = (\n", ["file.py", "line 1", "SyntaxError"]),
        ("import os\nraise ValueError('no good')\n", ["file.py", "line 2", "ValueError: no good"]),
        ("import sys\n\nsys.exit(3)\n", ["line 3", "SystemExit: 3", "ended its process"]),
        ("import not_installed_at_all\n", ["line 1", "ModuleNotFoundError", "not_installed_at_all"]),
        ("import airflow.providers.nosuch.hooks\n", ["line 1", "requirements.txt"]),
        (
            "from gnomon.sdk.dag import DAG\na = DAG('same', schedule=None)\nb = DAG('same', schedule=None)\n",
            ["two DAGs in file.py have the dag_id 'same'"],
        ),
    ],
)
def test_errors_name_file_and_line(load: Load, text: str, expected: list[str]) -> None:
    loaded = load(text)

    assert loaded.error is not None
    assert loaded.dags == {}
    for part in expected:
        assert part in loaded.error


def test_an_error_in_a_module_shows_the_users_frames_only(load: Load) -> None:
    loaded = load("import broken\n", broken="import json\ndef f():\n    json.loads('{')\nf()\n")

    assert loaded.error is not None
    assert loaded.error.count("  File ") == 3
    assert 'broken.py", line 3, in f' in loaded.error
    assert "json/decoder.py" not in loaded.error
    assert "loader.py" not in loaded.error
    assert "importlib" not in loaded.error


def test_a_circle_is_told_with_the_dag(load: Load) -> None:
    loaded = load(
        """
        from gnomon.sdk.dag import DAG
        from gnomon.sdk.operator import BaseOperator

        with DAG("round", schedule=None):
            a, b = BaseOperator(task_id="a"), BaseOperator(task_id="b")
            a >> b >> a
        """
    )

    assert loaded.error is not None
    assert "'round' in file.py" in loaded.error
    assert "Cycle" in loaded.error


def test_deprecations_are_the_authors_and_others_are_not(load: Load) -> None:
    loaded = load("import warnings\nwarnings.warn('old way', DeprecationWarning)\nwarnings.warn('by the way')\n")

    ((category, text),) = loaded.warnings
    assert category == "DeprecationWarning"
    assert text.endswith("file.py:2: old way")


def test_zip_archives(tmp_path: Path, load: Load) -> None:
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr(
            "first.py", "# airflow\nimport support\nfrom gnomon.sdk.dag import DAG\nd = DAG('z1', schedule=None)"
        )
        archive.writestr("second.py", "# airflow\nfrom gnomon.sdk.dag import DAG\nwith DAG('z2', schedule=None): pass")
        archive.writestr("support.py", "x = 1")
    loaded = load_file(str(tmp_path / "pack.zip"), bundle_root=str(tmp_path), relative_path="pack.zip")

    assert loaded.error is None
    assert sorted(loaded.dags) == ["z1", "z2"]
    assert loaded.dags["z1"].relative_fileloc == "pack.zip/first.py"
    assert loaded.modules == []
