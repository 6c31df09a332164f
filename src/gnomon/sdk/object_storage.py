"""ObjectStoragePath: files in any store, as paths."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from stat import S_IFDIR, S_IFLNK, S_IFREG
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from gnomon.sdk.filesystems import attach

try:
    from upath import UPath
    from upath.extensions import ProxyUPath, classmethod_or_method
except ImportError:
    raise ImportError(
        "ObjectStoragePath needs the package universal-pathlib, 0.3.8 or newer; install it with:"
        " gnomon env install universal-pathlib fsspec"
    ) from None

_LOCAL = ("", "file", "local")


class stat_result(dict[str, Any]):
    """What a store says of a file, with the names of `os.stat_result` for what they have in common."""

    st_dev = property(lambda self: 0)
    st_size = property(lambda self: self.get("size", 0))
    st_gid = property(lambda self: self.get("gid", 0))
    st_uid = property(lambda self: self.get("uid", 0))
    st_ino = property(lambda self: self.get("ino", 0))
    st_nlink = property(lambda self: self.get("nlink", 0))

    @property
    def st_mtime(self) -> float:
        """When the content changed last, in seconds since the epoch; 0 if the store does not say."""
        for name in ("mtime", "LastModified", "last_modified", "updated"):
            if (found := self.get(name)) is not None:
                return float(found.timestamp()) if hasattr(found, "timestamp") else float(found)
        return 0

    @property
    def st_mode(self) -> int:
        """The kind of file, and its permissions if the store has any."""
        if "mode" in self:
            return int(self["mode"])
        if self.get("isLink"):
            return S_IFLNK
        return {"file": S_IFREG, "directory": S_IFDIR}.get(self.get("type", ""), 0)


class _Connected:
    """A filesystem that is connected when it is first used: paths are made at the top of DAG files."""

    def __init__(self, protocol: str, conn_id: str | None) -> None:
        self._protocol, self._conn_id = protocol, conn_id

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_protocol", "_conn_id"):
            raise AttributeError(name)
        return getattr(attach(self._protocol, self._conn_id).fs, name)


class _Tracked:
    """An open file that notes for lineage whether it was read or written."""

    def __init__(self, path: ObjectStoragePath, file: Any) -> None:
        self._path, self._file = path, file

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._file, name)
        if name in ("read", "readline", "readlines", "readinto"):
            self._note("add_input_asset")
        elif name in ("write", "writelines"):
            self._note("add_output_asset")
        return attribute

    def _note(self, what: str) -> None:
        from gnomon.sdk.lineage import get_hook_lineage_collector

        getattr(get_hook_lineage_collector(), what)(context=self._path, uri=str(self._path))

    def __iter__(self) -> Iterator[Any]:
        self._note("add_input_asset")
        return iter(self._file)

    def __getitem__(self, key: Any) -> Any:
        return self._file[key]

    def __enter__(self) -> Self:
        self._file.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)


class ObjectStoragePath(ProxyUPath):
    """A path in a store: `ObjectStoragePath("s3://conn_id@bucket/key")`, or a local one.

    It does what pathlib's paths do, and what is particular to stores: copies from one store to another, checksums,
    signed addresses. A connection is looked up when the path is first used, not when it is made.

    Args:
        args: a URL and parts to append to it; the connection's id may stand before "@".
        protocol: the scheme, if the URL has none.
        conn_id: the connection.
        storage_options: options of the filesystem, as fsspec has them.
    """

    __version__: ClassVar[int] = 1
    sep: ClassVar[str] = "/"
    root_marker: ClassVar[str] = "/"
    __slots__ = ("_conn_id",)

    def __init__(
        self, *args: Any, protocol: str | None = None, conn_id: str | None = None, **storage_options: Any
    ) -> None:
        first = args[0] if args else None
        if isinstance(first, ObjectStoragePath):
            conn_id = conn_id or first.conn_id
            protocol = protocol or first.protocol
            args = (first.__wrapped__, *args[1:])
        elif first is not None:
            url = urlsplit(os.fspath(first))
            before, at, host = url.netloc.rpartition("@")
            if at:
                conn_id = conn_id or before or None
                url = url._replace(netloc=host)
            protocol = protocol or url.scheme
            args = (url.geturl(), *args[1:])
        self._conn_id = conn_id
        super().__init__(*args, protocol=protocol, **storage_options)
        self._connect(self.__wrapped__)

    @classmethod_or_method  # type: ignore[untyped-decorator]
    def _from_upath(cls_or_self, upath: Any, /) -> Any:
        """Return a path of this class around one of UPath's, with the connection of the path it came from."""
        made_from = cls_or_self if isinstance(cls_or_self, ObjectStoragePath) else None
        cls = cls_or_self if made_from is None else type(made_from)
        if isinstance(upath, cls):
            return upath
        path = object.__new__(cls)
        path.__wrapped__ = upath
        path._conn_id = None if made_from is None else made_from.conn_id
        path._connect(upath)
        return path

    def _connect(self, wrapped: Any) -> None:
        """Have what UPath does itself done by the store of this path's connection."""
        if self._conn_id is not None and wrapped.protocol not in _LOCAL and not hasattr(wrapped, "_fs_cached"):
            wrapped._fs_cached = _Connected(wrapped.protocol, self._conn_id)

    def __reduce__(self) -> Any:
        return _restored, (str(self), dict(self.storage_options))

    @property
    def conn_id(self) -> str | None:
        """The connection."""
        return getattr(self, "_conn_id", None)

    @property
    def fs(self) -> Any:
        """The filesystem, connected."""
        if self.storage_options:
            return self.__wrapped__.fs
        return attach(self.protocol or "file", self.conn_id).fs

    @property
    def container(self) -> str:
        """The bucket."""
        return self.bucket

    @property
    def bucket(self) -> str:
        """The bucket; empty for local files."""
        return str(self._url.netloc) if self._url else ""

    @property
    def key(self) -> str:
        """The path below the bucket."""
        return str(self._url.path.lstrip(self.sep)) if self._url else ""

    @property
    def namespace(self) -> str:
        """Scheme and bucket."""
        return f"{self.protocol}://{self.bucket}" if self.bucket else str(self.protocol)

    def __str__(self) -> str:
        if self.protocol and self.conn_id:
            return f"{self.protocol}://{self.conn_id}@{self.path}"
        return str(super().__str__())

    def __eq__(self, other: object) -> bool:
        return self.samestore(other) and str(self) == str(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(str(self))

    def samestore(self, other: Any) -> bool:
        """Tell whether the other path is in the same store, with the same connection."""
        return (
            isinstance(other, ObjectStoragePath)
            and (self.protocol or "file") == (other.protocol or "file")
            and self.conn_id == other.conn_id
        )

    def samefile(self, other_path: Any) -> bool:
        """Tell whether both paths are the same file."""
        if not isinstance(other_path, ObjectStoragePath):
            return False
        mine, others = self.stat(), other_path.stat()
        return all(mine.get(name) == others.get(name) for name in ("protocol", "conn_id", "ino"))

    def is_relative_to(self, other: Any, /, *_: Any) -> bool:
        """Tell whether this path is below another one of the same store."""
        if isinstance(other, ObjectStoragePath):
            other, same = other.__wrapped__, self.samestore(other)
            return bool(same and self.__wrapped__.is_relative_to(other))
        return bool(self.__wrapped__.is_relative_to(other))

    def open(self, mode: str = "r", **kwargs: Any) -> Any:
        """Open the file; arguments are those of the filesystem's `open`."""
        kwargs.setdefault("block_size", kwargs.pop("buffering", None))
        return _Tracked(self, self.fs.open(self.path, mode=mode, **kwargs))

    def stat(self, *, follow_symlinks: bool = True) -> stat_result:
        """Return what the store says of the file."""
        return stat_result(self.fs.stat(self.path), protocol=self.protocol, conn_id=self.conn_id)

    def replace(self, target: Any) -> Any:
        """Rename to the target, which is overwritten."""
        return self.rename(target)

    @classmethod
    def cwd(cls) -> Any:
        """Return the current folder."""
        return cls._from_upath(UPath.cwd())

    @classmethod
    def home(cls) -> Any:
        """Return the user's folder."""
        return cls._from_upath(UPath.home())

    # --------------------------------------------------------------------------------- what only stores can do

    def ukey(self) -> str:
        """Return something that differs when the file has changed."""
        return str(self.fs.ukey(self.path))

    def checksum(self) -> int:
        """Return a checksum of the file."""
        return int(self.fs.checksum(self.path))

    def size(self) -> int:
        """Return the size in bytes."""
        return int(self.fs.size(self.path))

    def read_block(self, offset: int, length: int | None, delimiter: bytes | None = None) -> Any:
        """Return a part of the file; with a delimiter, moved to begin and end after one."""
        return self.fs.read_block(self.path, offset=offset, length=length, delimiter=delimiter)

    def sign(self, expiration: int = 100, **kwargs: Any) -> str:
        """Return an address that can be opened without credentials for so many seconds, if the store has such."""
        return str(self.fs.sign(self.path, expiration=expiration, **kwargs))

    def copy(self, dst: Any, recursive: bool = False, **kwargs: Any) -> None:
        """Copy the file, or with `recursive` a folder, within the store or to another one.

        Raises:
            FileNotFoundError: there is nothing to copy.
            ValueError: a folder was to be copied onto a file.
        """
        dst = _path(dst)
        if self.samestore(dst) or self.protocol in _LOCAL or dst.protocol in _LOCAL:
            self._note_copy(dst)
        if self.samestore(dst):
            self.fs.copy(self.path, dst.path, recursive=recursive, **kwargs)
        elif self.protocol in _LOCAL:
            dst.fs.put(self.path, dst.path, recursive=recursive, **kwargs)
        elif dst.protocol in _LOCAL:
            self.fs.get(self.path, dst.path, recursive=recursive, **kwargs)
        elif not self.exists():
            raise FileNotFoundError(f"{self} does not exist")
        elif not self.is_dir():
            self._stream_to(dst, **kwargs)
        elif dst.is_file():
            raise ValueError("Cannot copy directory to a file.")
        else:
            self._copy_folder(dst, **kwargs)

    def copy_into(self, target_dir: Any, recursive: bool = False, **kwargs: Any) -> None:
        """Copy into a folder.

        Raises:
            NotADirectoryError: it is none.
        """
        self.copy(_folder(target_dir) / self.name, recursive=recursive, **kwargs)

    def move(self, path: Any, recursive: bool = False, **kwargs: Any) -> None:
        """Move the file, or with `recursive` a folder, within the store or to another one."""
        path = _path(path)
        if self.samestore(path):
            self._note_copy(path)
            self.fs.move(self.path, path.path, recursive=recursive, **kwargs)
            return
        self.copy(path, recursive=recursive, **kwargs)
        if recursive and self.is_dir():
            self.fs.rm(self.path, recursive=True)
        else:
            self.unlink()

    def move_into(self, target_dir: Any, recursive: bool = False, **kwargs: Any) -> None:
        """Move into a folder.

        Raises:
            NotADirectoryError: it is none.
        """
        self.move(_folder(target_dir) / self.name, recursive=recursive, **kwargs)

    def _copy_folder(self, dst: ObjectStoragePath, **kwargs: Any) -> None:
        dst.mkdir(exist_ok=True, parents=True)
        for found in self.fs.expand_path(self.path, recursive=True, **kwargs):
            if found == self.path:
                continue
            source = ObjectStoragePath(found, protocol=self.protocol, conn_id=self.conn_id)
            if not source.is_dir():  # empty folders are not made
                source._stream_to(dst)

    def _stream_to(self, dst: ObjectStoragePath, **kwargs: Any) -> None:
        if not dst.key or dst.key.endswith(self.sep):
            dst.mkdir(exist_ok=True, parents=True)
            dst = dst / self.key
        elif dst.is_dir():
            dst = dst / self.key
        with self.open("rb") as source, dst.open("wb") as target:
            shutil.copyfileobj(source, target, **kwargs)

    def _note_copy(self, dst: ObjectStoragePath) -> None:
        from gnomon.sdk.lineage import get_hook_lineage_collector

        collector = get_hook_lineage_collector()
        collector.add_input_asset(context=self, uri=str(self))
        collector.add_output_asset(context=dst, uri=str(dst))

    # ------------------------------------------------------------------------------------------------- as XCom

    def serialize(self) -> dict[str, Any]:
        """Return the path as data."""
        return {"path": str(self), "conn_id": self.conn_id, "kwargs": dict(self.storage_options)}

    @classmethod
    def deserialize(cls, data: dict[str, Any], version: int) -> ObjectStoragePath:
        """Return the path that `serialize` wrote.

        Raises:
            ValueError: it is of a newer version.
        """
        if version > cls.__version__:
            raise ValueError(f"Cannot deserialize version {version} with version {cls.__version__}.")
        return ObjectStoragePath(data["path"], conn_id=data.get("conn_id"), **data["kwargs"])


def _restored(path: str, options: dict[str, Any]) -> ObjectStoragePath:
    return ObjectStoragePath(path, **options)


def _path(given: Any) -> ObjectStoragePath:
    return given if isinstance(given, ObjectStoragePath) else ObjectStoragePath(given)


def _folder(given: Any) -> ObjectStoragePath:
    path = _path(given)
    if not path.is_dir():
        raise NotADirectoryError(f"Destination {path} is not a directory.")
    return path
