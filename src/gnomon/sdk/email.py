"""Sending email by SMTP."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from gnomon.sdk.exceptions import AirflowException


def get_email_address_list(addresses: str | Iterable[str] | None) -> list[str]:
    """Return addresses that are one string, separated by commas or semicolons, or a list already."""
    if not addresses:
        return []
    if isinstance(addresses, str):
        return [one for one in re.split(r"\s*[,;]\s*", addresses.strip()) if one]
    found = list(addresses)
    if not all(isinstance(one, str) for one in found):
        raise TypeError("The items in your iterable must be strings.")
    return found


def build_message(
    to: str | Iterable[str],
    subject: str,
    html_content: str,
    files: Iterable[str] | None = None,
    cc: str | Iterable[str] | None = None,
    bcc: str | Iterable[str] | None = None,
    from_email: str | None = None,
    custom_headers: dict[str, Any] | None = None,
) -> tuple[EmailMessage, list[str]]:
    """Return (the message, all who get it)."""
    import mimetypes

    message = EmailMessage()
    receivers, copies, hidden = (get_email_address_list(one) for one in (to, cc, bcc))
    message["Subject"] = subject
    message["From"] = from_email
    message["To"] = ", ".join(receivers)
    if copies:
        message["CC"] = ", ".join(copies)
    message["Date"] = formatdate(localtime=True)
    for name, value in (custom_headers or {}).items():
        message[name] = str(value)
    message.set_content("This message is HTML.")
    message.add_alternative(html_content, subtype="html")
    for path in files or ():
        kind, _ = mimetypes.guess_type(path)
        main, _, sub = (kind or "application/octet-stream").partition("/")
        with open(path, "rb") as file:
            message.add_attachment(file.read(), maintype=main, subtype=sub, filename=os.path.basename(path))
    return message, receivers + copies + hidden


def send_email(
    to: str | Iterable[str],
    subject: str,
    html_content: str,
    files: Iterable[str] | None = None,
    dryrun: bool = False,
    cc: str | Iterable[str] | None = None,
    bcc: str | Iterable[str] | None = None,
    mime_subtype: str = "mixed",
    mime_charset: str = "utf-8",
    conn_id: str | None = None,
    custom_headers: dict[str, Any] | None = None,
    from_email: str | None = None,
    **_: Any,
) -> None:
    """Send an email through `[smtp]`; host, port, login and password may come from a connection instead.

    Raises:
        AirflowException: the server cannot be reached or refuses; the message says which server.
    """
    import smtplib

    from gnomon.service.config import conf

    host = conf.get("smtp", "smtp_host", fallback="localhost")
    port = conf.getint("smtp", "smtp_port", fallback=25)
    login = conf.get("smtp", "smtp_user", fallback=None)
    password = conf.get("smtp", "smtp_password", fallback=None)
    sender = (
        from_email
        or conf.get("email", "from_email", fallback=None)
        or conf.get("smtp", "smtp_mail_from", fallback=None)
    )
    if conn_id:
        from gnomon.sdk.connection import Connection

        conn = Connection.get(conn_id)
        host, port = conn.host or host, conn.port or port
        login, password = conn.login or login, conn.password or password
    message, receivers = build_message(
        to, subject, html_content, files, cc, bcc, sender or "airflow@example.com", custom_headers
    )
    if dryrun:
        return
    kind = smtplib.SMTP_SSL if conf.getboolean("smtp", "smtp_ssl", fallback=False) else smtplib.SMTP
    try:
        with kind(host, port, timeout=conf.getint("smtp", "smtp_timeout", fallback=30)) as server:
            if conf.getboolean("smtp", "smtp_starttls", fallback=True) and kind is smtplib.SMTP:
                server.starttls()
            if login and password:
                server.login(login, password)
            server.send_message(message, to_addrs=receivers)
    except (OSError, smtplib.SMTPException) as error:
        raise AirflowException(f"the email cannot be sent through {host}:{port}: {error}") from error
