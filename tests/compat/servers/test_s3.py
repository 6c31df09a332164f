"""The Amazon provider on moto: S3, and Secrets Manager and the Parameter Store as secrets backends."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.compat.servers import secrets_of, starting

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
    deployment.add("s3_paths.py")
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


def test_paths(cloud):
    """What Airflow 3.3.2 says of the same."""
    run = cloud.run("s3_paths")
    assert run.state == "success", run.why()
    assert run.xcom("look") == {
        "raw": ["ObjectStoragePath", "s3://aws@paths/raw", "s3", "aws", "paths", "raw", "s3://paths/raw"],
        "parts": ["a.csv", "a", ".csv", "raw", "x"],
        "kinds": [True, False, True, True, False],
        "listed": ["a.csv", "b.csv", "deep"],
        "globbed": ["a.csv", "b.csv", "c d.csv"],
        "size": len("of raw/a.csv"),
        "same": [True, True],
        "checksum": True,
        "bytes": "of other/é.txt",
        "missing": "FileNotFoundError",
        "no bucket": "FileNotFoundError",
    }
    whole = ["whole/a.csv", "whole/deep/c d.csv"]
    keys = ["copied/a.csv", "moved/b.csv", "other/é.txt", "raw/a.csv", "raw/big.bin", *whole]
    assert run.xcom("change") == {"keys": keys, "read": [100, True], "size": 9 << 20}
    assert run.xcom("remove") == [False, True]


@pytest.mark.parametrize(
    ("backend", "service"),
    [
        ("secrets_manager.SecretsManagerBackend", "secretsmanager"),
        ("systems_manager.SystemsManagerParameterStoreBackend", "ssm"),
    ],
)
def test_secrets_backends(providers, moto, airflow_home, backend, service):
    secrets = {"connections/vault": secrets_of.CONNECTION}
    secrets |= {f"variables/{name}": value for name, value in secrets_of.VARIABLES.items()}
    put(providers, moto, service, secrets)
    names = {"connections_prefix": "/airflow/connections", "variables_prefix": "/airflow/variables"}
    arguments = names | {"endpoint_url": moto, "region_name": "eu-central-1"}
    secrets_of.a_run(providers, airflow_home, f"airflow.providers.amazon.aws.secrets.{backend}", arguments, **_KEYS)


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
