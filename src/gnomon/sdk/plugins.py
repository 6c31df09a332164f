"""Plugins: classes in the plugins folder, or of installed packages, that add to what Airflow offers.

They are user code, so they are loaded where user code runs: in the parser's children, in templates, in the process that
inspects them for the API. What is wrong with one is its own import error and nobody else's.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any, ClassVar

from gnomon.service.entry_points import EntryPoint, entry_points

log = logging.getLogger(__name__)


class AirflowPluginException(Exception):
    """A plugin cannot be used."""


class AirflowPluginSource:
    """Where a plugin comes from."""

    def __str__(self) -> str:
        raise NotImplementedError

    def __html__(self) -> str:
        raise NotImplementedError


class PluginsDirectorySource(AirflowPluginSource):
    """A file of the plugins folder."""

    def __init__(self, path: str, plugins_folder: str) -> None:
        self.path = os.path.relpath(path, plugins_folder)

    def __str__(self) -> str:
        return f"$PLUGINS_FOLDER/{self.path}"

    def __html__(self) -> str:
        return f"<em>$PLUGINS_FOLDER/</em>{self.path}"


class EntryPointSource(AirflowPluginSource):
    """An installed package."""

    def __init__(self, entrypoint: Any, dist: Any) -> None:
        self.dist = getattr(dist, "name", None) or dist.metadata["Name"]
        self.version = dist.version
        self.entrypoint = str(entrypoint)

    def __str__(self) -> str:
        return f"{self.dist}=={self.version}: {self.entrypoint}"

    def __html__(self) -> str:
        return f"<em>{self.dist}=={self.version}:</em> {self.entrypoint}"


class AirflowPlugin:
    """Base of plugins; the lists say what a plugin brings."""

    name: str | None = None
    source: AirflowPluginSource | None = None
    macros: ClassVar[list[Any]] = []
    admin_views: ClassVar[list[Any]] = []
    flask_blueprints: ClassVar[list[Any]] = []
    fastapi_apps: ClassVar[list[Any]] = []
    fastapi_root_middlewares: ClassVar[list[Any]] = []
    external_views: ClassVar[list[Any]] = []
    react_apps: ClassVar[list[Any]] = []
    menu_links: ClassVar[list[Any]] = []
    appbuilder_views: ClassVar[list[Any]] = []
    appbuilder_menu_items: ClassVar[list[Any]] = []
    global_operator_extra_links: ClassVar[list[Any]] = []
    operator_extra_links: ClassVar[list[Any]] = []
    timetables: ClassVar[list[Any]] = []
    partition_mappers: ClassVar[list[Any]] = []
    windows: ClassVar[list[Any]] = []
    deadline_references: ClassVar[list[Any]] = []
    listeners: ClassVar[list[Any]] = []
    hook_lineage_readers: ClassVar[list[Any]] = []
    priority_weight_strategies: ClassVar[list[Any]] = []
    # of Airflow 2
    hooks: ClassVar[list[Any]] = []
    executors: ClassVar[list[Any]] = []
    ti_deps: ClassVar[list[Any]] = []

    @classmethod
    def validate(cls) -> None:
        """Check that the plugin has a name.

        Raises:
            AirflowPluginException: it has none.
        """
        if not cls.name:
            raise AirflowPluginException("Your plugin needs a name.")

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Do what has to be done once when the plugin is loaded."""


class Loaded:
    """The plugins of a process, and why others are not among them."""

    def __init__(self) -> None:
        self.plugins: list[Any] = []
        #: file or package → what is wrong
        self.errors: dict[str, str] = {}


_loaded: Loaded | None = None
#: names that were put into `sys.modules` for macros
_macro_modules: list[str] = []


def is_valid_plugin(candidate: Any) -> bool:
    """Return whether something is a plugin class.

    Raises:
        AirflowPluginException: it is one without a name.
    """
    if not isinstance(candidate, type) or candidate is AirflowPlugin or not issubclass(candidate, AirflowPlugin):
        return False
    candidate.validate()
    return True


def plugins_folder() -> str:
    """Return `[core] plugins_folder`."""
    from gnomon.service.config import conf

    return os.path.abspath(os.path.expanduser(conf.get("core", "plugins_folder", fallback="") or ""))


def load(folder: str, files: Sequence[str]) -> Loaded:
    """Load the plugins of some files, and of installed packages, once for this process.

    Args:
        folder: the plugins folder.
        files: those of it that may have plugins.
    """
    global _loaded
    if _loaded is not None:
        return _loaded
    loaded = _loaded = Loaded()
    for path in files:
        _take(loaded, path, lambda path=path: _of_file(path, folder))
    for point in entry_points("airflow.plugins"):
        _take(loaded, point.module, lambda point=point: _of_package(point))
    _take_from_providers(loaded)
    _integrate_macros(loaded.plugins)
    from gnomon.sdk import listeners

    listeners.integrate(loaded.plugins)
    return loaded


