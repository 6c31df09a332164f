"""The forms of connection types: what providers say in their metadata, and what older hooks say in code.

Hooks describe fields with wtforms and flask_appbuilder, which nothing else here needs. While hooks are asked, and only
then, light stand-ins take the place of those that are not installed.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from gnomon.sdk.provider_registry import ConnectionFormWidgetInfo, imported
from gnomon.sdk.providers import provider_infos

log = logging.getLogger(__name__)

#: Fields that each connection has, whatever its type.
STANDARD_FIELDS = ("description", "host", "schema", "login", "password", "port", "extra")


class Forms:
    """The forms of all connection types.

    `widgets` are the further fields by `extra__<type>__<field>`, `behaviours` what is hidden, renamed and explained by
    connection type.
    """

    def __init__(self) -> None:
        self.widgets: dict[str, ConnectionFormWidgetInfo] = {}
        self.behaviours: dict[str, dict[str, Any]] = {}
        asked: list[tuple[str, str, str]] = []
        for package, info in provider_infos().items():
            for entry in info.get("connection-types", ()):
                if "conn-fields" in entry or "ui-field-behaviour" in entry:
                    self._take_metadata(package, entry)
                else:
                    asked.append((package, entry["connection-type"], entry["hook-class-name"]))
        with standing_in():
            for package, conn_type, path in asked:
                self._ask_hook(package, conn_type, path)

    def _take_metadata(self, package: str, entry: dict[str, Any]) -> None:
        conn_type = entry["connection-type"]
        for name, about in (entry.get("conn-fields") or {}).items():
            self._add(package, entry["hook-class-name"], conn_type, name, field_of(about))
        if behaviour := entry.get("ui-field-behaviour"):
            self.behaviours[conn_type] = {
                "hidden_fields": behaviour.get("hidden-fields", []),
                "relabeling": behaviour.get("relabeling", {}),
                "placeholders": _prefixed(behaviour.get("placeholders", {}), conn_type),
            }

    def _ask_hook(self, package: str, conn_type: str, path: str) -> None:
        hook = imported(path, package)
        if hook is None:
            return
        try:
            # Of the class itself: a subclass shares the form of its parent, which is in its own type's.
            if "get_connection_form_widgets" in vars(hook):
                for name, widget in (hook.get_connection_form_widgets() or {}).items():
                    bare = name.removeprefix(f"extra__{conn_type}__")
                    self._add(package, path, conn_type, bare, widget)
            if "get_ui_field_behaviour" in vars(hook) and (behaviour := hook.get_ui_field_behaviour()):
                placeholders = _prefixed(behaviour.get("placeholders") or {}, conn_type)
                self.behaviours[conn_type] = {**behaviour, "placeholders": placeholders}
        except Exception as error:
            log.warning("the form of connection type %s (%s) cannot be made: %s", conn_type, path, error)

    def _add(self, package: str, path: str, conn_type: str, name: str, field: Any) -> None:
        key = f"extra__{conn_type}__{name}"
        secret = is_secret(field)
        self.widgets.setdefault(key, ConnectionFormWidgetInfo(path, package, field, name, secret))


def field_of(about: dict[str, Any]) -> dict[str, Any]:
    """Return a field of `conn-fields` in the form of a Param: value, schema, description."""
    schema = dict(about.get("schema") or {})
    if "label" in about:
        schema["title"] = about["label"]
    return {"value": schema.get("default"), "schema": schema, "description": about.get("description"), "source": None}


def as_param(field: Any) -> dict[str, Any]:
    """Return a field in the form of a Param, whether it comes from metadata or from a hook."""
    if isinstance(field, dict):
        return field
    kind = field_type(field)
    schema: dict[str, Any] = {"type": [kind, "null"]}
    arguments = getattr(field, "kwargs", {})
    label = next(iter(getattr(field, "args", ())), None) or arguments.get("label")
    if label is not None:
        schema["title"] = str(label)
    if is_secret(field):
        schema["format"] = "password"
    for validator in arguments.get("validators") or ():
        if (values := getattr(validator, "values", None)) is not None:
            schema["enum"] = [*values]
        for name, there in (("min", "minimum"), ("max", "maximum")):
            if type(validator).__name__ == "NumberRange" and getattr(validator, name, None) is not None:
                schema[there] = getattr(validator, name)
    description = arguments.get("description")
    return {
        "value": arguments.get("default"),
        "schema": schema,
        "description": str(description) if description else None,
        "source": None,
    }


def field_type(field: Any) -> str:
    """Return the type of a field in terms of JSON schema."""
    if isinstance(field, dict):
        found = field["schema"].get("type", "unknown")
        return found if isinstance(found, str) else next((one for one in found if one != "null"), "unknown")
    return {"BooleanField": "boolean", "IntegerField": "integer", "DecimalField": "number"}.get(
        _class_of(field), "string"
    )


def declared_type(field: Any) -> Any:
    """Return the type of a field as its provider declares it: a list where it may be null, or the class of its widget."""
    return field["schema"].get("type", "unknown") if isinstance(field, dict) else _class_of(field)


def is_secret(field: Any) -> bool:
    """Return whether what goes into a field must not be shown."""
    if isinstance(field, dict):
        return bool(field["schema"].get("format") == "password")
    widget = getattr(field, "kwargs", {}).get("widget")
    return _class_of(field) == "PasswordField" or "Password" in type(widget).__name__


def _class_of(field: Any) -> str:
    # wtforms makes an UnboundField with `field_class`; the stand-in does so too
    return str(getattr(getattr(field, "field_class", type(field)), "__name__", ""))


def _prefixed(placeholders: dict[str, Any], conn_type: str) -> dict[str, Any]:
    """Return placeholders by the names that fields have in the form."""
    return {
        name if name in STANDARD_FIELDS or name.startswith("extra__") else f"extra__{conn_type}__{name}": value
        for name, value in placeholders.items()
    }


# ------------------------------------------------------------------------------------------------- stand-ins


class Anything:
    """A widget or validator: remembers what it was made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs
        self.__dict__.update(kwargs)


class AnyOf(Anything):
    """The validator whose values make a choice."""

    def __init__(self, values: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(values, *args, **kwargs)
        self.values = values


class NumberRange(Anything):
    """The validator of numbers."""

    def __init__(self, min: Any = None, max: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.min, self.max = min, max


class Field(Anything):
    """A field: as unbound as those of wtforms before a form is made."""

    @property
    def field_class(self) -> type:
        """The class, as wtforms tells it."""
        return type(self)


_KNOWN: dict[str, type] = {"AnyOf": AnyOf, "NumberRange": NumberRange}


class _StandIn(ModuleType):
    """A module in which every class is there."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__name__ == "flask_babel":
            return str  # lazy_gettext and gettext return what they are given
        base = Field if name.endswith("Field") else Anything
        value = _KNOWN.get(name) or type(name, (base,), {"__module__": self.__name__})
        setattr(self, name, value)
        return value


class _Finder:
    """Finds stand-ins for what is not installed."""

    def __init__(self, packages: set[str]) -> None:
        self._packages = packages

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in self._packages:
            return None
        loader: Any = self
        return ModuleSpec(fullname, loader, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave it empty: its names are made when they are asked for."""


@contextmanager
def standing_in() -> Iterator[None]:
    """Let hooks import wtforms, flask_appbuilder and flask_babel in the block, installed or not."""
    missing = {
        name for name in ("wtforms", "flask_appbuilder", "flask_babel") if importlib.util.find_spec(name) is None
    }
    finder: Any = _Finder(missing)
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] in missing]:
            del sys.modules[name]
