"""The users of [core] simple_auth_manager_users and their generated passwords."""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import secrets
import string
from pathlib import Path

from gnomon.api.auth.roles import Role, User
from gnomon.service import home
from gnomon.service.config import ConfigError, conf

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 16


def everybody_is_admin() -> bool:
    """Say whether nobody needs to log in."""
    return conf.getboolean("core", "simple_auth_manager_all_admins", fallback=False)


def users() -> dict[str, User]:
    """Return the users of the setting, by name.

    Raises:
        ConfigError: an entry is not `name:role`, or the role does not exist.
    """
    found = {}
    for entry in conf.getlist("core", "simple_auth_manager_users", fallback=["admin:admin"]):
        name, _, role = entry.partition(":")
        if not name or role.upper() not in Role.__members__:
            roles = ", ".join(Role.__members__).lower()
            raise ConfigError(f"[core] simple_auth_manager_users: {entry!r} is not name:role with a role of {roles}")
        found[name] = User(name, Role[role.upper()])
    return found


def passwords_file() -> Path:
    """Return where the passwords are."""
    given = conf.get("core", "simple_auth_manager_passwords_file", fallback=None)
    return Path(given) if given else home.airflow_home() / "simple_auth_manager_passwords.json.generated"


def ensure_passwords() -> dict[str, str]:
    """Make a password for each user who has none; return the new ones, by name.

    Several server processes may do this at once, so the file is locked meanwhile. As in Airflow it is plain JSON, so
    only its owner may read it.
    """
    path = passwords_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.fchmod(file.fileno(), 0o600)
        known = _parse(path, file.read())
        new = {name: _generate() for name in users() if name not in known}
        if new:
            file.seek(0)
            file.truncate()
            file.write(json.dumps(known | new) + "\n")
    return new


def authenticate(name: str, password: str) -> User | None:
    """Return the user if the password is right."""
    path = passwords_file()
    known = _parse(path, path.read_text()) if path.exists() else {}
    expected = known.get(name, "")
    # Compared even for an unknown name, so that the time does not tell whether it exists.
    right = hmac.compare_digest(expected.encode(), password.encode())
    return users().get(name) if right and expected else None


def _parse(path: Path, text: str) -> dict[str, str]:
    try:
        known = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: the passwords file is not JSON: {error.msg}") from None
    if not isinstance(known, dict) or not all(isinstance(value, str) for value in known.values()):
        raise ConfigError(f"{path}: the passwords file must be a JSON object of name and password")
    return known


def _generate() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
