"""Makes the modules of `airflow._names` importable: one table, no file per module.

Two finders: the one in front hands out the names that Airflow has, so that each is the same object wherever it is
imported from. The one at the end is asked when nothing else has a module, and knows those of older releases
(`retired.txt`); code that never imports them never reads that list.
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NamedTuple

from airflow import _core_names
from airflow._names import MOVED, NAMES


class Home(NamedTuple):
    """Where an object lives, and which warning whoever uses the name gets."""

    module: str
    name: str
    warning: str | None = None

    @property
    def path(self) -> str:
        """The path to use."""
        return self.module if self.name == "." else f"{self.module}.{self.name}"


class Table:
    """Module → name → home, from lines `module home name[=name there] …`; the name `*` stands for all.

    The lines of a module are taken apart when somebody asks for it: an import of `airflow` needs few of them.
    """

    def __init__(self, *parts: tuple[Iterable[str], str | None]) -> None:
        self._lines: dict[str, list[tuple[str, str | None]]] = {}
        for lines, warning in parts:
            for line in lines:
                if line and line[0] != "#":
                    module, _, rest = line.partition(" ")
                    self._lines.setdefault(module, []).append((rest, warning))
        self._read: dict[str, dict[str, Home]] = {}
        self.packages: set[str] = set()
        for module in self._lines:
            parent = module.rpartition(".")[0]
            while parent and parent not in self.packages:
                self.packages.add(parent)
                parent = parent.rpartition(".")[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __contains__(self, module: str) -> bool:
        return module in self._lines or module in self.packages

    def names(self, module: str) -> dict[str, Home]:
        """Return the names of a module; none for one that is not in the table."""
        if module not in self._read:
            found: dict[str, Home] = {}
            for rest, warning in self._lines.get(module, ()):
                home, *names = rest.split()
                for entry in names:
                    name, _, there = entry.partition("=")
                    found[name] = Home(home, there or name, warning)
            self._read[module] = found
        return self._read[module]


CURRENT = Table(
    (_core_names.NAMES.splitlines(), None),
    (NAMES.splitlines(), None),
    (MOVED.splitlines(), "DeprecatedImportWarning"),
    (_core_names.LEAVING.splitlines(), "RemovedInAirflow4Warning"),
)


@functools.cache
def retired() -> Table:
    """Return the names that only older releases have."""
    with open(os.path.join(os.path.dirname(__file__), "retired.txt"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    here = "airflow.providers."
    return Table(
        ([line for line in lines if not line.startswith(here)], "RemovedInAirflow3Warning"),
        ([line for line in lines if line.startswith(here)], "AirflowProviderDeprecationWarning"),
    )


class NamesFinder:
    """Finds and makes the modules of the table."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return a spec for a module of the table; others are looked for on disk."""
        if not fullname.startswith("airflow.") or fullname not in CURRENT:
            return None
        return self._spec(fullname, is_package=fullname in CURRENT.packages)

    def _spec(self, fullname: str, *, is_package: bool) -> ModuleSpec:
        loader: Any = self
        spec = ModuleSpec(fullname, loader, origin="airflow._names", is_package=is_package)
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations = folders_of(fullname)
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its names."""
        self._fill(module, CURRENT.names(module.__name__))

    @staticmethod
    def _fill(module: ModuleType, names: dict[str, Home]) -> None:
        namespace = module.__dict__
        namespace["__getattr__"] = attribute_getter(module.__name__)
        if "*" not in names:
            namespace["__all__"] = [name for name in names if not name.startswith("_")]
        else:
            home = names["*"].module
            namespace["__dir__"] = lambda: sorted({*namespace, *names, *dir(import_module(home))} - {"*"})


class RetiredFinder(NamesFinder):
    """Finds the modules that only older releases of Airflow have, if nothing on disk has them."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return a spec for a module of the list."""
        if not fullname.startswith("airflow."):
            return None
        if fullname not in retired():
            return None
        provider = provider_of(fullname)
        if provider is not None and not is_installed(provider):
            return None
        return self._spec(fullname, is_package=fullname in retired().packages)

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its names."""
        self._fill(module, retired().names(module.__name__))


def folders_of(package: str) -> list[str]:
    """Return where modules of a package may be on disk: provider packages put theirs beside ours."""
    parent, _, name = package.rpartition(".")
    around = sys.modules[parent].__path__ if parent else sys.path
    return [folder for folder in (os.path.join(one, name) for one in around) if os.path.isdir(folder)]


def attribute_getter(module: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module of the table."""
    names = CURRENT.names(module)

    def __getattr__(name: str) -> Any:
        home = _home_in(names, name)
        if home is None and not (name.startswith("__") or module == "airflow.sdk"):
            home = _home_in(retired().names(module), name)
        if home is None:
            return _module_below(module, name)
        value = _object_at(home, f"{module}.{name}")
        if home.warning is None:
            sys.modules[module].__dict__[name] = value
        elif name != "__all__":
            _warn(f"{module}.{name}", home)
        return value

    return __getattr__


