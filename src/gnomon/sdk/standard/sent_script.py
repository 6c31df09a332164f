"""The script that calls a function in another interpreter, be it of a virtual environment or of a container."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

#: Its arguments: the file with the function's arguments, the one for its result and, if there are four, what the
#: strings are in (given before, so not read) and the one for the message of an error.
_SCRIPT = """\
from __future__ import annotations

import importlib
import sys

{prelude}virtualenv_string_args = {strings!r}
_serializer = importlib.import_module({serializer!r})
_arguments = {{"args": (), "kwargs": {{}}}}
if {has_arguments!r}:
    with open(sys.argv[1], "rb") as _file:
        _arguments = _serializer.load(_file)

{source}

try:
    _result = {name}(*_arguments["args"], **_arguments["kwargs"])
except Exception as _error:
    if len(sys.argv) > 4:
        with open(sys.argv[4], "w") as _file:
            _file.write(str(_error))
    raise
with open(sys.argv[2], "wb") as _file:
    if _result is not None:
        _serializer.dump(_result, _file)
"""


#: Makes `airflow.macros` have those of plugins, before anything refers to them.
_MACROS = """\
try:
    from airflow.plugins_manager import integrate_macros_plugins
except ImportError:
    pass
else:
    integrate_macros_plugins()
"""


class Serializers(Mapping[str, ModuleType]):
    """The modules that arguments and results may go through; each is imported when it is asked for."""

    _names = ("pickle", "dill", "cloudpickle")

    def __getitem__(self, name: str) -> ModuleType:
        if name not in self._names:
            raise KeyError(name)
        return importlib.import_module(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


SERIALIZERS = Serializers()


def script_of(
    source: str,
    name: str,
    serializer: str,
    *,
    has_arguments: bool,
    strings: Iterable[str] = (),
    with_macros: bool = False,
) -> str:
    """Return the text of the script.

    Args:
        source: of the function.
        name: of the function.
        serializer: the module that loads the arguments and dumps the result.
        has_arguments: there are some to load.
        strings: what the function finds as `virtualenv_string_args`.
        with_macros: it may use macros of plugins.
    """
    return _SCRIPT.format(
        prelude=_MACROS if with_macros else "",
        strings=list(strings),
        serializer=serializer,
        has_arguments=has_arguments,
        source=source,
        name=name,
    )


def write_python_script(
    jinja_context: Mapping[str, Any],
    filename: str,
    render_template_as_native_obj: bool = False,
) -> None:
    """Write the script that provider packages send into a container, from the values that they have for it."""
    text = script_of(
        jinja_context["python_callable_source"],
        jinja_context["python_callable"],
        jinja_context["pickling_library"],
        has_arguments=bool(jinja_context.get("op_args") or jinja_context.get("op_kwargs")),
    )
    Path(filename).write_text(text, encoding="utf-8")
