"""The rendered template fields of a try, as the UI shows them."""

from __future__ import annotations

import json
from typing import Any

from gnomon.service.masking import masker
from gnomon.wire import execution as wire

_max_length: int | None = None


def encode(task: Any) -> bytes | None:
    """Return the rendered fields as JSON, masked and cut to a length that can be shown; None if all are empty."""
    fields = {name: getattr(task, name, None) for name in task.template_fields}
    if not any(_is_given(value) for value in fields.values()):
        return None
    shown = {name: _shown(value, name) for name, value in fields.items()}
    for path in getattr(task, "template_fields_renderers", None) or ():
        if "." in path and path.partition(".")[0] in fields:
            value = _follow(task, path)
            if value is not None:
                shown[path] = _shown(value, path)
    # Half a surrogate pair is no Unicode text: strict decoders would refuse all fields for it.
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


class LateReport:
    """Sends the rendered fields while the task still runs, if it runs for long; a short one sends them at its end."""

    def __init__(self, channel: Any, fields: bytes, label: str | None, delay: float = 1.0) -> None:
        import _thread

        self._channel, self._delay = channel, delay
        self._message = wire.PutRenderedFields(fields=fields, map_index_label=label)
        self._over = _thread.allocate_lock()
        self._sending = _thread.allocate_lock()
        self._sent = False
        self._over.acquire()
        _thread.start_new_thread(self._wait, ())

    def _wait(self) -> None:
        if self._over.acquire(timeout=self._delay):
            return
        with self._sending:
            if not self._over.locked():
                return
            self._sent = True
            try:
                self._channel.tell(self._message)
            except OSError:
                pass  # the worker is gone, which the task will notice by itself

    def stop(self) -> bool:
        """Say that the task is over; returns whether the fields were sent."""
        with self._sending:
            if self._over.locked():
                self._over.release()
            return self._sent


def _is_given(value: Any) -> bool:
    try:
        return bool(value)
    except Exception:
        return True  # a data frame, for example, has no truth value


def _follow(task: Any, path: str) -> Any:
    value = task
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
        if value is None:
            return None
    return value


def _shown(value: Any, name: str) -> Any:
    plain = masker.redact(_plain(value), name)
    limit = _limit()
    text = plain if isinstance(plain, str) else json.dumps(plain)
    if len(text) <= limit:
        return plain
    return f"Cut at [core] max_templated_field_length: {text[: max(limit - 80, 0)]}..."


def _limit() -> int:
    global _max_length
    if _max_length is None:
        from gnomon.service.config import conf

        _max_length = conf.getint("core", "max_templated_field_length", fallback=4096)
    return _max_length


def _plain(value: Any) -> Any:
    """Return something that JSON can hold, the same for equal values."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=lambda item: (type(item).__name__, str(item)))
    if callable(getattr(type(value), "serialize", None)):
        return _plain(value.serialize())
    if type(value).__module__.startswith("kubernetes") and callable(getattr(type(value), "to_dict", None)):
        return _plain(value.to_dict())
    if callable(value):
        return f"<callable {getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', type(value).__name__)}>"
    text = str(value)
    # The text that every object has names an address, which differs each time.
    return text if " object at 0x" not in text else f"<{type(value).__module__}.{type(value).__qualname__} object>"
