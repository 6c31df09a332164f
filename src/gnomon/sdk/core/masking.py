"""The masker of secrets under the names that Airflow's has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

from gnomon.service.masking import MASK, SENSITIVE_NAMES, masker

Redactable = TypeVar("Redactable", bound=Any)
Redacted: TypeAlias = Any
DEFAULT_SENSITIVE_FIELDS = SENSITIVE_NAMES


class SecretsMasker:
    """Hides what the masker of this process knows; subclasses override `_redact` to look into more."""

    MAX_RECURSION_DEPTH = 5

    def __init__(self) -> None:
        #: what a subclass may copy from another one; the secrets themselves are in the masker of the process
        self.patterns: set[str] = set()
        self.replacer: Any = None
        self.sensitive_variables_fields = list(SENSITIVE_NAMES)
        self.min_length_to_mask = 5
        self.secret_mask_adapter: Any = None

    def add_mask(self, secret: Any, name: str | None = None) -> None:
        """Learn a secret."""
        masker.add(secret, name)

    def redact(
        self, item: Any, name: str | None = None, max_depth: int | None = None, replacement: str = MASK, **_: Any
    ) -> Any:
        """Return `item` with secrets hidden, at most so deep."""
        return self._redact(item, name, 0, self.MAX_RECURSION_DEPTH if max_depth is None else max_depth)

    def should_hide_value_for_key(self, name: Any) -> bool:
        """Tell whether values of this name are secrets."""
        return masker.is_sensitive(name)

    def reset_masker(self) -> None:
        """Forget all secrets."""
        masker.reset()

    def _redact(self, item: Any, name: str | None, depth: int, max_depth: int, **kwargs: Any) -> Any:
        if depth > max_depth or isinstance(item, (bool, int, float, type(None))):
            return item
        if name and self.should_hide_value_for_key(name):
            return self._redact_all(item, depth, max_depth)
        if isinstance(item, Mapping):
            return {key: self._redact(value, key, depth + 1, max_depth, **kwargs) for key, value in item.items()}
        if isinstance(item, (list, set, frozenset)):
            return type(item)(self._redact(one, None, depth + 1, max_depth, **kwargs) for one in item)
        if isinstance(item, tuple):
            return tuple(self._redact(one, None, depth + 1, max_depth, **kwargs) for one in item)
        return masker.redact(item)

    def _redact_all(self, item: Any, depth: int, max_depth: int, **_: Any) -> Any:
        if depth > max_depth or isinstance(item, str):
            return MASK
        if isinstance(item, Mapping):
            return {key: self._redact_all(value, depth + 1, max_depth) for key, value in item.items()}
        if isinstance(item, (list, tuple, set, frozenset)):
            return type(item)(self._redact_all(one, depth + 1, max_depth) for one in item)
        return item


_the_masker = SecretsMasker()


def _secrets_masker() -> SecretsMasker:
    return _the_masker


def should_hide_value_for_key(name: Any) -> bool:
    """Tell whether values of this name are secrets."""
    return masker.is_sensitive(name)


def reset_secrets_masker() -> None:
    """Forget all secrets."""
    masker.reset()