def loaded() -> Loaded:
    """Return what was loaded in this process; nothing, before `load` or without plugins."""
    return _loaded or Loaded()


def collected(attribute: str) -> list[Any]:
    """Return what all plugins bring of one kind, for example `timetables`."""
    if _loaded is None:
        return []
    return [item for plugin in _loaded.plugins for item in getattr(plugin, attribute, None) or ()]


def forget() -> None:
    """Drop the plugins, so that they are loaded anew."""
    global _loaded
    _loaded = None
    from gnomon.sdk import listeners, macros

    for name in _macro_modules:
        sys.modules.pop(name, None)
        macros.__dict__.pop(name.rpartition(".")[2], None)
    _macro_modules.clear()
    listeners.forget()


@contextmanager
def suspended() -> Iterator[None]:
    """Keep plugins and policies out of what runs in the block, which is nobody's task."""
    global _loaded
    from gnomon.sdk import listeners, policies

    present = _loaded, listeners.manager, policies.rules
    _loaded = listeners.manager = policies.rules = None
    try:
        yield
    finally:
        _loaded, listeners.manager, policies.rules = present


def _take(loaded: Loaded, where: str, make: Any) -> None:
    """Add the plugins that `make` returns; whatever it raises is the import error of `where`."""
    try:
        for plugin in make():
            if any(type(other) is type(plugin) for other in loaded.plugins):
                continue  # imported by the file of another one
            if any(other.name == plugin.name for other in loaded.plugins):
                loaded.errors[str(plugin.source or where)] = f"there is another plugin named {plugin.name!r}"
                continue
            plugin.on_load()
            loaded.plugins.append(plugin)
    except Exception as error:
        loaded.errors[where] = f"{type(error).__name__}: {error}"
        log.exception("the plugin %s cannot be loaded", where)
    except SystemExit as error:
        loaded.errors[where] = f"it ends the process that loads it: {error!r}"


def _of_file(path: str, folder: str) -> Iterable[Any]:
    name = os.path.splitext(os.path.basename(path))[0]
    if os.path.dirname(path) != folder and name == "__init__":
        name = os.path.basename(os.path.dirname(path))  # the package, as an import of it would find it
    loader = SourceFileLoader(name, path)
    module = ModuleType(name)
    module.__file__ = path
    module.__loader__ = loader
    module.__spec__ = ModuleSpec(name, loader, origin=path)
    if os.path.basename(path) == "__init__.py":
        module.__path__ = [os.path.dirname(path)]
    sys.modules[name] = module
    with open(path, "rb") as file:
        source = file.read()
    # Compiled here and not by an import: a .pyc could be that of another save in the same second.
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the purpose
    for kind in {id(value): value for value in vars(module).values() if is_valid_plugin(value)}.values():
        plugin = kind()
        plugin.source = PluginsDirectorySource(path, folder)
        yield plugin


def _of_package(point: EntryPoint) -> Iterable[Any]:
    kind = point.load()
    if is_valid_plugin(kind):
        plugin = kind()
        plugin.source = EntryPointSource(point, point.distribution)
        yield plugin


def _take_from_providers(loaded: Loaded) -> None:
    from gnomon.service.config import conf

    if conf.getboolean("core", "lazy_discover_providers", fallback=True):
        return  # then a provider's plugin is one of its entry points, or none
    from gnomon.sdk.providers import provider_infos
    from gnomon.sdk.runtime.values import import_string

    for info in provider_infos().values():
        for entry in info.get("plugins", ()):
            kind = entry["plugin-class"]
            if not any(f"{type(one).__module__}.{type(one).__qualname__}" == kind for one in loaded.plugins):
                _take(loaded, kind, lambda kind=kind: [import_string(kind)()])


def _integrate_macros(plugins: Iterable[Any]) -> None:
    """Make `macros.<plugin>.<name>` work in templates, and `airflow.macros.<plugin>` importable."""
    for plugin in plugins:
        if not plugin.macros:
            continue
        from gnomon.sdk import macros

        name = str(plugin.name).lower()
        for parent in ("gnomon.sdk.macros", "airflow.macros", "airflow.sdk.execution_time.macros"):
            module = ModuleType(f"{parent}.{name}")
            module.__dict__.update((macro.__name__, macro) for macro in plugin.macros)
            sys.modules[module.__name__] = module
            _macro_modules.append(module.__name__)
        setattr(macros, str(plugin.name), sys.modules[f"gnomon.sdk.macros.{name}"])


# ----------------------------------------------------------------------------------- the names of plugins_manager


def ensure_plugins_loaded() -> None:
    """Load the plugins, if this process has not done so."""
    if _loaded is None:
        folder = plugins_folder()
        load(folder, sorted(_python_files(folder)))


def _python_files(folder: str) -> Iterable[str]:
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (os.path.join(parent, name) for name in names if name.endswith(".py"))


