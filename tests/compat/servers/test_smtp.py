"""The SMTP provider on an SMTP server."""

from __future__ import annotations

import email
import email.policy

from tests.compat.servers import starting


def test_an_operator_and_notifiers_send_mail(deployment, stand_ins):
    (deployment.home / "report.txt").write_text("12 passengers")
    with starting.smtp(stand_ins) as (port, mailbox):
        extra = {"from_email": "gnomon@example.com", "disable_ssl": True, "disable_tls": True}
        deployment.connection("mail", "smtp", host="127.0.0.1", port=port, extra=extra)
        deployment.variable("attachment", str(deployment.home / "report.txt"))
        deployment.add("mail.py")
        run = deployment.run("mail")
        assert run.states == {"send": "success", "fails": "failed", "succeeds": "success"}, run.why()
        mails = [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in (mailbox / "new").iterdir()
        ]
    by_subject = {mail["Subject"]: mail for mail in mails}
    assert len(mails) == 3, list(by_subject)
    sent = next(mail for subject, mail in by_subject.items() if subject.startswith("mail of r"))
    assert (sent["From"], sent["To"]) == ("gnomon@example.com", "ada@example.com, bob@example.com")
    assert "<b>Done</b>: all" in sent.get_body(("html",)).get_content()
    assert [part.get_content() for part in sent.iter_attachments()] in (["12 passengers"], [b"12 passengers"])
    assert by_subject["fails failed"].get_body(("html",)).get_content().strip() == "sorry"
    [own] = [mail for mail in mails if "succeeds" in mail["Subject"]]
    assert "succeeds" in own.get_body(("html",)).get_content()
