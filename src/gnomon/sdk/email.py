"""Sending email: through the backend of the settings, by default SMTP."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formatdate
from typing import Any, NamedTuple

from gnomon.sdk.exceptions import AirflowException

log = logging.getLogger(__name__)

#: The backend that needs no import of users' code; in the words of Airflow.
SMTP_BACKEND = "airflow.utils.email.send_email_smtp"
DEFAULT_CONN_ID = "smtp_default"


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
    **kwargs: Any,
) -> Any:
    """Send an email through `[email] email_backend`.

    Raises:
        AirflowException: the server cannot be reached or refuses; the message says which server.
        ImportError: there is no such backend.
    """
    from gnomon.service.config import conf

    if kwargs.get("from_email") is None:
        kwargs["from_email"] = conf.get("email", "from_email", fallback=None)
    return backend()(
        get_email_address_list(to),
        subject,
        html_content,
        files=files,
        dryrun=dryrun,
        cc=cc,
        bcc=bcc,
        mime_subtype=mime_subtype,
        mime_charset=mime_charset,
        conn_id=conn_id or conf.get("email", "email_conn_id", fallback=DEFAULT_CONN_ID),
        custom_headers=custom_headers,
        **kwargs,
    )


def backend() -> Any:
    """Return the function that `[email] email_backend` names.

    Raises:
        ImportError: there is no such function.
    """
    from gnomon.service.config import conf

    name = conf.get("email", "email_backend", fallback=None) or SMTP_BACKEND
    if name == SMTP_BACKEND:
        return send_email_smtp
    from gnomon.sdk.runtime.values import import_string

    return import_string(name)


def send_email_smtp(
    to: str | Iterable[str],
    subject: str,
    html_content: str,
    files: Iterable[str] | None = None,
    dryrun: bool = False,
    cc: str | Iterable[str] | None = None,
    bcc: str | Iterable[str] | None = None,
    mime_subtype: str = "mixed",
    mime_charset: str = "utf-8",
    conn_id: str = DEFAULT_CONN_ID,
    from_email: str | None = None,
    custom_headers: dict[str, Any] | None = None,
    **_: Any,
) -> None:
    """Send an email by SMTP; server and login come from a connection, where there is one of that id, or `[smtp]`."""
    server = _server(conn_id)
    sender = from_email or server.sender
    message, receivers = build_mime_message(
        sender, to, subject, html_content, files, cc, bcc, mime_subtype, mime_charset, custom_headers
    )
    _send(server, sender, receivers, message, dryrun=dryrun)


def build_mime_message(
    mail_from: str | None,
    to: str | Iterable[str],
    subject: str,
    html_content: str,
    files: Iterable[str] | None = None,
    cc: str | Iterable[str] | None = None,
    bcc: str | Iterable[str] | None = None,
    mime_subtype: str = "mixed",
    mime_charset: str = "utf-8",
    custom_headers: dict[str, Any] | None = None,
) -> tuple[MIMEMultipart, list[str]]:
    """Return (the message, all who get it); those of `bcc` are not in the message."""
    receivers, copies, hidden = (get_email_address_list(one) for one in (to, cc, bcc))
    message = MIMEMultipart(mime_subtype)
    message["Subject"] = " ".join(subject.split())
    if mail_from:
        message["From"] = mail_from
    message["To"] = ", ".join(receivers)
    if copies:
        message["CC"] = ", ".join(copies)
    message["Date"] = formatdate(localtime=True)
    message.attach(MIMEText(html_content, "html", mime_charset))
    for path in files or ():
        name = os.path.basename(path)
        with open(path, "rb") as file:
            part = MIMEApplication(file.read(), Name=name)
        part["Content-Disposition"] = f'attachment; filename="{name}"'
        part["Content-ID"] = f"<{name}>"
        message.attach(part)
    for name, value in (custom_headers or {}).items():
        del message[name]
        message[name] = str(value)
    return message, receivers + copies + hidden


def send_mime_email(
    e_from: str, e_to: str | list[str], mime_msg: Any, conn_id: str = DEFAULT_CONN_ID, dryrun: bool = False
) -> None:
    """Send a message that was made elsewhere."""
    _send(_server(conn_id), e_from, get_email_address_list(e_to), mime_msg, dryrun=dryrun)


# ------------------------------------------------------------------------------------------------ the server


class _Server(NamedTuple):
    host: str
    port: int
    login: str | None
    password: str | None
    sender: str
    ssl: bool
    starttls: bool
    timeout: int
    tries: int


def _server(conn_id: str | None) -> _Server:
    from gnomon.service.config import conf

    server = _Server(
        host=conf.get("smtp", "smtp_host", fallback="localhost"),
        port=conf.getint("smtp", "smtp_port", fallback=25),
        login=conf.get("smtp", "smtp_user", fallback=None),
        password=conf.get("smtp", "smtp_password", fallback=None),
        sender=conf.get("smtp", "smtp_mail_from", fallback=None) or "airflow@example.com",
        ssl=conf.getboolean("smtp", "smtp_ssl", fallback=False),
        starttls=conf.getboolean("smtp", "smtp_starttls", fallback=True),
        timeout=conf.getint("smtp", "smtp_timeout", fallback=30),
        tries=max(1, conf.getint("smtp", "smtp_retry_limit", fallback=5)),
    )
    conn = _connection(conn_id)
    if conn is None:
        return server
    extra = conn.extra_dejson
    return server._replace(
        host=conn.host or server.host,
        port=conn.port or server.port,
        login=conn.login or server.login,
        password=conn.password or server.password,
        sender=extra.get("from_email") or server.sender,
        # The words of the smtp provider, whose connections these are; without them the settings count.
        ssl=not _flag(extra["disable_ssl"]) if "disable_ssl" in extra else server.ssl,
        starttls=not _flag(extra["disable_tls"]) if "disable_tls" in extra else server.starttls,
        timeout=int(extra.get("timeout", server.timeout)),
        tries=max(1, int(extra.get("retry_limit", server.tries))),
    )


def _connection(conn_id: str | None) -> Any:
    """Return the connection; None for the usual one where it was never made."""
    from gnomon.sdk.connection import Connection
    from gnomon.sdk.exceptions import AirflowNotFoundException

    if not conn_id:
        return None
    try:
        return Connection.get(conn_id)
    except AirflowNotFoundException:
        if conn_id == DEFAULT_CONN_ID:
            return None
        raise


def _flag(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "1", "yes", "on")


def _send(server: _Server, sender: str, receivers: list[str], message: Any, *, dryrun: bool) -> None:
    if dryrun:
        return
    import smtplib

    for left in reversed(range(server.tries)):
        try:
            with _connect(server) as connected:
                if server.login and server.password:
                    connected.login(server.login, server.password)
                connected.sendmail(sender, receivers, message.as_string())
        except (OSError, smtplib.SMTPException) as error:
            # Only a server that is not there, or goes away, is worth another try.
            if left and isinstance(error, smtplib.SMTPServerDisconnected | smtplib.SMTPConnectError | TimeoutError):
                continue
            raise AirflowException(f"the email cannot be sent through {server.host}:{server.port}: {error}") from error
        log.info("Sent an email to %s", ", ".join(receivers))
        return


def _connect(server: _Server) -> Any:
    import smtplib

    if server.ssl:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=_ssl_context())
    connected = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
    if server.starttls:
        connected.starttls(context=_ssl_context())
    return connected


def _ssl_context() -> Any:
    """Return how certificates are checked: `[email] ssl_context` is "default" or "none".

    Raises:
        AirflowException: it is something else.
    """
    import ssl

    from gnomon.service.config import conf

    chosen = conf.get("email", "ssl_context", fallback=None) or "default"
    if chosen == "default":
        return ssl.create_default_context()
    if chosen != "none":
        raise AirflowException(f"[email] ssl_context has to be 'default' or 'none', not {chosen!r}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
