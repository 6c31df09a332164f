"""Settings that change what authors get when they leave an argument out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar


def setting(section: str, key: str, fallback: Any) -> Any:
    """Return a setting with the type of `fallback` (bool, int, float or str)."""
    from gnomon.service.config import conf

    if isinstance(fallback, bool):
        return conf.getboolean(section, key, fallback=fallback)
    if isinstance(fallback, int):
        return conf.getint(section, key, fallback=fallback)
    if isinstance(fallback, float):
        return conf.getfloat(section, key, fallback=fallback)
    return conf.get(section, key, fallback=fallback)


def profile() -> int:
    """Return the compatibility profile: 2 or 3."""
    from gnomon.service.config import profile as configured

    return configured()


class FromSettings:
    """A class attribute whose value is a setting, read when somebody first looks.

    It is no data descriptor: an instance that was given a value of its own keeps that.
    """

    _known: ClassVar[dict[FromSettings, Any]] = {}

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        known = FromSettings._known
        if self not in known:
            known[self] = self._read()
        return known[self]

    @classmethod
    def forget(cls) -> None:
        """Read settings again; they do not change while a process lives, except in tests."""
        cls._known.clear()