def _module_below(module: str, name: str) -> ModuleType:
    """Import a module that was not imported yet: `import airflow` brings airflow.utils.dates with it there."""
    path = f"{module}.{name}"
    if not name.startswith("__") and (path in CURRENT or (module != "airflow.sdk" and path in retired())):
        try:
            return import_module(path)
        except ModuleNotFoundError:
            pass  # it is in a provider package that is not installed
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def _home_in(names: dict[str, Home], name: str) -> Home | None:
    home = names.get(name)
    if home is None and "*" in names and (name == "__all__" or not name.startswith("__")):
        every = names["*"]
        found = _module_at(every, name)
        if name == "__all__" or name in getattr(found, "__all__", ()) or hasattr(found, name):
            home = Home(every.module, name, every.warning)
    return home


def _object_at(home: Home, wanted: str) -> Any:
    found = _module_at(home, wanted)
    if home.name == ".":
        return found
    try:
        return getattr(found, home.name)
    except AttributeError:
        if home.name == "__all__":
            return [name for name in vars(found) if not name.startswith("_")]
        if (provider := provider_of(home.module)) is not None and not wanted.endswith(".__all__"):
            raise ImportError(
                f"{wanted} became {home.path}, which the installed release of {provider} does not have any more"
            ) from None
        module, _, name = wanted.rpartition(".")
        raise AttributeError(f"module {module!r} has no attribute {name!r}") from None


def _module_at(home: Home, wanted: str) -> ModuleType:
    try:
        return import_module(home.module)
    except ModuleNotFoundError as error:
        provider = provider_of(home.module)
        if provider is None or error.name is None:
            raise
        if not f"{home.module}.".startswith(f"{error.name}."):
            other = provider_of(error.name) or error.name.partition(".")[0]
            raise ImportError(f"{wanted} is {home.path} now, which needs {error.name}; install {other}") from error
        if provider_of(error.name) == provider and is_installed(provider):
            raise ImportError(
                f"{wanted} became {home.path}, which the installed release of {provider} does not have any more"
            ) from None
        raise ImportError(f"{wanted} is {home.path} now; install {provider}") from None


@functools.cache
def is_installed(distribution: str) -> bool:
    """Say whether a distribution is there."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False


#: Beginnings of provider packages' names that are not whole names.
_FAMILIES = frozenset({"apache", "atlassian", "cncf", "common", "dbt", "microsoft"})


def provider_of(module: str) -> str | None:
    """Return the distribution that a module below airflow.providers belongs to; None for other modules."""
    parts = module.split(".")
    if parts[:2] != ["airflow", "providers"] or len(parts) < 3:
        return None
    name = parts[2:4] if parts[2] in _FAMILIES else parts[2:3]
    return "apache-airflow-providers-" + "-".join(name).replace("_", "-")


def _warn(old: str, home: Home) -> None:
    from gnomon.sdk import exceptions

    # What has no new home of Airflow's own is only said to be old.
    instead = f"; import it from {home.path}" if not home.module.startswith("gnomon.") else ""
    if home.module == "gnomon.sdk.core.sql_operators":
        instead = "; use airflow.providers.common.sql.operators.sql.SQLExecuteQueryOperator"
    warnings.warn(f"{old} is an old name{instead}", getattr(exceptions, str(home.warning)), stacklevel=3)


def install() -> None:
    """Put the finders in place."""
    if not any(isinstance(finder, NamesFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, NamesFinder())
        sys.meta_path.append(RetiredFinder())
