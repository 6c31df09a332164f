"""What a task says about its outlets, and what it may know of events: the asset entries of the context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gnomon.sdk.assets import Asset, AssetAlias, AssetBooleanCondition, AssetNameRef, AssetRef, AssetUriRef, BaseAsset
from gnomon.sdk.runtime import values
from gnomon.wire import assets as ask_for
from gnomon.wire import execution as wire

if TYPE_CHECKING:
    from gnomon.sdk.runtime.dag_run import DagRun

#: ("asset", name, uri) or ("alias", name)
Key = tuple[str, ...]
_MAX_PARTITION_KEY = 250


def _ask(request: wire.Request) -> Any:
    from gnomon.sdk.runtime.channel import require_channel
    from gnomon.sdk.runtime.dag_run import found_value

    return found_value(require_channel().ask(request))


def resolved(ref: AssetRef) -> Asset:
    """Return the asset that a reference means.

    Raises:
        RuntimeError: there is no active one.
    """
    found = _ask(ask_for.GetAsset(name=getattr(ref, "name", None), uri=getattr(ref, "uri", None)))
    return Asset(name=found["name"], uri=found["uri"], group=found["group"], extra=found["extra"])


def _key_of(item: Any, known: Iterable[Any] = ()) -> Key:
    """Return what tells items apart; a string is a name or a URI of a known one, as in Airflow 2."""
    if isinstance(item, str):
        item = next(
            (one for one in known if item in (getattr(one, "uri", None), getattr(one, "name", None))), None
        ) or (Asset(uri=item))
    if isinstance(item, AssetRef):
        item = next((one for one in known if isinstance(one, Asset) and _is_meant(item, one)), None) or resolved(item)
    if isinstance(item, Asset):
        return ("asset", item.name, item.uri)
    if isinstance(item, AssetAlias):
        return ("alias", item.name)
    raise TypeError(f"Key should be either an asset or an asset alias, not {type(item)}")


def _is_meant(ref: AssetRef, asset: Asset) -> bool:
    if isinstance(ref, AssetNameRef):
        return ref.name == asset.name
    return isinstance(ref, AssetUriRef) and ref.uri == asset.uri


def _item(key: Key) -> Asset | AssetAlias:
    return AssetAlias(key[1]) if key[0] == "alias" else Asset(name=key[1], uri=key[2])


class _ByAsset:
    """Entries that are asked for by an asset, an alias or a reference."""

    def __getitem__(self, key: Any) -> Any:
        raise NotImplementedError

    def for_asset(self, *, name: str | None = None, uri: str | None = None) -> Any:
        """Return the entry of the asset with this name, this URI or both."""
        if name and uri:
            return self[Asset(name=name, uri=uri)]
        if not name and not uri:
            raise ValueError("name and uri cannot both be None")
        return self[Asset.ref(name=name) if name else Asset.ref(uri=uri or "")]

    def for_asset_alias(self, *, name: str) -> Any:
        """Return the entry of the alias with this name."""
        return self[AssetAlias(name)]


# -------------------------------------------------------------------------------------------------- outlets


class OutletEventAccessor:
    """What a task says about one asset or alias it has updated."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self.key = _item(key)
        self.extra: dict[str, Any] = {}
        self.asset_alias_events: list[dict[str, Any]] = []
        self.partition_keys: set[str] = set()

    def add(self, asset: Any, extra: dict[str, Any] | None = None) -> None:
        """Emit an event for `asset` through this alias."""
        if self._key[0] != "alias":
            return
        if isinstance(asset, str):
            asset = Asset(uri=asset)
        if isinstance(asset, AssetRef):
            asset = resolved(asset)
        event = {
            "source_alias_name": self._key[1],
            "dest_asset_key": {"name": asset.name, "uri": asset.uri},
            "dest_asset_extra": _as_text(asset.extra),
            "extra": _as_text(extra or {}),
        }
        self.asset_alias_events.append(event)

    def add_partitions(self, keys: str | list[str]) -> None:
        """Say which partitions of the asset were updated.

        Raises:
            ValueError: a key is empty or longer than 250 characters.
            TypeError: this is an alias; only an asset has partitions.
        """
        if self._key[0] == "alias":
            raise TypeError("an asset alias has no partitions: say add_partitions() of the asset itself")
        wanted = [keys] if isinstance(keys, str) else list(keys)
        for key in wanted:
            if not key.strip():
                raise ValueError(f"partition_key must not be empty or whitespace-only; got {key!r}.")
            if len(key) > _MAX_PARTITION_KEY:
                raise ValueError(f"partition_key must be at most {_MAX_PARTITION_KEY} characters; got {len(key)}.")
        self.partition_keys.update(wanted)


