"""JSON with the objects that XComs can hold."""

from __future__ import annotations

import json
from typing import Any

from gnomon.sdk.runtime.values import CLASSNAME, from_plain, to_plain


class XComEncoder(json.JSONEncoder):
    """Writes what has a form as an XCom value."""

    def default(self, o: Any) -> Any:
        """Return the plain form of an object."""
        return to_plain(o)

    def encode(self, o: Any) -> str:
        """Return the text; tuples stay tuples."""
        if isinstance(o, dict) and CLASSNAME in o:
            raise AttributeError(f"a dict with the reserved key {CLASSNAME} cannot be written")
        return super().encode(to_plain(o) if isinstance(o, tuple) else o)


class XComDecoder(json.JSONDecoder):
    """Reads what XComEncoder writes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not kwargs.get("object_hook"):
            kwargs["object_hook"] = self.object_hook
        super().__init__(*args, **kwargs)

    @staticmethod
    def object_hook(dct: dict[str, Any]) -> Any:
        """Return the object that a dict stands for, or the dict."""
        return from_plain(dct)

    @staticmethod
    def orm_object_hook(dct: dict[str, Any]) -> Any:
        """Return a readable form: the name of the class and what is in it."""
        if CLASSNAME not in dct:
            return dct
        return f"{dct[CLASSNAME]}@version={dct.get('__version__', 1)}({dct.get('__data__')})"


class WebEncoder(json.JSONEncoder):
    """Writes dates and numbers of the usual libraries."""

    def default(self, o: Any) -> Any:
        """Return the plain form of an object."""
        if hasattr(o, "isoformat"):
            return o.isoformat()
        if hasattr(o, "item"):
            return o.item()
        return str(o)
