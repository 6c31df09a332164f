"""EmailOperator: send an email."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from gnomon.sdk.operator import BaseOperator


class EmailOperator(BaseOperator):
    """Sends an email through `[smtp]`, or through a connection of type smtp.

    Args:
        to: one address, several, or several in one string (templated).
        subject: the subject (templated).
        html_content: the text, as HTML, or the name of an .html file (templated).
        files: files to attach (templated).
        cc: further addresses (templated).
        bcc: further addresses that nobody sees (templated).
        mime_subtype: how attachments are packed (templated).
        mime_charset: the encoding (templated).
        conn_id: the connection; `[smtp]` unless given (templated).
        custom_headers: further headers (templated).
        from_email: the sender (templated).
    """

    template_fields: Collection[str] = (
        *("to", "subject", "html_content", "from_email", "files", "cc", "bcc"),
        *("mime_subtype", "mime_charset", "conn_id", "custom_headers"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"html_content": "html"}
    template_ext = (".html",)
    ui_color = "#e6faf9"

    def __init__(
        self,
        *,
        to: list[str] | str,
        subject: str,
        html_content: str,
        files: list[str] | None = None,
        cc: list[str] | str | None = None,
        bcc: list[str] | str | None = None,
        mime_subtype: str = "mixed",
        mime_charset: str = "utf-8",
        conn_id: str | None = None,
        custom_headers: dict[str, Any] | None = None,
        from_email: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to = to
        self.subject = subject
        self.html_content = html_content
        self.files = files or []
        self.cc = cc
        self.bcc = bcc
        self.mime_subtype = mime_subtype
        self.mime_charset = mime_charset
        self.conn_id = conn_id
        self.custom_headers = custom_headers
        self.from_email = from_email

    def execute(self, context: Any) -> None:
        """Send it."""
        from gnomon.sdk.email import send_email

        send_email(
            self.to,
            self.subject,
            self.html_content,
            files=self.files,
            cc=self.cc,
            bcc=self.bcc,
            mime_subtype=self.mime_subtype,
            mime_charset=self.mime_charset,
            conn_id=self.conn_id,
            custom_headers=self.custom_headers,
            from_email=self.from_email,
        )
