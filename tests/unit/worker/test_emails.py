"""E-mails about failures and retries, really sent to a mail server on the loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gnomon.sdk.dag import DAG
from gnomon.sdk.email import build_mime_message, send_email
from gnomon.sdk.exceptions import AirflowException
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.serialization import serialize_dag
from gnomon.sdk.settings import FromSettings
from gnomon.sdk.standard.email import EmailOperator
from gnomon.service.config import conf
from gnomon.wire import execution as wire
from gnomon.worker import run_callbacks, runner
from tests.fixtures.smtp import MailServer, mail_server
from tests.unit.runtime.fakes import FakeChannel, run_info, workload

SENT_BY_OWN: list[dict[str, Any]] = []


class Failing(BaseOperator):
    def execute(self, context: Any) -> None:
        raise ValueError("the <kettle>\nis empty")


class Fine(BaseOperator):
    def execute(self, context: Any) -> None:
        return None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        use(monkeypatch, **server.settings())
        yield server


def use(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    conf.reload()
    FromSettings.forget()


@pytest.fixture
def channel() -> FakeChannel:
    from gnomon.sdk.runtime.channel import set_channel

    made = FakeChannel()
    set_channel(made)
    return made


def run(
    channel: FakeChannel, task: Callable[..., Any] = Failing, *, piece: Any = None, **arguments: Any
) -> wire.Outcome:
    with DAG("d", schedule=None) as dag:
        task(task_id="t", **arguments)
    runner.run_try(workload("t", **(piece or {})), dag, channel)
    assert channel.outcome is not None
    return channel.outcome


def test_a_failure_is_reported_to_the_addresses_of_the_task(server: MailServer, channel: FakeChannel) -> None:
    outcome = run(channel, email="a@example.com; b@example.com")

    assert outcome.state == "failed"
    (mail,) = server.mails
    assert (mail.sender, mail.receivers) == ("airflow@example.com", ["a@example.com", "b@example.com"])
    assert mail.message["Subject"].startswith("Airflow alert: <TaskInstance")
    assert "the &lt;kettle&gt;<br>is empty" in mail.html
    assert "try 1 of 1" in mail.html


def test_a_retry_is_reported_too_and_either_can_be_switched_off(server: MailServer, channel: FakeChannel) -> None:
    retry = {"try_number": 1, "max_tries": 1}
    run(channel, email=["a@example.com"], retries=1, piece=retry)
    assert "try 1 of 2" in server.mails[0].html
    run(channel, email=["a@example.com"], retries=1, email_on_retry=False, piece=retry)
    run(channel, email=["a@example.com"], email_on_failure=False)
    run(channel, Fine, email=["a@example.com"])
    run(channel)  # no address
    assert len(server.mails) == 1


def test_the_settings_may_switch_them_off(
    server: MailServer, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, AIRFLOW__EMAIL__DEFAULT_EMAIL_ON_FAILURE="False")
    run(channel, email="a@example.com")
    assert server.mails == []


def test_subject_and_text_may_come_from_templates(
    server: MailServer, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "subject").write_text("{{ ti.task_id }} of {{ dag.dag_id }}\nis broken")
    (tmp_path / "text").write_text("<b>{{ exception }}</b> in try {{ try_number }}, {{ run_id }}")
    use(
        monkeypatch,
        AIRFLOW__EMAIL__SUBJECT_TEMPLATE=str(tmp_path / "subject"),
        AIRFLOW__EMAIL__HTML_CONTENT_TEMPLATE=str(tmp_path / "text"),
        AIRFLOW__EMAIL__FROM_EMAIL="Gnomon <gnomon@example.com>",
    )
    run(channel, email="a@example.com")
    (mail,) = server.mails
    assert mail.message["Subject"] == "t of d is broken"
    assert mail.html.startswith("<b>the <kettle>")
    assert mail.message["From"] == "Gnomon <gnomon@example.com>"


def test_a_backend_of_users_is_called_as_airflow_calls_it(
    channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    SENT_BY_OWN.clear()
    use(monkeypatch, AIRFLOW__EMAIL__EMAIL_BACKEND=f"{__name__}.own_backend")
    run(channel, email="a@example.com")
    assert SENT_BY_OWN[0]["to"] == ["a@example.com"]
    assert SENT_BY_OWN[0]["conn_id"] == "smtp_default"


def own_backend(to: Any, subject: str, html_content: str, **more: Any) -> None:
    SENT_BY_OWN.append({"to": to, "subject": subject, **more})


def test_one_that_cannot_be_sent_changes_nothing(channel: FakeChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = str(nobody.getsockname()[1])
        use(monkeypatch, AIRFLOW__SMTP__SMTP_HOST="127.0.0.1", AIRFLOW__SMTP__SMTP_PORT=port)
        outcome = run(channel, email="a@example.com")
    assert (outcome.state, str(outcome.error).split("\n")[0]) == ("failed", "ValueError: the <kettle>")


def test_a_try_whose_process_was_killed_is_reported_by_a_worker(server: MailServer, channel: FakeChannel) -> None:
    with DAG("d", schedule=None) as dag:
        Failing(task_id="t", email="a@example.com")
    assert serialize_dag(dag).tasks[0].has_failure_callback  # so the scheduler asks for it
    asked = wire.CallbackWorkload(
        id=1, kind="task_failure", file=workload("t").file, run=msgspec.Raw(wire.encode(run_info())),
        reason="killed by SIGKILL (signal 9)", task_id="t", try_number=1, max_tries=0,
    )  # fmt: skip
    run_callbacks.run(asked, {"d": dag})
    assert "killed by SIGKILL" in server.mails[0].html


def test_the_operator_sends_with_attachments_copies_and_headers(
    server: MailServer, channel: FakeChannel, tmp_path: Path
) -> None:
    (tmp_path / "report.csv").write_text("a,b")
    outcome = run(
        channel, EmailOperator, to="a@example.com", subject="{{ dag.dag_id }}", html_content="<p>{{ run_id }}</p>",
        files=[str(tmp_path / "report.csv")], cc="c@example.com", bcc=["h@example.com"],
        custom_headers={"X-Tea": "hot"}, from_email="me@example.com",
    )  # fmt: skip
    assert (outcome.state, outcome.error) == ("success", None)
    (mail,) = server.mails
    assert mail.receivers == ["a@example.com", "c@example.com", "h@example.com"]
    assert (mail.message["Subject"], mail.message["CC"], mail.message["X-Tea"]) == ("d", "c@example.com", "hot")
    assert mail.message["Bcc"] is None
    (attached,) = [part for part in mail.message.walk() if part.get_filename()]
    assert (attached.get_filename(), attached.get_payload(decode=True)) == ("report.csv", b"a,b")


def test_a_connection_says_where_and_as_whom(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"smtp://tea:pot@127.0.0.1:{server.port}/?from_email=kettle%40example.com&disable_tls=True&disable_ssl=True"
    use(monkeypatch, AIRFLOW__SMTP__SMTP_HOST="nowhere.invalid", AIRFLOW_CONN_MAILBOX=uri)
    send_email("a@example.com", "s", "t", conn_id="mailbox")
    assert server.mails[0].sender == "kettle@example.com"
    assert len(server.logins) == 1


def test_a_refusal_names_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server(refuses=True) as server:
        use(monkeypatch, **server.settings())
        with pytest.raises(AirflowException, match=f"cannot be sent through 127.0.0.1:{server.port}: .*nobody of that"):
            send_email("a@example.com", "s", "t")


def test_a_subject_cannot_smuggle_in_a_header() -> None:
    message, _ = build_mime_message("me@example.com", "a@example.com", "hello\nBcc: x@example.com", "t")
    assert message["Subject"] == "hello Bcc: x@example.com"
    assert message["Bcc"] is None
