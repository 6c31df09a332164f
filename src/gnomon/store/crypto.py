"""Secrets at rest: Fernet with the keys of [core] fernet_key; the first one encrypts, all of them decrypt.

An empty setting means plain text, as in Airflow. `cryptography` is loaded only when there is a key.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from gnomon.store.errors import BadFernetKey, FernetKeyMismatch

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Cipher:
    """Encrypts and decrypts with a list of keys, or leaves everything as it is when the list is empty."""

    def __init__(self, keys: str) -> None:
        self._keys = [key.strip() for key in keys.split(",") if key.strip()]
        self._fernet: MultiFernet | None = None

    @property
    def enabled(self) -> bool:
        """Whether there is a key."""
        return bool(self._keys)

    def check(self) -> None:
        """Do nothing if secrets can be encrypted, or need not be.

        Raises:
            BadFernetKey: the setting is not a list of Fernet keys.
        """
        if self._keys:
            self._multi()

    def encrypt(self, plain: str) -> str:
        """Return a token for `plain`, or `plain` itself without a key.

        Raises:
            BadFernetKey: the setting is not a list of Fernet keys.
        """
        return self._multi().encrypt(plain.encode()).decode() if self._keys else plain

    def decrypt(self, token: str, what: str = "a value") -> str:
        """Return what was encrypted.

        Args:
            token: what `encrypt` returned, under a key that is still in the list.
            what: names the thing in the error, for example "variable 'x'".

        Raises:
            FernetKeyMismatch: it was encrypted with another key.
        """
        return self._try(token, what, rotate=False)

    def rotate(self, token: str, what: str = "a value") -> str:
        """Return a token of the same text under the first key.

        Raises:
            FernetKeyMismatch: it was encrypted with another key.
        """
        return self._try(token, what, rotate=True)

    def _try(self, token: str, what: str, *, rotate: bool) -> str:
        if not self._keys:
            raise FernetKeyMismatch(f"{what} is encrypted, but [core] fernet_key is empty")
        fernet = self._multi()
        from cryptography.fernet import InvalidToken

        try:
            return (fernet.rotate if rotate else fernet.decrypt)(token.encode()).decode()
        except InvalidToken:
            raise FernetKeyMismatch(
                f"{what} was encrypted with a key that is not in [core] fernet_key; add that key at the end of the"
                " list, or set the value again"
            ) from None

    def _multi(self) -> MultiFernet:
        if self._fernet is None:
            from cryptography.fernet import Fernet, MultiFernet

            try:
                self._fernet = MultiFernet([Fernet(key) for key in self._keys])
            except ValueError:
                raise BadFernetKey from None
        return self._fernet


@lru_cache(maxsize=4)
def _cipher(keys: str) -> Cipher:
    return Cipher(keys)


def cipher() -> Cipher:
    """Return the cipher of [core] fernet_key as it is set now."""
    from gnomon.service.config import conf

    return _cipher(conf.get("core", "fernet_key", fallback="") or "")


def encrypt(plain: str) -> str:
    """Encrypt with [core] fernet_key; plain text stays as it is when there is no key."""
    return cipher().encrypt(plain)


def decrypt(token: str) -> str:
    """Decrypt what `encrypt` returned; without a key nothing was encrypted.

    Raises:
        FernetKeyMismatch: it was encrypted with another key.
    """
    return cipher().decrypt(token) if cipher().enabled else token
