"""What `ObjectStoragePath` does with S3, on the connection `aws`."""

from __future__ import annotations

import pendulum

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import DAG, ObjectStoragePath, task

BASE = ObjectStoragePath("s3://aws@paths")


def outcome(function):
    try:
        return function()
    except Exception as error:
        return type(error).__name__


with DAG("s3_paths", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC")):

    @task
    def write():
        S3Hook("aws").create_bucket("paths")
        for name in ("raw/a.csv", "raw/b.csv", "raw/deep/c d.csv", "other/é.txt"):
            (BASE / name).write_text(f"of {name}")
        return BASE / "raw"

    @task
    def look(raw):
        a = raw / "a.csv"
        return {
            "raw": [type(raw).__name__, str(raw), raw.protocol, raw.conn_id, raw.bucket, raw.key, raw.as_uri()],
            "parts": [a.name, a.stem, a.suffix, a.parent.name, (raw / ".." / "x").name],
            "kinds": [a.is_file(), a.is_dir(), raw.is_dir(), raw.exists(), (raw / "none").exists()],
            "listed": sorted(one.name for one in raw.iterdir()),
            "globbed": sorted(one.name for one in BASE.glob("**/*.csv")),
            "size": a.stat().st_size,
            "same": [a == ObjectStoragePath("s3://paths/raw/a.csv", conn_id="aws"), a.samestore(BASE)],
            "checksum": a.checksum() == a.checksum(),
            "bytes": (BASE / "other/é.txt").read_bytes().decode(),
            "missing": outcome((raw / "none").read_text),
            "no bucket": outcome((ObjectStoragePath("s3://aws@nowhere") / "x").read_text),
        }

    @task
    def change(raw):
        (raw / "a.csv").copy(ObjectStoragePath("s3://aws@paths/copied/a.csv"))
        (raw / "b.csv").move(ObjectStoragePath("s3://aws@paths/moved/b.csv"))
        raw.copy(ObjectStoragePath("s3://aws@paths/whole"), recursive=True)
        (raw / "deep/c d.csv").unlink()
        with (raw / "big.bin").open("wb") as file:
            for _ in range(3):
                file.write(b"x" * (3 << 20))
        with (raw / "big.bin").open("rb") as file:
            file.seek(5 << 20)
            read = len(file.read(100)), file.tell() == (5 << 20) + 100
        return {
            "keys": sorted(one.key for one in BASE.glob("**/*") if one.is_file()),
            "read": list(read),
            "size": (raw / "big.bin").stat().st_size,
        }

    @task
    def remove(raw):
        raw.rmdir(recursive=True)
        return [raw.exists(), BASE.exists()]

    raw = write()
    look(raw) >> change(raw) >> remove(raw)
