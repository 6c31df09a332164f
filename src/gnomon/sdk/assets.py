"""Assets (datasets in Airflow 2), aliases, and the conditions that schedules are made of."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from gnomon.sdk.trigger import BaseEventTrigger


class AssetUniqueKey(NamedTuple):
    """What tells one asset from another."""

    name: str
    uri: str

    @classmethod
    def from_asset(cls, asset: Asset) -> AssetUniqueKey:
        """Return the key of an asset."""
        return cls(asset.name, asset.uri)

    def to_asset(self) -> Asset:
        """Return an asset with this key."""
        return Asset(name=self.name, uri=self.uri)


class AssetAliasUniqueKey(NamedTuple):
    """What tells one alias from another."""

    name: str

    @classmethod
    def from_asset_alias(cls, alias: AssetAlias) -> AssetAliasUniqueKey:
        """Return the key of an alias."""
        return cls(alias.name)

    def to_asset_alias(self) -> AssetAlias:
        """Return an alias with this key."""
        return AssetAlias(name=self.name)


def _identifier(value: Any, what: str, *, required: bool = True) -> str:
    if not isinstance(value, str):
        raise ValueError(f"Asset {what} must be a string, not {type(value).__name__}: {value!r}")
    if required and not value.strip():
        raise ValueError(f"Asset {what} cannot be empty")
    if len(value) > 1500:
        raise ValueError(f"Asset {what} cannot exceed 1500 characters")
    return value


def _get_normalized_scheme(uri: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(uri).scheme.lower()


def sanitize_uri(uri: Any) -> str:
    """Return a URI as assets are told apart by it: scheme in lower case, no password, parameters sorted.

    Raises:
        ValueError: it is empty, of the reserved scheme airflow, or not what the provider of its scheme wants.
    """
    import warnings
    from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

    text = os.fspath(uri) if hasattr(uri, "__fspath__") else uri
    text = _identifier(str(text), "URI")
    parts = urlsplit(text)
    scheme = parts.scheme.lower()
    if not scheme:
        return text
    if scheme == "airflow":
        raise ValueError("Asset scheme 'airflow' is reserved")
    if scheme.startswith("x-"):
        return text
    netloc = parts.netloc
    if parts.password:
        warnings.warn("An Asset URI should not contain a password; user and password are left out.", stacklevel=4)
        netloc = netloc.rpartition("@")[2]
    query = urlencode(sorted(parse_qsl(parts.query))) if parts.query else ""
    made = SplitResult(scheme, netloc, parts.path.rstrip("/") or "/", query, "")
    return urlunsplit(made if scheme == "file" else _as_provider_says(made))


def _as_provider_says(parts: Any) -> Any:
    """Return a URI as the provider of its scheme writes it, if one is installed."""
    from gnomon.sdk.provider_registry import ProvidersManager

    handler = ProvidersManager().asset_uri_handlers.get(parts.scheme)
    return parts if handler is None else handler(parts)


class BaseAsset:
    """Something that a schedule can wait for; `&` and `|` make conditions of several."""

    def __or__(self, other: BaseAsset) -> BaseAsset:
        if not isinstance(other, BaseAsset):
            return NotImplemented
        return AssetAny(self, other)

    def __and__(self, other: BaseAsset) -> BaseAsset:
        if not isinstance(other, BaseAsset):
            return NotImplemented
        return AssetAll(self, other)

    def as_expression(self) -> dict[str, Any]:
        """Return the condition as wire.dag.TimetableSpec.assets has it."""
        raise NotImplementedError

    def iter_assets(self) -> Iterator[tuple[AssetUniqueKey, Asset]]:
        """Yield the assets in the condition."""
        return iter(())

    def iter_asset_aliases(self) -> Iterator[tuple[str, AssetAlias]]:
        """Yield the aliases in the condition."""
        return iter(())

    def iter_asset_refs(self) -> Iterator[AssetRef]:
        """Yield the references in the condition."""
        return iter(())


class AssetWatcher:
    """Makes events of an asset whenever a trigger fires.

    Args:
        name: what it is called.
        trigger: a BaseEventTrigger.
    """

    def __init__(self, name: str, trigger: BaseEventTrigger) -> None:
        from gnomon.sdk.trigger import BaseEventTrigger as EventTrigger

        if not isinstance(trigger, EventTrigger):
            raise ValueError(f"AssetWatcher {name!r}: 'trigger' has to be a BaseEventTrigger, not {trigger!r}")
        self.name, self.trigger = name, trigger

    def as_data(self) -> dict[str, Any]:
        """Return what it takes to make the trigger elsewhere.

        Raises:
            ValueError: an argument of the trigger has no JSON form.
        """
        from gnomon.sdk.runtime import values

        classpath, kwargs = self.trigger.serialize()
        try:
            return {"name": self.name, "classpath": classpath, "kwargs": values.to_plain(kwargs)}
        except values.NotSerializableError as error:
            raise ValueError(f"AssetWatcher {self.name!r}: the trigger's arguments: {error}") from None


class AssetAccessControl:
    """Which teams may make events of an asset."""

    def __init__(self, producer_teams: Collection[str] = (), allow_global: bool = True, **kwargs: Any) -> None:
        self.producer_teams = list(producer_teams)
        self.allow_global = allow_global
        self.further = kwargs


class Asset(os.PathLike[str], BaseAsset):
    """A logical piece of data. Give a name, a URI or both.

    Args:
        name: its name; the URI unless given.
        uri: its URI; the name unless given.
        group: what kind it is, for lists.
        extra: anything to know about it.
        watchers: what makes events of it.
        access_control: who may make events of it.
    """

    asset_type: ClassVar[str] = "asset"
    __version__: ClassVar[int] = 1

    def __init__(
        self,
        name: str | None = None,
        uri: Any | None = None,
        *,
        group: str | None = None,
        extra: dict[str, Any] | None = None,
        watchers: list[AssetWatcher] | None = None,
        access_control: AssetAccessControl | None = None,
    ) -> None:
        if name is None and uri is None:
            raise TypeError("Asset() requires either 'name' or 'uri'")
        if name is None:
            name = os.fspath(uri) if isinstance(uri, os.PathLike) else uri
        elif uri is None:
            uri = name
        self.name = _identifier(name, "name")
        if self.name in ("self", "context"):
            raise ValueError(f"prohibited name for asset: {name}")
        self.uri = sanitize_uri(uri)
        self.group = _identifier(group, "group") if group is not None else self.asset_type
        self.extra = dict(extra or {})
        self.watchers = list(watchers or [])
        self.access_control = access_control

    @staticmethod
    def ref(*, name: str = "", uri: str = "") -> AssetRef:
        """Return a reference to an asset that is defined elsewhere, by its name or its URI."""
        if bool(name) == bool(uri):
            raise TypeError("Asset reference requires exactly one of 'name' and 'uri'")
        return AssetNameRef(name) if name else AssetUriRef(uri)

    def __fspath__(self) -> str:
        return self.uri

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Asset):
            return NotImplemented
        return (self.name, self.uri, self.group, self.extra) == (other.name, other.uri, other.group, other.extra)

    def __hash__(self) -> int:
        return hash((self.name, self.uri, self.group))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(name={self.name!r}, uri={self.uri!r}, group={self.group!r}, extra={self.extra!r})"
        )

    @property
    def normalized_uri(self) -> str | None:
        """The URI, if it has a scheme."""
        return self.uri if _get_normalized_scheme(self.uri) else None

    def serialize(self) -> dict[str, Any]:
        """Return what makes it up, so that a task may return it."""
        return {"name": self.name, "uri": self.uri, "group": self.group, "extra": self.extra}

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> Asset:
        """Return the asset that `serialize` wrote."""
        return Asset(**data)

    def as_expression(self) -> dict[str, Any]:
        """Return the condition as data."""
        data = self.serialize()
        if self.watchers:
            data["watchers"] = [watcher.as_data() for watcher in self.watchers]
        return {"asset": data}

    def iter_assets(self) -> Iterator[tuple[AssetUniqueKey, Asset]]:
        """Yield the asset itself."""
        yield AssetUniqueKey.from_asset(self), self


class Dataset(Asset):
    """Airflow 2's name of an asset; its only positional argument is the URI."""

    asset_type = "dataset"

    def __init__(self, uri: Any = None, extra: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(uri=uri, extra=extra, **kwargs) if "name" in kwargs else super().__init__(
            uri, uri, extra=extra, **kwargs
        )


class Model(Asset):
    """An asset that is a model."""

    asset_type = "model"


class AssetRef(BaseAsset):
    """A reference to an asset defined elsewhere."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def as_expression(self) -> dict[str, Any]:
        """Return the condition as data."""
        return {"ref": dict(vars(self))}

    def iter_asset_refs(self) -> Iterator[AssetRef]:
        """Yield the reference itself."""
        yield self


class AssetNameRef(AssetRef):
    """A reference by name."""

    def __init__(self, name: str) -> None:
        self.name = name


class AssetUriRef(AssetRef):
    """A reference by URI."""

    def __init__(self, uri: str) -> None:
        self.uri = uri


class AssetAlias(BaseAsset):
    """A name that a task resolves to assets while it runs."""

    def __init__(self, name: str, *, group: str = "asset") -> None:
        self.name = _identifier(name, "alias name")
        self.group = _identifier(group, "alias group")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AssetAlias) and (self.name, self.group) == (other.name, other.group)

    def __hash__(self) -> int:
        return hash((self.name, self.group))

    def __repr__(self) -> str:
        return f"AssetAlias(name={self.name!r}, group={self.group!r})"

    def serialize(self) -> dict[str, Any]:
        """Return what makes it up, so that a task may return it."""
        return {"name": self.name, "group": self.group}

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> AssetAlias:
        """Return the alias that `serialize` wrote."""
        return AssetAlias(**data)

    def as_expression(self) -> dict[str, Any]:
        """Return the condition as data."""
        return {"alias": self.name if self.group == "asset" else {"name": self.name, "group": self.group}}

    def iter_asset_aliases(self) -> Iterator[tuple[str, AssetAlias]]:
        """Yield the alias itself."""
        yield self.name, self


class AssetBooleanCondition(BaseAsset):
    """A condition over several assets."""

    _key: ClassVar[str] = ""

    def __init__(self, *objects: BaseAsset) -> None:
        if not all(isinstance(one, BaseAsset) for one in objects):
            raise TypeError("expect asset expressions in condition")
        self.objects: list[BaseAsset] = list(objects)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.objects == other.objects

    def __hash__(self) -> int:
        return hash((type(self), *self.objects))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.objects))})"

    def as_expression(self) -> dict[str, Any]:
        """Return the condition as data."""
        return {self._key: [one.as_expression() for one in self.objects]}

    def iter_assets(self) -> Iterator[tuple[AssetUniqueKey, Asset]]:
        """Yield the assets, each once."""
        seen = set()
        for one in self.objects:
            for key, asset in one.iter_assets():
                if key not in seen:
                    seen.add(key)
                    yield key, asset

    def iter_asset_aliases(self) -> Iterator[tuple[str, AssetAlias]]:
        """Yield the aliases."""
        for one in self.objects:
            yield from one.iter_asset_aliases()

    def iter_asset_refs(self) -> Iterator[AssetRef]:
        """Yield the references."""
        for one in self.objects:
            yield from one.iter_asset_refs()


class AssetAny(AssetBooleanCondition):
    """One of several is enough."""

    _key = "any"

    def __or__(self, other: BaseAsset) -> BaseAsset:
        return AssetAny(*self.objects, other) if isinstance(other, BaseAsset) else NotImplemented


class AssetAll(AssetBooleanCondition):
    """All of several are needed."""

    _key = "all"

    def __and__(self, other: BaseAsset) -> BaseAsset:
        return AssetAll(*self.objects, other) if isinstance(other, BaseAsset) else NotImplemented


class Metadata:
    """What a task yields to attach `extra` to the event of an asset.

    Args:
        asset: the asset.
        extra: what to attach.
        alias: the alias to emit the event through.
    """

    def __init__(
        self, asset: Asset | str, extra: dict[str, Any] | None = None, alias: AssetAlias | str | None = None
    ) -> None:
        if isinstance(asset, str):
            asset = Asset(uri=asset)
        self.asset = asset
        self.extra = dict(extra or {})
        self.alias = AssetAlias(alias) if isinstance(alias, str) else alias


class AssetAliasEvent(NamedTuple):
    """An event that a task emitted through an alias."""

    source_alias_name: str
    dest_asset_key: AssetUniqueKey
    dest_asset_extra: dict[str, Any]
    extra: dict[str, Any]


def assets_as_data(items: Collection[Any]) -> list[dict[str, Any]]:
    """Return inlets or outlets as data; what is no asset is left out."""
    return [item.as_expression() for item in items if isinstance(item, BaseAsset)]
