"""Keeps secrets out of logs, pages, answers and error messages.

`masker.add` learns a secret; `masker.redact` hides everything learnt, and every value under a name that sounds like a
secret. A secret is also looked for as JSON, as a Python literal and as part of a URL would spell it, and line by line,
because logs are written so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final

from gnomon.service.config import conf

MASK: Final = "***"

#: Parts of names that mark a field, a variable or a key of a connection's extra as secret; those of Airflow.
SENSITIVE_NAMES: Final = frozenset(
    {
        "access_key",
        "access_token",
        "api_key",
        "apikey",
        "auth_header",
        "authorization",
        "bearer",
        "connection_string",
        "dsn",
        "keyfile_dict",
        "passphrase",
        "passwd",
        "password",
        "private_key",
        "proxies",
        "proxy",
        "proxy_password",
        "secret",
        "service_account",
        "service_key",
        "token",
        "webhook_url",
    }
)

#: A word that is the default password of every example and would blank half of each log.
_NEVER: Final = frozenset({"airflow"})
#: Lines of a long secret (a private key) that are hidden by themselves.
_LINE_LENGTH: Final = 16
#: Deeper values are hidden whole: they may be endless, and showing them unseen is the worse mistake.
_DEPTH: Final = 20


class SecretsMasker:
    """The secrets that this process knows of."""

    def __init__(self) -> None:
        self._patterns: set[str] = set()
        self._replacer: re.Pattern[str] | None = None
        self._names: tuple[str, ...] | None = None
        #: called with each text that is learnt; a task tells the process that writes its raw output
        self.on_learn: Callable[[str], None] | None = None

    def add(self, value: Any, name: str | None = None) -> None:
        """Learn a secret.

        Args:
            value: text, or a nested structure: then the texts in it, where it has keys only under sensitive ones.
            name: what it is called; an insensitive name makes the value no secret.
        """
        if name is not None and not self.is_sensitive(name):
            if isinstance(value, Mapping):
                self._add_mapping(value)
            return
        if isinstance(value, str):
            self._add_text(value)
        elif isinstance(value, bytes):
            self._add_text(value.decode("utf-8", "replace"))
        elif isinstance(value, Mapping):
            self._add_mapping(value, all_of_it=name is not None)
        elif isinstance(value, Iterable):
            for item in value:
                self.add(item)

    def redact(self, value: Any, name: str | None = None) -> Any:
        """Return `value` with secrets replaced by `***`; what cannot hold any is returned as it is.

        Args:
            value: text or a nested structure of dicts, lists, tuples and sets.
            name: what it is called; everything under a sensitive name is hidden.
        """
        return self._redact(value, name is not None and self.is_sensitive(name), 0)

    def is_sensitive(self, name: object) -> bool:
        """Say whether values of this name are secrets."""
        if not isinstance(name, str):
            return False
        lowered = name.strip().lower()
        return any(part in lowered for part in self._sensitive_names())

    @property
    def knows_any(self) -> bool:
        """Whether it has learnt a secret."""
        return bool(self._patterns)

    def reset(self) -> None:
        """Forget all secrets and read the settings again."""
        self._patterns.clear()
        self._replacer = None
        self._names = None

    # ---------------------------------------------------------------------------------------------------

    def _sensitive_names(self) -> tuple[str, ...]:
        if self._names is None:
            if conf.getboolean("core", "hide_sensitive_var_conn_fields", fallback=True):
                more = conf.getlist("core", "sensitive_var_conn_names", fallback=[])
                self._names = (*sorted(SENSITIVE_NAMES), *(part.lower() for part in more))
            else:
                self._names = ()
        return self._names

    def _add_mapping(self, value: Mapping[Any, Any], *, all_of_it: bool = False) -> None:
        for key, item in value.items():
            if all_of_it:
                self.add(item)
            elif not isinstance(item, (str, bytes)) or self.is_sensitive(key):
                self.add(item, str(key))

    def _add_text(self, text: str) -> None:
        shortest = conf.getint("logging", "min_length_masked_secret", fallback=5)
        new = {form for form in _forms(text, shortest) if form not in self._patterns}
        if new:
            self._patterns |= new
            self._replacer = None
            if self.on_learn is not None:
                self.on_learn(text)

    def _redact(self, value: Any, hidden: bool, depth: int) -> Any:
        if isinstance(value, Enum):
            return self._redact(value.value, hidden, depth)
        if isinstance(value, str):
            return MASK if hidden else self._replace(value)
        if isinstance(value, bytes):
            return MASK.encode() if hidden else self._replace_bytes(value)
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            if depth >= _DEPTH:
                return MASK
            return self._redact_nested(value, hidden, depth + 1)
        if hidden and value is not None and not isinstance(value, bool):
            return MASK
        return value

    def _redact_nested(self, value: Any, hidden: bool, depth: int) -> Any:
        if isinstance(value, Mapping):
            return {
                self._redact(key, False, depth): self._redact(item, hidden or self.is_sensitive(key), depth)
                for key, item in value.items()
            }
        items = [self._redact(item, hidden, depth) for item in value]
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*items)
        for kind in (list, tuple, set, frozenset):
            if isinstance(value, kind):
                return kind(items)
        raise AssertionError("unreachable: _redact passes only these kinds")

    def _replace(self, text: str) -> str:
        if not self._patterns:
            return text
        if self._replacer is None:
            # Longest first, so that a secret that contains another one is hidden whole.
            ordered = sorted(self._patterns, key=lambda pattern: (-len(pattern), pattern))
            self._replacer = re.compile("|".join(map(re.escape, ordered)))
        return self._replacer.sub(MASK, text)

    def _replace_bytes(self, data: bytes) -> bytes:
        return self._replace(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _forms(text: str, shortest: int) -> set[str]:
    """Return the spellings of a secret that are long enough to be hidden."""
    import json
    from urllib.parse import quote, quote_plus

    whole = text.strip()
    if len(whole) < shortest or whole.lower() in _NEVER:
        return set()
    spoken = {text, whole}
    spoken.update(line.strip() for line in whole.splitlines() if len(line.strip()) >= _LINE_LENGTH)
    forms = set(spoken)
    for form in spoken:
        forms |= {
            json.dumps(form)[1:-1],
            json.dumps(form, ensure_ascii=False)[1:-1],
            repr(form)[1:-1],
            quote(form, safe="", errors="replace"),
            quote(form, errors="replace"),
            quote_plus(form, errors="replace"),
        }
    return {form for form in forms if len(form) >= shortest}


masker = SecretsMasker()
