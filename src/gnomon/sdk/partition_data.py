"""Classes of users that map partitions, as data: the name, and what the object says of itself."""

from __future__ import annotations

from typing import Any


def custom_data(of: Any, *, needs: str, base: type) -> dict[str, Any]:
    """Return a mapper or window of the user's own as data.

    Args:
        needs: the method that it has to define, unless it inherits it from another class than `base`.

    Raises:
        TypeError: it does not define it, or what its `serialize` gives is no JSON.
    """
    import msgspec

    cls = type(of)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if getattr(cls, needs) is getattr(base, needs):
        raise TypeError(f"{name} does not define {needs}()")
    data = of.serialize()
    try:
        data = msgspec.json.decode(msgspec.json.encode(data), type=dict[str, Any])
    except (TypeError, msgspec.MsgspecError) as error:
        raise TypeError(f"{name}.serialize() has to give a dict of JSON values: {error}") from None
    return {"kind": "custom", "classpath": name, "data": data}
