"""Names of this host, and of principals on it."""

from __future__ import annotations

import functools
import socket
from typing import Any

from gnomon.sdk.exceptions import AirflowException


@functools.cache
def getfqdn(name: str = "") -> str:
    """Return the full name of a host; of this one without a name."""
    name = name.strip()
    if name in ("", "0.0.0.0"):  # noqa: S104 - a question, not an address to listen on
        name = socket.gethostname()
    try:
        found = socket.getaddrinfo(name, None, 0, socket.SOCK_DGRAM, 0, socket.AI_CANONNAME)
    except OSError:
        return name
    return next((entry[3] for entry in found if entry[3]), name)


def get_host_ip_address() -> str:
    """Return the address of this host."""
    return socket.gethostbyname(getfqdn())


def get_hostname() -> str:
    """Return the name of this host, as [core] hostname_callable tells it."""
    from gnomon.sdk.configuration import conf

    path = conf.get("core", "hostname_callable", fallback=None)
    if not path or path in ("airflow.utils.net.getfqdn", "gnomon.sdk.core.network.getfqdn"):
        return getfqdn()
    return str(conf.getimport("core", "hostname_callable")())


# --------------------------------------------------------------------------------------------------- Kerberos


def get_components(principal: str | None) -> list[str] | None:
    """Return [user, host, realm] of a principal."""
    import re

    return re.split(r"[/@]", str(principal)) if principal else None


def replace_hostname_pattern(components: list[str], host: str | None = None) -> str:
    """Return the principal with _HOST replaced by a host's name."""
    fqdn = host
    if not fqdn or fqdn == "0.0.0.0":  # noqa: S104 - a question, not an address to listen on
        fqdn = get_hostname()
    return f"{components[0]}/{fqdn.lower()}@{components[2]}"


def get_fqdn(hostname_or_ip: str | None = None) -> str:
    """Return the full name of a host or an address."""
    try:
        if hostname_or_ip:
            name = socket.gethostbyaddr(hostname_or_ip)[0]
            if name == "localhost":
                name = get_hostname()
            return name
        return get_hostname()
    except OSError:
        return hostname_or_ip or getfqdn()


def principal_from_username(username: str, realm: str | None) -> str:
    """Return `username@realm`, unless the name has a realm already."""
    return f"{username}@{realm}" if realm and "@" not in username else username


def renew_from_kt(principal: str | None, keytab: str, exit_on_fail: bool = True) -> int:
    """Get a ticket from a keytab with kinit.

    Returns:
        kinit's exit code.

    Raises:
        AirflowException: kinit is missing.
        SystemExit: kinit failed, and `exit_on_fail` is not False.
    """
    import logging
    import subprocess
    import sys

    from gnomon.sdk.configuration import conf

    lifetime = f"{conf.getint('kerberos', 'reinit_frequency')}m"
    flags = [
        "-f" if conf.getboolean("kerberos", "forwardable") else "-F",
        "-a" if conf.getboolean("kerberos", "include_ip") else "-A",
    ]
    who = principal or conf.get_mandatory_value("kerberos", "principal").replace("_HOST", getfqdn())
    command: list[Any] = [
        conf.get_mandatory_value("kerberos", "kinit_path"), *flags, "-r", lifetime, "-k", "-t", keytab,
        "-c", conf.get_mandatory_value("kerberos", "ccache"), who,
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise AirflowException(f"[kerberos] kinit_path: there is no {command[0]}") from None
    if done.returncode != 0:
        logging.getLogger(__name__).error("kinit failed with %d: %s", done.returncode, done.stderr.strip())
        if exit_on_fail:
            sys.exit(done.returncode)
    return done.returncode
