"""Signed tokens: who a request comes from, and for the execution protocol which try."""

from __future__ import annotations

import base64
import hmac
import os
import secrets
from datetime import datetime, timedelta
from typing import Any

from gnomon.api.auth.roles import Role, User
from gnomon.service import home
from gnomon.service.config import conf
from gnomon.wire.execution import TryKey

_ALGORITHM = "HS512"
_USER_AUDIENCE = "apache-airflow"
_TASK_AUDIENCE = "urn:airflow.apache.org:task"


class BadToken(Exception):
    """The token was not made here, is for something else, or has expired."""


def secret() -> str:
    """Return [api_auth] jwt_secret; without it, one that is made once per AIRFLOW_HOME.

    All servers of an installation must share it, or each would refuse the others' tokens.
    """
    given = conf.get("api_auth", "jwt_secret", fallback=None)
    if given:
        return str(given)
    path = home.airflow_home() / "jwt_secret.generated"
    if path.exists():
        return path.read_text().strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(64))
    try:
        os.link(temporary, path)  # whole or not at all, and only the first one wins
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
    return path.read_text().strip()


class Tokens:
    """Makes and reads tokens with one secret."""

    def __init__(self, key: str) -> None:
        self._key = key

    def for_user(self, user: User, now: datetime, seconds: int | None = None) -> str:
        """Return a token that says who somebody is; [api_auth] jwt_expiration_time long unless given."""
        seconds = seconds or conf.getint("api_auth", "jwt_expiration_time", fallback=86400)
        return self._encode({"sub": user.name, "role": user.role.name, "aud": _USER_AUDIENCE}, now, seconds)

    def user(self, token: str) -> User:
        """Return who a token is about.

        Raises:
            BadToken: it is not valid.
        """
        claims = self._decode(token, _USER_AUDIENCE)
        try:
            return User(str(claims["sub"]), Role[claims["role"]])
        except KeyError:
            raise BadToken from None

    def for_try(self, key: TryKey, now: datetime) -> str:
        """Return a token with which one piece of execution may ask; [execution_api] jwt_expiration_time long."""
        seconds = conf.getint("execution_api", "jwt_expiration_time", fallback=600)
        return self._encode({"sub": f"{key.ti}:{key.seq}", "aud": _TASK_AUDIENCE}, now, seconds)

    def try_key(self, token: str) -> TryKey:
        """Return the piece of execution that a token is for.

        Raises:
            BadToken: it is not valid.
        """
        claims = self._decode(token, _TASK_AUDIENCE)
        try:
            ti, seq = claims["sub"].split(":")
            return TryKey(int(ti), int(seq))
        except ValueError:
            raise BadToken from None

    def _encode(self, claims: dict[str, Any], now: datetime, seconds: int) -> str:
        import jwt

        times = {"iat": now, "nbf": now, "exp": now + timedelta(seconds=seconds)}
        return jwt.encode({**claims, **times}, self._key, algorithm=_ALGORITHM)

    def _decode(self, token: str, audience: str) -> dict[str, Any]:
        import jwt  # brings cryptography, which an installation without logins need not load

        leeway = conf.getint("api_auth", "jwt_leeway", fallback=10)
        required: Any = {"require": ["exp", "sub", "aud"]}
        try:
            return jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], audience=audience, leeway=leeway, options=required
            )
        except jwt.InvalidTokenError:
            raise BadToken from None


def sign(text: str, key: str) -> str:
    """Return a token that carries `text`, which everybody may read and nobody else can make."""
    payload = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return f"{payload}.{_mac(payload, key)}"


def unsign(token: str, key: str) -> str:
    """Return the text of a signed token.

    Raises:
        BadToken: it was not made here.
    """
    payload, _, mac = token.partition(".")
    if not hmac.compare_digest(mac.encode(), _mac(payload, key).encode()):
        raise BadToken
    return base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()


def _mac(payload: str, key: str) -> str:
    digest = hmac.digest(key.encode(), payload.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
