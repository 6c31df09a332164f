"""Filesystems by scheme and connection: the local one, those of provider packages, and what fsspec knows itself."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, ClassVar

try:
    import fsspec
except ImportError:
    raise ImportError(
        "object storage needs the packages universal-pathlib and fsspec; install them with: gnomon env install universal-pathlib fsspec"
    ) from None

log = logging.getLogger(__name__)

#: Options of a filesystem.
Properties = dict[str, str]
_LOCAL = ("file", "local")
_attached: dict[str, ObjectStore] = {}


def _local(_: str | None, options: Properties) -> Any:
    from fsspec.implementations.local import LocalFileSystem

    return LocalFileSystem(**options)


@cache
def _factories() -> dict[str, Callable[..., Any]]:
    """Return what makes a filesystem of a scheme, given a connection id: ours, and those of provider packages."""
    from importlib import import_module

    from gnomon.sdk.providers import provider_infos

    found: dict[str, Callable[..., Any]] = dict.fromkeys(_LOCAL, _local)
    for info in provider_infos().values():
        for name in info.get("filesystems", ()):
            try:
                module = import_module(name)
                get_fs = module.get_fs
            except (ImportError, AttributeError) as error:  # it must not take the other schemes away
                log.warning("the filesystem %s of a provider cannot be used: %s", name, error)
                continue
            for scheme in getattr(module, "schemes", ()):
                if scheme in found:
                    log.warning("%s takes the scheme %s over", name, scheme)
                found[scheme] = get_fs
    return found


def has_fs(scheme: str) -> bool:
    """Tell whether the scheme is local or one of a provider package."""
    return scheme in _factories()


def get_fs(scheme: str, conn_id: str | None = None, storage_options: Properties | None = None) -> Any:
    """Return a filesystem.

    Args:
        scheme: "file", "s3", "gs" …
        conn_id: the connection with address and credentials.
        storage_options: further options, as fsspec has them.

    Raises:
        ValueError: nobody knows the scheme, or nobody knows how to use a connection for it.
        AttributeError: the provider takes no options.
    """
    options = storage_options or {}
    factory = _factories().get(scheme)
    if factory is None:
        if conn_id is None and scheme in fsspec.available_protocols():
            return fsspec.filesystem(scheme, **options)
        raise ValueError(
            f"No filesystem registered for scheme {scheme}; is its provider package installed? (for s3:"
            " apache-airflow-providers-amazon[s3fs])"
        )
    if len(inspect.signature(factory).parameters) > 1:
        return factory(conn_id, options)
    if options:
        raise AttributeError(f"Filesystem {scheme} does not support storage options; a newer provider may")
    return factory(conn_id)


class ObjectStore:
    """A filesystem with its connection; `attach` makes it.

    Args:
        protocol: the scheme.
        conn_id: the connection.
        fs: the filesystem itself, if it exists already.
        storage_options: its options.
    """

    __version__: ClassVar[int] = 1

    def __init__(
        self, protocol: str, conn_id: str | None, fs: Any = None, storage_options: Properties | None = None
    ) -> None:
        self.protocol = protocol
        self.conn_id = conn_id
        self.storage_options = storage_options
        if fs is not None:
            self.fs = fs

    @cached_property
    def fs(self) -> Any:
        """The filesystem, made when it is first used."""
        return get_fs(self.protocol, self.conn_id, self.storage_options)

    @property
    def fsid(self) -> str:
        """What tells the filesystem from others."""
        try:
            return str(self.fs.fsid)
        except NotImplementedError:
            return f"{self.fs.protocol}-{self.conn_id or 'env'}"

    def serialize(self) -> dict[str, Any]:
        """Return the store as data."""
        kind = type(self.fs)
        return {
            "protocol": self.protocol,
            "conn_id": self.conn_id,
            "filesystem": f"{kind.__module__}.{kind.__qualname__}",
            "storage_options": self.storage_options,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any], version: int) -> ObjectStore:
        """Return the store that `serialize` wrote, or the one that is attached under its name.

        Raises:
            ValueError: it is of a newer version, or nobody knows its scheme.
        """
        if version > cls.__version__:
            raise ValueError(f"Cannot deserialize version {version} for {cls.__name__}")
        protocol, conn_id = data["protocol"], data["conn_id"]
        if store := _attached.get(_alias(protocol, conn_id)):
            return store
        if data.get("filesystem") and not has_fs(protocol) and protocol not in fsspec.available_protocols():
            raise ValueError(
                f"No attached filesystem found for {data['filesystem']} with protocol {protocol}; attach() it first"
            )
        return attach(protocol=protocol, conn_id=conn_id, storage_options=data["storage_options"])

    def __str__(self) -> str:
        return _alias(self.protocol, self.conn_id)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectStore):
            return NotImplemented
        try:
            return bool(self.conn_id == other.conn_id and self.fs == other.fs)
        except ValueError:  # one of them has no filesystem
            return False

    def __hash__(self) -> int:
        return hash((self.conn_id, self.fsid))


def attach(
    protocol: str | None = None,
    conn_id: str | None = None,
    alias: str | None = None,
    encryption_type: str | None = "",
    fs: Any = None,
    **kwargs: Any,
) -> ObjectStore:
    """Return the store of a scheme and connection; the same one for the same alias.

    Args:
        protocol: the scheme, without "://".
        conn_id: the connection.
        alias: a name for the store; made of scheme and connection unless given.
        encryption_type: accepted; no filesystem looks at it.
        fs: a filesystem to use, instead of one by scheme.
        kwargs: `storage_options` of the filesystem.

    Raises:
        ValueError: there is no protocol, and no store of that alias.
    """
    name = alias or (_alias(protocol, conn_id) if protocol else None)
    if name is None:
        raise ValueError("No protocol specified and no alias provided")
    store = _attached.get(name)
    if store is None:
        if not protocol:
            raise ValueError(f"No registered store with alias: {alias}")
        store = _attached[name] = ObjectStore(protocol, conn_id, fs, **kwargs)
    return store


def _alias(protocol: str, conn_id: str | None) -> str:
    return f"{protocol}-{conn_id}" if conn_id else protocol
