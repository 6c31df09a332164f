"""ObjectStoragePath through the amazon provider and an S3 that moto plays; run in an environment that has them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
from moto.server import ThreadedMotoServer

from airflow.sdk import ObjectStoragePath
from gnomon.sdk.runtime import values

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
_, port = server.get_host_and_port()
endpoint = f"http://127.0.0.1:{port}"
os.environ["AIRFLOW_CONN_MY_S3"] = json.dumps(
    {"conn_type": "aws", "login": "a", "password": "b", "extra": {"endpoint_url": endpoint, "region_name": "us-east-1"}}
)
client = boto3.client(
    "s3", endpoint_url=endpoint, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
)
client.create_bucket(Bucket="bucket")

base = ObjectStoragePath("s3://my_s3@bucket/data/")
first = base / "first.txt"
with first.open("w") as file:
    file.write("hello")

assert client.get_object(Bucket="bucket", Key="data/first.txt")["Body"].read() == b"hello"
assert (first.exists(), first.size(), first.read_text()) == (True, 5, "hello")
assert first.stat().st_mtime > 0
assert [str(path) for path in base.iterdir()] == ["s3://my_s3@bucket/data/first.txt"]
assert values.decode(values.encode(first)).read_bytes() == b"hello"
assert "data/first.txt" in first.sign()
with TemporaryDirectory() as folder:
    first.copy(f"file://{folder}/copy.txt")
    assert Path(folder, "copy.txt").read_text() == "hello"
    ObjectStoragePath(f"file://{folder}/copy.txt").copy(base / "second.txt")
first.move(base / "third.txt")
assert sorted(path.name for path in base.glob("*.txt")) == ["second.txt", "third.txt"]
server.stop()
print("fine")
