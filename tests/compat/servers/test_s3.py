"""The Amazon provider on moto: S3, and Secrets Manager and the Parameter Store as secrets backends."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.compat.servers import starting

_DAGS = Path(__file__).with_name("dags")
_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}


@pytest.fixture(scope="module")
def moto(stand_ins):
    with starting.moto(stand_ins) as url:
        yield url


@pytest.fixture(scope="module")
def cloud(deployment, moto):
    extra = {"endpoint_url": moto, "region_name": "eu-central-1"}
    deployment.connection("aws", "aws", login="test", password="testtest", extra=extra)
    (deployment.home / "s3_file.csv").write_text("station,altona\n")
    deployment.variable("s3_file", str(deployment.home / "s3_file.csv"))
    deployment.add("s3.py")
    return deployment


def test_objects(cloud):
    run = cloud.run("s3_objects")
    assert run.state == "success", run.why()
    assert run.xcom("listed") == ["copied/day.json", "new/local.csv", "raw/2024-01-01.json", "raw/local.csv"]
    assert run.xcom("hook") == {
        "copied": {"run": "s3_objects"},
        "transformed": "station,altona\n",
        "raw": False,
        "keys": ["copied/day.json", "hook/x.txt", "new/local.csv"],
    }


def test_sensors_that_defer_or_come_again(cloud):
    run = cloud.run("s3_waiting")
    assert run.state == "success", run.why()


@pytest.mark.parametrize(
    ("backend", "service"),
    [
        ("secrets_manager.SecretsManagerBackend", "secretsmanager"),
        ("systems_manager.SystemsManagerParameterStoreBackend", "ssm"),
    ],
)
def test_secrets_backends(providers, moto, airflow_home, backend, service):
    secrets = {
        "connections/vault": "postgres://ada:s3cr3t@db.example.com:5432/trains",
        "variables/station": "Altona",
        "variables/settings": json.dumps({"lines": [1, 3]}),
    }
    put(providers, moto, service, secrets)
    (airflow_home / "dags").mkdir()
    shutil.copy(_DAGS / "secrets_of_aws.py", airflow_home / "dags")
    names = {"connections_prefix": "/airflow/connections", "variables_prefix": "/airflow/variables"}
    environ = providers.environ(
        AIRFLOW_HOME=str(airflow_home),
        AIRFLOW__SECRETS__BACKEND=f"airflow.providers.amazon.aws.secrets.{backend}",
        AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps(names | {"endpoint_url": moto, "region_name": "eu-central-1"}),
        **_KEYS,
    )
    command = [providers.path / "bin/gnomon", "run", "secrets_of_aws", "-v"]
    done = subprocess.run(command, env=environ, cwd=airflow_home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the password is ***" in done.stdout
    assert "s3cr3t" not in done.stdout + done.stderr


def put(environment, url, service, secrets):
    """Store secrets as an administrator would, with boto3."""
    script = """
import boto3, json, sys
service, url = sys.argv[1:]
client = boto3.client(service, endpoint_url=url)
for name, value in json.load(sys.stdin).items():
    name = f"/airflow/{name}"
    if service == "ssm":
        client.put_parameter(Name=name, Value=value, Type="SecureString")
    else:
        client.create_secret(Name=name, SecretString=value)
"""
    subprocess.run(
        [environment.python, "-c", script, service, url],
        input=json.dumps(secrets),
        env=environment.environ(**_KEYS),
        text=True,
        check=True,
    )