def integrate_macros_plugins() -> None:
    """Make the plugins' macros usable."""
    ensure_plugins_loaded()


def integrate_listener_plugins(listener_manager: Any) -> None:
    """Add the plugins' listeners to a manager."""
    ensure_plugins_loaded()
    for listener in collected("listeners"):
        listener_manager.add_listener(listener)


def get_global_operator_extra_links() -> list[Any]:
    """Return the links that plugins add to all operators."""
    ensure_plugins_loaded()
    return collected("global_operator_extra_links")


def get_operator_extra_links() -> list[Any]:
    """Return the links that plugins add to some operators."""
    ensure_plugins_loaded()
    return collected("operator_extra_links")


def get_timetables_plugins() -> dict[str, Any]:
    """Return the plugins' timetables by path."""
    return _by_path("timetables")


def get_partition_mapper_plugins() -> dict[str, Any]:
    """Return the plugins' partition mappers by path."""
    return _by_path("partition_mappers")


def get_windows_plugins() -> dict[str, Any]:
    """Return the plugins' windows by path."""
    return _by_path("windows")


def get_deadline_references_plugins() -> dict[str, Any]:
    """Return the plugins' deadline references by path."""
    return _by_path("deadline_references")


def get_priority_weight_strategy_plugins() -> dict[str, Any]:
    """Return the plugins' weight strategies by path."""
    return _by_path("priority_weight_strategies")


def get_hook_lineage_readers_plugins() -> list[Any]:
    """Return the plugins' readers of what hooks tell."""
    ensure_plugins_loaded()
    return collected("hook_lineage_readers")


def get_fastapi_plugins() -> tuple[list[Any], list[Any]]:
    """Return the plugins' applications and middlewares."""
    ensure_plugins_loaded()
    return collected("fastapi_apps"), collected("fastapi_root_middlewares")


def get_flask_plugins() -> tuple[list[Any], list[Any], list[Any]]:
    """Return the plugins' blueprints, views and menu items of Flask."""
    ensure_plugins_loaded()
    return collected("flask_blueprints"), collected("appbuilder_views"), collected("appbuilder_menu_items")


def _by_path(attribute: str) -> dict[str, Any]:
    ensure_plugins_loaded()
    return {f"{kind.__module__}.{kind.__qualname__}": kind for kind in collected(attribute)}


def links_of(task: Any) -> list[Any]:
    """Return the links that plugins add to a task: those for all operators, and those for its class."""
    if _loaded is None:
        return []
    kind = task.operator_class
    own = [
        link
        for link in collected("operator_extra_links")
        if any(kind is operator or kind.__name__ == operator for operator in link.operators)
    ]
    return [*collected("global_operator_extra_links"), *own]


def plugins_folder_dependencies(folder: str) -> list[str]:
    """Return the folders below the plugins folder, whose lists of files decide which plugins there are."""
    if not os.path.isdir(folder):
        return []
    found = []
    for parent, folders, _ in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
        found.append(parent + os.sep)
    return found


# ------------------------------------------------------------------------------------------------ description

_CLASSES = ("macros", "timetables", "priority_weight_strategies", "hook_lineage_readers")
_OBJECTS = ("global_operator_extra_links", "operator_extra_links")
_PAGES = ("external_views", "react_apps", "menu_links", "appbuilder_menu_items", "admin_views")


def described(plugin: Any) -> dict[str, Any]:
    """Return what a plugin brings, in words."""
    found: dict[str, Any] = {"name": plugin.name, "source": str(plugin.source)}
    for name in _CLASSES:
        found[name] = [_path(one) for one in getattr(plugin, name)]
    for name in _OBJECTS:
        found[name] = [f"<{_path(type(one))} object>" for one in getattr(plugin, name)]
    for name in _PAGES:
        found[name] = [one for one in getattr(plugin, name) if isinstance(one, dict)]
    found["listeners"] = [one.__name__ if isinstance(one, ModuleType) else _path(one) for one in plugin.listeners]
    found["appbuilder_views"] = [_with_class(one, "view") for one in plugin.appbuilder_views]
    found["fastapi_apps"] = [_with_class(one, "app") for one in plugin.fastapi_apps]
    # Their arguments may be secrets.
    found["fastapi_root_middlewares"] = [
        {**{key: value for key, value in one.items() if key not in ("args", "kwargs")}, "middleware": _path(kind)}
        for one in plugin.fastapi_root_middlewares
        if (kind := one.get("middleware")) is not None
    ]
    found["flask_blueprints"] = [
        f"<{_path(type(one))}: name={one.name!r} import_name={one.import_name!r}>" for one in plugin.flask_blueprints
    ]
    return found


def _path(thing: Any) -> str:
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


def _with_class(entry: dict[str, Any], key: str) -> dict[str, Any]:
    return {**entry, key: _path(type(entry[key])) if key in entry else None}
