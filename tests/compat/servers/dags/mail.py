"""What the SMTP provider does, on the connection `mail`."""

from __future__ import annotations

import pendulum

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import DAG, task

with DAG("mail", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC")):
    EmailOperator(
        task_id="send",
        conn_id="mail",
        to=["ada@example.com", "bob@example.com"],
        cc="cy@example.com",
        subject="{{ dag.dag_id }} of {{ run_id }}",
        html_content="<b>Done</b>: {{ params.what }}",
        params={"what": "all"},
        files=["{{ var.value.attachment }}"],
    )

    @task(
        on_failure_callback=SmtpNotifier(
            smtp_conn_id="mail", to="ada@example.com", subject="{{ ti.task_id }} failed", html_content="sorry"
        ),
    )
    def fails():
        raise ValueError("no")

    @task(on_success_callback=[SmtpNotifier(smtp_conn_id="mail", to="ada@example.com")])
    def succeeds():
        """The subject and the text are the provider's own templates."""

    fails()
    succeeds()