class OutletEventAccessors(_ByAsset, Mapping[Any, OutletEventAccessor]):
    """`outlet_events`: one accessor per outlet, made when it is first asked for."""

    def __init__(self, outlets: list[Any] | None = None) -> None:
        self._outlets = outlets or []
        self._accessors: dict[Key, OutletEventAccessor] = {}

    def __getitem__(self, key: Any) -> OutletEventAccessor:
        name = _key_of(key, self._outlets)
        if name not in self._accessors:
            self._accessors[name] = OutletEventAccessor(name)
        return self._accessors[name]

    def __iter__(self) -> Iterator[Any]:
        return iter([accessor.key for accessor in self._accessors.values()])

    def __len__(self) -> int:
        return len(self._accessors)

    def events(self, outlets: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """Yield what travels with a success: one entry per outlet, partition and alias event.

        Raises:
            NotSerializableError: an extra has no JSON form.
        """
        for outlet in _flat(outlets):
            if isinstance(outlet, AssetAlias):
                accessor = self._accessors.get(("alias", outlet.name))
                yield from accessor.asset_alias_events if accessor is not None else ()
                continue
            accessor = self._of(outlet)
            event: dict[str, Any] = (
                {"ref": dict(vars(outlet))}
                if isinstance(outlet, AssetRef)
                else {"dest_asset_key": {"name": outlet.name, "uri": outlet.uri}}
            )
            if accessor is not None and accessor.extra:
                event["extra"] = _as_text(accessor.extra)
            partitions = sorted(accessor.partition_keys) if accessor is not None else []
            yield from [{**event, "partition_key": key} for key in partitions] or [event]

    def _of(self, outlet: Asset | AssetRef) -> OutletEventAccessor | None:
        if isinstance(outlet, Asset):
            return self._accessors.get(("asset", outlet.name, outlet.uri))
        return next(
            (one for one in self._accessors.values() if isinstance(one.key, Asset) and _is_meant(outlet, one.key)), None
        )


def _flat(outlets: Iterable[Any]) -> Iterator[Any]:
    """Yield assets, references and aliases, each once; what else may be an outlet makes no event."""
    seen = set()
    for outlet in outlets:
        if isinstance(outlet, AssetBooleanCondition):
            parts: Iterable[Any] = _flat(outlet.objects)
        else:
            parts = [outlet] if isinstance(outlet, Asset | AssetRef | AssetAlias) else []
        for part in parts:
            name = (type(part).__name__, getattr(part, "name", None), getattr(part, "uri", None))
            if name not in seen:
                seen.add(name)
                yield part


def _as_text(extra: dict[str, Any]) -> str:
    return values.encode(extra).decode()


def inactive_of(items: Iterable[Any]) -> list[tuple[str, str]]:
    """Return those of a task's inlets and outlets that are not active."""
    keys = [(item.name, item.uri) for item in items if isinstance(item, Asset)]
    return [tuple(key) for key in _ask(ask_for.GetInactiveAssets(keys=keys))] if keys else []


# --------------------------------------------------------------------------------------------------- events


class SourceTaskInstance:
    """The task instance that made an event."""

    def __init__(self, run: DagRun, task_id: str, map_index: int) -> None:
        self.dag_run, self.task_id, self.map_index = run, task_id, map_index
        self.dag_id, self.run_id = run.dag_id, run.run_id

    def xcom_pull(self, *, key: str = "return_value", default: Any = None) -> Any:
        """Return an XCom that it has pushed."""
        from gnomon.sdk.runtime.xcom import XCom

        found = XCom.get_one(
            key=key, dag_id=self.dag_id, run_id=self.run_id, task_id=self.task_id, map_index=self.map_index
        )
        return default if found is None else found

    def __repr__(self) -> str:
        return f"<{self.dag_id}.{self.task_id} of {self.run_id}>"


class AssetEventResult:
    """An event of an asset."""

    def __init__(self, data: dict[str, Any]) -> None:
        from gnomon.sdk.runtime.dag_run import moment

        of = data["asset"]
        self.id: int = data["id"]
        self.timestamp = moment(data["timestamp"])
        self.extra: dict[str, Any] = data["extra"]
        self.asset = Asset(name=of["name"], uri=of["uri"], group=of["group"], extra=of["extra"])
        self.source_dag_id: str | None = data["source_dag_id"]
        self.source_task_id: str | None = data["source_task_id"]
        self.source_run_id: str | None = data["source_run_id"]
        self.source_map_index: int = data["source_map_index"]
        self.partition_key: str | None = data["partition_key"]
        self.source_aliases = [AssetAlias(alias["name"]) for alias in data["source_aliases"]]
        self.created_dagruns: list[dict[str, Any]] = data.get("created_dagruns", [])

    @property
    def uri(self) -> str:
        """The URI of the asset."""
        return self.asset.uri

    @property
    def dataset(self) -> Asset:
        """The asset, by its name of Airflow 2."""
        return self.asset

    @cached_property
    def source_dag_run(self) -> DagRun | None:
        """The run that made it; None for an event that no task made."""
        from gnomon.sdk.runtime.dag_run import find_run

        if not self.source_dag_id or not self.source_run_id:
            return None
        return find_run(self.source_dag_id, run_id=self.source_run_id)

    @cached_property
    def source_task_instance(self) -> SourceTaskInstance | None:
        """The task instance that made it; None for an event that no task made."""
        run = self.source_dag_run
        if run is None or self.source_task_id is None:
            return None
        return SourceTaskInstance(run, self.source_task_id, self.source_map_index)

    def __repr__(self) -> str:
        source = f"{self.source_dag_id}.{self.source_task_id}" if self.source_dag_id else "nobody's task"
        return f"<AssetEvent of {self.asset.name!r} at {self.timestamp} by {source}>"


class InletEventsAccessor(Sequence[AssetEventResult]):
    """The events of an inlet, the oldest first; asked for when they are looked at."""

    def __init__(self, *, name: str | None = None, uri: str | None = None, alias: str | None = None) -> None:
        self._query: dict[str, Any] = {"name": name, "uri": uri, "alias": alias}

    def after(self, after: str | datetime) -> InletEventsAccessor:
        """Take only events from this time on."""
        return self._with("after", _micros(after))

    def before(self, before: str | datetime) -> InletEventsAccessor:
        """Take only events up to this time."""
        return self._with("before", _micros(before))

    def ascending(self, ascending: bool = True) -> InletEventsAccessor:
        """Order them by time, or backwards."""
        return self._with("ascending", ascending)

    def limit(self, limit: int) -> InletEventsAccessor:
        """Take only so many."""
        return self._with("limit", limit)

    def _with(self, name: str, value: Any) -> InletEventsAccessor:
        self._query[name] = value
        self.__dict__.pop("_events", None)
        return self

    @cached_property
    def _events(self) -> list[AssetEventResult]:
        return [AssetEventResult(event) for event in _ask(ask_for.GetAssetEvents(**self._query))]

    def __iter__(self) -> Iterator[AssetEventResult]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, index: Any) -> Any:
        return self._events[index]


