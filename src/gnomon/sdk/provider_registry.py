"""ProvidersManager: what installed providers bring, by kind, under the names that provider packages ask for."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, cast

from gnomon.sdk.exceptions import AirflowOptionalProviderFeatureException
from gnomon.sdk.providers import provider_infos
from gnomon.sdk.runtime.values import import_string

log = logging.getLogger(__name__)


@dataclass
class ProviderInfo:
    """A provider."""

    version: str
    data: dict[str, Any]


class HookClassProvider(NamedTuple):
    """A hook class and where it is from."""

    hook_class_name: str
    package_name: str


class DialectInfo(NamedTuple):
    """A dialect of SQL."""

    name: str
    dialect_class_name: str
    provider_name: str


class TriggerInfo(NamedTuple):
    """A module of triggers."""

    trigger_class_name: str
    package_name: str
    integration_name: str


class NotificationInfo(NamedTuple):
    """A notifier."""

    notification_class_name: str
    package_name: str


class RemoteLoggingInfo(NamedTuple):
    """A place for logs, by the scheme of its URL."""

    classpath: str
    scheme: str
    package_name: str


class PluginInfo(NamedTuple):
    """A plugin."""

    name: str
    plugin_class: str
    provider_name: str


class HookInfo(NamedTuple):
    """A hook and its connection type."""

    hook_class_name: str | None
    connection_id_attribute_name: str | None
    package_name: str | None
    hook_name: str
    connection_type: str | None
    connection_testable: bool
    dialects: list[str] = []


class ConnectionFormWidgetInfo(NamedTuple):
    """A further field of the form of a connection type."""

    hook_class_name: str
    package_name: str
    field: Any
    field_name: str
    is_sensitive: bool


class LazyDictWithCache(MutableMapping[str, Any]):
    """A dict whose values may be functions, each called when its value is first asked for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._raw: dict[str, Any] = dict(*args, **kwargs)
        self._pending = set(self._raw)

    def __setitem__(self, key: str, value: Any) -> None:
        self._raw[key] = value
        self._pending.add(key)

    def __getitem__(self, key: str) -> Any:
        value = self._raw[key]
        if key in self._pending:
            self._pending.discard(key)
            if callable(value):
                value = self._raw[key] = value()
        return value

    def __delitem__(self, key: str) -> None:
        del self._raw[key]
        self._pending.discard(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, key: object) -> bool:
        return key in self._raw


def imported(path: str, package: str) -> Any:
    """Return what a provider names, or None if it cannot be imported: an extra of it may not be installed."""
    try:
        return import_string(path)
    except AirflowOptionalProviderFeatureException as missing:
        log.debug("%s of %s: an optional part is missing: %s", path, package, missing)
    except ImportError as error:
        log.warning("%s of %s cannot be imported: %s", path, package, error)
    except Exception:
        log.warning("%s of %s cannot be imported", path, package, exc_info=True)
    return None


def _each(section: str) -> Iterator[tuple[str, Any]]:
    for package, info in provider_infos().items():
        entries = info.get(section) or ()
        for entry in entries.items() if isinstance(entries, dict) else entries:
            yield package, entry


def _class_names(section: str, key: str | None = None) -> list[str]:
    """Return the paths in a section of all providers, sorted, but for those that cannot be imported."""
    found = set()
    for package, entry in _each(section):
        path = entry[key] if key is not None else entry
        if imported(path, package) is not None:
            found.add(path)
    return sorted(found)


