"""ObjectStoragePath over the local filesystem and over one in memory."""

from __future__ import annotations

import builtins
import importlib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach, get_fs, has_fs
from gnomon.sdk import filesystems
from gnomon.sdk.runtime import values


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty memory filesystem, and no store attached."""
    fs = fsspec.filesystem("memory")
    monkeypatch.setattr(filesystems, "_attached", {})
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def test_local_files(tmp_path: Path) -> None:
    base = ObjectStoragePath(f"file://{tmp_path}/a")
    base.mkdir(parents=True)
    file = base / "x.txt"
    with file.open("w") as out:
        out.write("one\ntwo")

    assert (file.name, file.suffix, file.parent) == ("x.txt", ".txt", base)
    assert (tmp_path / "a" / "x.txt").read_text() == file.read_text() == "one\ntwo"
    with file.open() as lines:
        assert list(lines) == ["one\n", "two"]
    assert (file.size(), file.stat().st_size, file.stat()["protocol"]) == (7, 7, "file")
    assert list(base.iterdir()) == [file]
    assert file.is_relative_to(base)
    assert file.read_block(0, 4) == b"one\n"
    assert ObjectStoragePath(tmp_path / "a" / "x.txt").read_text() == "one\ntwo"
    file.unlink()
    assert not file.exists()


def test_copies_and_moves_between_stores(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    local = ObjectStoragePath(f"file://{tmp_path}/x.txt")
    remote = ObjectStoragePath("memory://bucket/dir")
    remote.mkdir()

    local.copy(remote / "y.txt")
    (remote / "y.txt").copy("memory://bucket/z.txt")
    assert (remote.parent / "z.txt").read_text() == "x"
    (remote / "y.txt").copy_into(remote.parent)
    assert (remote.parent / "y.txt").read_bytes() == b"x"
    (remote / "y.txt").move(f"file://{tmp_path}/back.txt")
    assert ((tmp_path / "back.txt").read_text(), (remote / "y.txt").exists()) == ("x", False)
    with pytest.raises(NotADirectoryError):
        local.copy_into("memory://bucket/z.txt")


class _Elsewhere:
    """What a provider names as a filesystem: another memory."""

    schemes = ("elsewhere",)
    asked: list[str | None] = []

    @classmethod
    def get_fs(cls, conn_id: str | None, storage_options: dict[str, str]) -> Any:
        cls.asked.append(conn_id)
        from fsspec.implementations.dirfs import DirFileSystem

        return DirFileSystem("/inside", fsspec.filesystem("memory"))


def test_a_connection_is_looked_up_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystems, "_factories", lambda: {"s3": _Elsewhere.get_fs})
    _Elsewhere.asked.clear()
    path = ObjectStoragePath("s3://my_conn@bucket/key/x")

    assert (path.conn_id, path.bucket, path.container, path.key) == ("my_conn", "bucket", "bucket", "key/x")
    assert (str(path), path.namespace) == ("s3://my_conn@bucket/key/x", "s3://bucket")
    assert (path / "y").conn_id == path.parent.conn_id == "my_conn"
    assert path == ObjectStoragePath("s3://bucket/key/x", conn_id="my_conn")
    assert path != ObjectStoragePath("s3://bucket/key/x")
    assert _Elsewhere.asked == []

    fsspec.filesystem("memory").pipe("/inside/bucket/key/x", b"found")
    assert path.read_bytes() == b"found"
    assert path.exists()
    assert _Elsewhere.asked == ["my_conn"]


def test_paths_and_stores_are_values() -> None:
    path = ObjectStoragePath("s3://aws@bucket/key", anon=True)

    for again in (values.decode(values.encode(path)), pickle.loads(pickle.dumps(path))):
        assert again == path
        assert (again.conn_id, again.storage_options) == ("aws", {"anon": True})
    store = attach("memory")
    assert values.decode(values.encode(store)) is store
    assert attach("memory") is store
    assert attach("file", fs=store.fs, alias="mine") is attach(alias="mine")


def test_nobody_knows_the_scheme() -> None:
    assert (has_fs("file"), has_fs("nothing")) == (True, False)
    with pytest.raises(ValueError, match="No filesystem registered for scheme nothing"):
        get_fs("nothing")
    with pytest.raises(ValueError, match="No registered store with alias: unknown"):
        attach(alias="unknown")
    with pytest.raises(ValueError, match="No protocol specified"):
        attach()


def test_what_to_install_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_fsspec(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] in ("fsspec", "upath"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest, **more)

    for name in ("gnomon.sdk.filesystems", "gnomon.sdk.object_storage"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without_fsspec)
    with pytest.raises(ImportError, match=r"gnomon env install universal-pathlib fsspec"):
        importlib.import_module("gnomon.sdk.object_storage")
