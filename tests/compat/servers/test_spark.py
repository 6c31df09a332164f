"""The Spark provider with Spark's own package from PyPI and a Java from Debian."""

from __future__ import annotations

from tests.compat.servers.processes import program


def test_a_decorated_function_and_a_job_that_is_submitted(deployment):
    program("java", "default-jre-headless")
    deployment.connection("spark", "spark", host="local[1]", extra={"deploy-mode": "client"})
    deployment.add("spark.py", "jobs")
    run = deployment.run("spark", seconds=500)
    assert run.states == {"decorated": "success", "submit": "success"}, run.why()
    assert run.xcom("decorated") == {"sum": 3, "count": 3}
    assert "spark counts 5" in run.log("submit")