class ProvidersManager:
    """What installed providers bring; everything is looked up when it is first asked for, once per process."""

    _instance: ProvidersManager | None = None
    resource_version = "0"

    def __new__(cls) -> Self:
        if ProvidersManager._instance is None:
            ProvidersManager._instance = super().__new__(cls)
        return cast("Self", ProvidersManager._instance)

    @staticmethod
    def initialized() -> bool:
        """Return whether anybody has asked for it."""
        return ProvidersManager._instance is not None

    @staticmethod
    def initialization_stack_trace() -> str | None:
        """Return nothing: nobody has to look for who asked."""
        return None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("initialize_providers_"):
            return lambda *_, **__: None  # nothing needs to be done in advance
        raise AttributeError(f"ProvidersManager has no attribute {name!r}")

    @functools.cached_property
    def providers(self) -> dict[str, ProviderInfo]:
        """Return all providers by package name."""
        return {name: ProviderInfo(info.version, info) for name, info in provider_infos().items()}

    # ------------------------------------------------------------------------------------------- connections

    @functools.cached_property
    def hooks(self) -> MutableMapping[str, HookInfo | None]:
        """Return the hooks by connection type; None where the hook cannot be imported."""
        found = LazyDictWithCache()
        for conn_type, name in (("generic", "Generic"), ("email", "Email")):
            found[conn_type] = HookInfo(None, None, None, name, None, connection_testable=False)
        for package, entry in _each("connection-types"):
            path = entry["hook-class-name"]
            found[entry["connection-type"]] = functools.partial(_hook_info, path, package, entry)
        return found

    @functools.cached_property
    def _forms(self) -> Any:
        from gnomon.sdk.connection_forms import Forms

        return Forms()

    @property
    def connection_form_widgets(self) -> dict[str, ConnectionFormWidgetInfo]:
        """Return the further fields of forms, by `extra__<type>__<field>`."""
        widgets: dict[str, ConnectionFormWidgetInfo] = self._forms.widgets
        return widgets

    @property
    def field_behaviours(self) -> dict[str, dict[str, Any]]:
        """Return what is hidden, renamed and explained in the form of each connection type."""
        behaviours: dict[str, dict[str, Any]] = self._forms.behaviours
        return behaviours

    # ------------------------------------------------------------------------------------------ by class name

    @functools.cached_property
    def extra_links_class_names(self) -> list[str]:
        """Return the links of operators."""
        return _class_names("extra-links")

    @functools.cached_property
    def logging_class_names(self) -> list[str]:
        """Return the handlers of task logs."""
        return _class_names("logging")

    @functools.cached_property
    def secrets_backend_class_names(self) -> list[str]:
        """Return the secrets backends."""
        return _class_names("secrets-backends")

    @functools.cached_property
    def executor_class_names(self) -> list[str]:
        """Return the executors."""
        return _class_names("executors")

    @functools.cached_property
    def executor_without_check(self) -> set[tuple[str, str]]:
        """Return (executor, package) without importing any."""
        return {(path, package) for package, path in _each("executors")}

    @functools.cached_property
    def queue_class_names(self) -> list[str]:
        """Return the message queues."""
        return _class_names("queues")

    @functools.cached_property
    def auth_managers(self) -> list[str]:
        """Return the auth managers."""
        return _class_names("auth-managers")

    @functools.cached_property
    def auth_backend_module_names(self) -> list[str]:
        """Return the modules that check logins to the API of Airflow 2."""
        return sorted({module for _, module in _each("auth-backends")})

    @functools.cached_property
    def auth_manager_without_check(self) -> set[tuple[str, str]]:
        """Return (auth manager, package) without importing any."""
        return {(path, package) for package, path in _each("auth-managers")}

    @functools.cached_property
    def db_managers(self) -> list[str]:
        """Return the managers of further tables."""
        return _class_names("db-managers")

    @functools.cached_property
    def notification(self) -> list[NotificationInfo]:
        """Return the notifiers."""
        found = [NotificationInfo(path, package) for package, path in _each("notifications")]
        return [one for one in found if imported(*one) is not None]

    @functools.cached_property
    def trigger(self) -> list[TriggerInfo]:
        """Return the modules of triggers."""
        return [
            TriggerInfo(module, package, entry.get("integration-name", ""))
            for package, entry in _each("triggers")
            for module in entry.get("python-modules", ())
        ]

    @functools.cached_property
    def plugins(self) -> list[PluginInfo]:
        """Return the plugins."""
        return [PluginInfo(entry["name"], entry["plugin-class"], package) for package, entry in _each("plugins")]

    @functools.cached_property
    def dialects(self) -> MutableMapping[str, DialectInfo]:
        """Return the dialects of SQL by name."""
        return {
            entry["dialect-type"]: DialectInfo(entry["dialect-type"], entry["dialect-class-name"], package)
            for package, entry in _each("dialects")
        }

    @functools.cached_property
    def taskflow_decorators(self) -> dict[str, Any]:
        """Return the `@task.<name>` decorators."""
        found = {entry["name"]: imported(entry["class-name"], package) for package, entry in _each("task-decorators")}
        return {name: decorator for name, decorator in found.items() if decorator is not None}

    # ----------------------------------------------------------------------------------------- places of data

    @functools.cached_property
    def filesystem_module_names(self) -> list[str]:
        """Return the modules with file systems."""
        return sorted({module for _, module in _each("filesystems")})

    @functools.cached_property
    def asset_uri_handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the functions that check the URIs of assets, by scheme."""
        return {**dict.fromkeys(("file", ""), _as_it_is), **self._of_uris("handler")}

    @functools.cached_property
    def asset_factories(self) -> dict[str, Callable[..., Any]]:
        """Return the functions that make assets, by scheme."""
        return self._of_uris("factory")

    @functools.cached_property
    def asset_to_openlineage_converters(self) -> dict[str, Callable[..., Any]]:
        """Return the functions that turn assets into datasets of OpenLineage, by scheme."""
        return self._of_uris("to_openlineage_converter")

    @property
    def dataset_uri_handlers(self) -> dict[str, Callable[..., Any]]:
        """Return `asset_uri_handlers`, by its name of Airflow 2."""
        return self.asset_uri_handlers

    @property
    def dataset_factories(self) -> dict[str, Callable[..., Any]]:
        """Return `asset_factories`, by its name of Airflow 2."""
        return self.asset_factories

    @property
    def dataset_to_openlineage_converters(self) -> dict[str, Callable[..., Any]]:
        """Return `asset_to_openlineage_converters`, by its name of Airflow 2."""
        return self.asset_to_openlineage_converters

    def _of_uris(self, kind: str) -> dict[str, Callable[..., Any]]:
        found: dict[str, Callable[..., Any]] = {}
        for section in ("dataset-uris", "asset-uris"):
            for package, entry in _each(section):
                path = entry.get(kind)
                function = imported(path, package) if path else _as_it_is if kind == "handler" else None
                if function is not None:
                    found.update(dict.fromkeys(entry["schemes"], function))
        return found

    # ---------------------------------------------------------------------------------------------- the rest

    @functools.cached_property
    def remote_logging_handlers(self) -> list[RemoteLoggingInfo]:
        """Return the places for logs."""
        return [
            RemoteLoggingInfo(entry["classpath"], entry["scheme"], package)
            for package, entry in _each("remote-logging")
        ]

    def remote_logging_handler_by_scheme(self, scheme: str) -> RemoteLoggingInfo | None:
        """Return the place for logs of a scheme, for example s3."""
        return next((one for one in self.remote_logging_handlers if one.scheme == scheme), None)

    @functools.cached_property
    def provider_configs(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the settings that providers add, by package."""
        return [(name, info["config"]) for name, info in provider_infos().items() if info.get("config")]

    @property
    def already_initialized_provider_configs(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the same."""
        return self.provider_configs

    @functools.cached_property
    def cli_command_functions(self) -> set[Callable[..., Any]]:
        """Return the functions that return further commands."""
        found = {imported(path, package) for package, path in _each("cli")}
        return {function for function in found if function is not None}

    @functools.cached_property
    def cli_command_providers(self) -> set[str]:
        """Return the packages with commands."""
        return {package for package, _ in _each("cli")}


ProvidersManagerTaskRuntime = ProvidersManager


def _as_it_is(uri: Any) -> Any:
    return uri


def _hook_info(path: str, package: str, entry: dict[str, Any]) -> HookInfo | None:
    hook = imported(path, package)
    if hook is None:
        return None
    conn_type, argument = getattr(hook, "conn_type", None), getattr(hook, "conn_name_attr", None)
    name = getattr(hook, "hook_name", None) or entry.get("hook-name")
    if not conn_type or not argument or not name:
        log.warning("%s of %s lacks conn_type, conn_name_attr or hook_name", path, package)
        return None
    testable = hasattr(hook, "test_connection")
    return HookInfo(path, argument, package, name, conn_type, testable, list(entry.get("dialects", ())))