def _micros(at: str | datetime) -> int | None:
    from gnomon.sdk.runtime.dag_run import micros

    if isinstance(at, str):
        from gnomon.sdk.timezone import parse

        at = parse(at)
    return micros(at)


class InletEventsAccessors(_ByAsset, Mapping[Any, InletEventsAccessor]):
    """`inlet_events`: the events of the task's inlets, by inlet or by its place among them."""

    def __init__(self, inlets: list[Any]) -> None:
        self._inlets = inlets

    def __getitem__(self, key: Any) -> InletEventsAccessor:
        inlet = self._inlets[key] if isinstance(key, int) else key
        if not isinstance(inlet, BaseAsset | str):
            raise (
                IndexError(key)
                if isinstance(key, int)
                else TypeError(f"`key` is of unknown type ({type(key).__name__})")
            )
        if isinstance(inlet, AssetRef):
            if inlet not in self._inlets and not any(
                _is_meant(inlet, one) for one in self._inlets if isinstance(one, Asset)
            ):
                raise KeyError(key)
            return InletEventsAccessor(name=getattr(inlet, "name", None), uri=getattr(inlet, "uri", None))
        kind, name, *uri = _key_of(inlet, self._inlets)
        if not any(self._is_inlet(kind, name, *uri, one=one) for one in self._inlets):
            raise KeyError(key)
        return InletEventsAccessor(alias=name) if kind == "alias" else InletEventsAccessor(name=name, uri=uri[0])

    @staticmethod
    def _is_inlet(kind: str, name: str, *uri: str, one: Any) -> bool:
        if isinstance(one, AssetRef):
            return kind == "asset" and _is_meant(one, Asset(name=name, uri=uri[0]))
        return isinstance(one, Asset | AssetAlias) and _key_of(one) == (kind, name, *uri)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inlets)

    def __len__(self) -> int:
        return len(self._inlets)


class TriggeringAssetEvents(_ByAsset, Mapping[Any, Sequence[AssetEventResult]]):
    """`triggering_asset_events`: the events that the run was created for, by asset and by alias."""

    def __init__(self, events: Iterable[AssetEventResult]) -> None:
        self._events: dict[Key, list[AssetEventResult]] = {}
        for event in events:
            self._events.setdefault(("asset", event.asset.name, event.asset.uri), []).append(event)
            for alias in event.source_aliases:
                self._events.setdefault(("alias", alias.name), []).append(event)

    def __getitem__(self, key: Any) -> Sequence[AssetEventResult]:
        return self._events[_key_of(key, [_item(known) for known in self._events])]

    def __iter__(self) -> Iterator[Any]:
        return iter([_item(key) for key in self._events])

    def __len__(self) -> int:
        return len(self._events)

    def __repr__(self) -> str:
        return f"<TriggeringAssetEvents {self._events}>"


def triggering(run: DagRun) -> list[AssetEventResult]:
    """Return the events that a run was created for."""
    if run.run_type != "asset_triggered":
        return []
    return [AssetEventResult(event) for event in _ask(ask_for.GetConsumedEvents(dag_id=run.dag_id, run_id=run.run_id))]
