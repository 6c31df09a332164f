from __future__ import annotations

import os
from pathlib import Path

from gnomon.parsing.files import DagFile, DagFiles
from gnomon.parsing.project import OUTSIDE, source_hash
from gnomon.parsing.records import FileKey


def known(root: Path, name: str, *modules: str) -> DagFile:
    return DagFile(FileKey("dags", name), str(root), modules=modules)


def test_a_module_concerns_the_files_that_import_it(tmp_path: Path) -> None:
    files = DagFiles()
    files.add(known(tmp_path, "a.py", "include/x.py", "/elsewhere/y.py"))
    files.add(known(tmp_path, "b.py", "include/x.py", OUTSIDE))

    assert {key.path for key in files.concerned(f"{tmp_path}/include/x.py")} == {"a.py", "b.py"}
    assert {key.path for key in files.concerned("/elsewhere/y.py")} == {"a.py"}
    assert {key.path for key in files.concerned(f"{tmp_path}/b.py")} == {"b.py"}
    assert files.concerned(f"{tmp_path}/include/z.py") == set()


def test_a_folder_concerns_who_listed_it_or_has_something_in_it(tmp_path: Path) -> None:
    files = DagFiles()
    files.add(known(tmp_path, "a.py", "configs/"))
    files.add(known(tmp_path, "b.py", "configs/deep/c.yaml"))

    assert {key.path for key in files.concerned(f"{tmp_path}/configs/new.yaml")} == {"a.py"}
    assert {key.path for key in files.concerned(f"{tmp_path}/configs/")} == {"a.py", "b.py"}


def test_what_a_file_no_longer_needs_does_not_concern_it(tmp_path: Path) -> None:
    files = DagFiles()
    file = known(tmp_path, "a.py", "x.py")
    files.add(file)
    files.depends(file, ["y.py"])

    assert files.concerned(f"{tmp_path}/x.py") == set()
    assert files.concerned(f"{tmp_path}/y.py") == {file.key}
    files.remove(file.key)
    assert files.concerned(f"{tmp_path}/y.py") == set()


def test_a_linked_file_is_concerned_by_its_target(tmp_path: Path) -> None:
    (tmp_path / "real.py").write_text("")
    (tmp_path / "link.py").symlink_to(tmp_path / "real.py")
    files = DagFiles()
    file = known(tmp_path, "link.py")
    files.add(file)

    assert files.concerned(os.path.realpath(tmp_path / "real.py")) == {file.key}


def test_the_hash_covers_the_file_and_what_it_depends_on(tmp_path: Path) -> None:
    def now() -> str:
        return source_hash(str(tmp_path / "a.py"), str(tmp_path), ["x.py", "configs/", OUTSIDE])

    (tmp_path / "configs").mkdir()
    (tmp_path / "a.py").write_text("1")
    hashes = [now()]
    (tmp_path / "a.py").write_text("2")
    hashes.append(now())
    (tmp_path / "x.py").write_text("")
    hashes.append(now())
    (tmp_path / "configs" / "c.yaml").write_text("")
    hashes.append(now())
    (tmp_path / "configs" / "__pycache__").mkdir()

    assert len(set(hashes)) == 4
    assert now() == hashes[-1]
