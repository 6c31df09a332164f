"""Reports failures and retries to the addresses that a task names in `email`."""

from __future__ import annotations

import html
import logging
from typing import Any

log = logging.getLogger("airflow.task")

_SUBJECT = "Airflow alert: {{ ti }}"
_CONTENT = (
    "{{ ti.dag_id }}.{{ ti.task_id }} failed: try {{ try_number }} of {{ max_tries + 1 }} in {{ ti.run_id }}<br>"
    "Exception:<br>{{ exception_html }}<br>"
    'Log: <a href="{{ ti.log_url }}">{{ ti.log_url }}</a><br>'
    "Host: {{ ti.hostname }}<br>"
    'Mark success: <a href="{{ ti.mark_success_url }}">{{ ti.mark_success_url }}</a><br>'
)
_WANTED = {"failed": "email_on_failure", "up_for_retry": "email_on_retry"}


def wanted(task: Any, state: str) -> bool:
    """Tell whether a task wants an email about ending so."""
    flag = _WANTED.get(state)
    return flag is not None and bool(task.email) and bool(getattr(task, flag, False))


def report(task: Any, ti: Any, context: Any, error: Any) -> None:
    """Send the email; one that cannot be sent is logged, for the task has failed as it has."""
    try:
        _send(task, ti, context, error)
    except Exception:
        log.exception("The email to %s about this try could not be sent", task.email)


def _send(task: Any, ti: Any, context: Any, error: Any) -> None:
    from gnomon.sdk.email import get_email_address_list, send_email

    told = {
        **dict(context.items()),
        "ti": ti,
        "exception": error,
        "exception_html": html.escape(str(error)).replace("\n", "<br>"),
        "try_number": ti.try_number,
        "max_tries": ti.max_tries,
    }
    env = task.get_template_env()
    subject = env.from_string(_template("subject_template", _SUBJECT)).render(told)
    content = env.from_string(_template("html_content_template", _CONTENT)).render(told)
    send_email(get_email_address_list(task.email), str(subject), str(content))


def _template(option: str, usual: str) -> str:
    """Return the content of the file that an option of [email] names."""
    from gnomon.service.config import conf

    path = conf.get("email", option, fallback=None)
    if not path:
        return usual
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        log.warning("[email] %s: %s cannot be read (%s); the usual text is sent", option, path, error.strerror)
        return usual
