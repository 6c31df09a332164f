"""Makes the modules of `airflow._names` importable: one finder, one table, no file per module."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import ModuleSpec
from pkgutil import extend_path
from types import ModuleType
from typing import Any, NamedTuple

from airflow._names import MOVED, NAMES


class Home(NamedTuple):
    """Where an object lives, and the path to use instead if this one is old."""

    module: str
    name: str
    instead: str | None = None


def _read(table: str, *, moved: bool) -> dict[str, dict[str, Home]]:
    """Return module → name → home, from lines `module home name[=name there] …`; the name `*` stands for all."""
    modules: dict[str, dict[str, Home]] = {}
    for line in table.splitlines():
        if not line or line.startswith("#"):
            continue
        module, home, *names = line.split()
        known = modules.setdefault(module, {})
        for entry in names:
            name, _, there = entry.partition("=")
            there = there or name
            known[name] = Home(home, there, f"{home}.{there}" if moved else None)
    return modules


_MODULES = _read(NAMES, moved=False)
for _module, _names in _read(MOVED, moved=True).items():
    _MODULES.setdefault(_module, {}).update(_names)
_PACKAGES = {name.rsplit(".", depth)[0] for name in _MODULES for depth in range(1, name.count(".") + 1)}


class NamesFinder:
    """Finds and makes the modules of the table."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return a spec for a module of the table; others are looked for on disk."""
        if not fullname.startswith("airflow.") or (fullname not in _MODULES and fullname not in _PACKAGES):
            return None
        loader: Any = self
        spec = ModuleSpec(fullname, loader, origin="airflow._names", is_package=fullname in _PACKAGES)
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations = extend_path([], fullname)
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its names."""
        names = _MODULES.get(module.__name__, {})
        namespace = module.__dict__
        namespace["__getattr__"] = attribute_getter(module.__name__)
        if "*" not in names:
            namespace["__all__"] = [name for name in names if not name.startswith("__")]
        else:
            home = names["*"].module
            namespace["__dir__"] = lambda: sorted({*namespace, *names, *dir(import_module(home))} - {"*"})


def attribute_getter(module: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module of the table."""
    names = _MODULES.get(module, {})

    def __getattr__(name: str) -> Any:
        home = names.get(name)
        if home is None and "*" in names and not (name.startswith("__") and name != "__all__"):
            every = names["*"]
            if name in getattr(import_module(every.module), "__all__", (name,)):
                home = Home(every.module, name, every.instead and f"{every.module}.{name}")
        if home is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        try:
            if home.name == ".":
                value: Any = import_module(home.module)
            else:
                value = getattr(import_module(home.module), home.name)
        except AttributeError:
            raise AttributeError(f"module {module!r} has no attribute {name!r}") from None
        if home.instead is None:
            sys.modules[module].__dict__[name] = value
        elif name != "__all__":
            from gnomon.sdk.exceptions import DeprecatedImportWarning

            # What has no new home of Airflow's own is only said to be old.
            instead = f"; import it from {home.instead}" if home.instead.startswith("airflow.") else ""
            warnings.warn(f"{module}.{name} is an old name{instead}", DeprecatedImportWarning, stacklevel=2)
        return value

    return __getattr__


def install() -> None:
    """Put the finder in front, so that a name of the table is the same object wherever it is imported from."""
    if not any(isinstance(finder, NamesFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, NamesFinder())
