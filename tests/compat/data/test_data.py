"""What tasks hand on: values of packages of the user's own, and the object storage backend of the common.io provider."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.compat.environments import ROOT, Environment, gnomon_environment
from tests.compat.results import Results

_DAG = """
import pandas as pd
from airflow.sdk import DAG, ObjectStoragePath, task

with DAG("handing_on", schedule=None):
    @task
    def frame():
        return pd.DataFrame({"a": [1, 2, 3]})

    @task
    def rows():
        return [{"n": n, "text": "x" * 50} for n in range(3)]

    @task
    def write(df):
        path = ObjectStoragePath("file://STORE") / "out.csv"
        with path.open("w") as file:
            df.to_csv(file)
        return path

    @task
    def number(row):
        return row["n"]

    @task
    def check(path, numbers):
        print("READ", path.read_text().splitlines(), list(numbers))

    check(write(frame()), number.expand(row=rows()))
"""


@pytest.fixture(scope="module")
def environment() -> Environment:
    """An environment with the packages and the provider."""
    packages = ["pandas", "pyarrow", "numpy", "fsspec", "universal-pathlib", "moto[server]", "python-slugify"]
    providers = ["apache-airflow-providers-common-io", "apache-airflow-providers-amazon[s3fs]"]
    return gnomon_environment("data", [*packages, *providers])


@pytest.mark.timeout(600)
def test_values_of_pandas_numpy_and_pyarrow(environment: Environment, compat_results: Results) -> None:
    script = ROOT / "tests" / "compat" / "data" / "values_round_trip.py"
    done = subprocess.run(
        [environment.python, script], env=environment.environ(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    compat_results.figure("Values of pandas, numpy and pyarrow that came back the same", int(done.stdout))


@pytest.mark.timeout(600)
def test_files_in_s3_through_the_amazon_provider(environment: Environment) -> None:
    script = ROOT / "tests" / "compat" / "data" / "files_in_s3.py"
    done = subprocess.run(
        [environment.python, script], env=environment.environ(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "fine"


@pytest.mark.timeout(600)
def test_the_object_storage_backend_of_common_io(
    environment: Environment, compat_results: Results, tmp_path: Path, airflow_home: Path
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "handing_on.py").write_text(_DAG.replace("STORE", str(store)))
    environ = environment.environ(
        AIRFLOW_HOME=str(airflow_home),
        AIRFLOW__CORE__DAGS_FOLDER=str(tmp_path / "dags"),
        AIRFLOW__CORE__XCOM_BACKEND="airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
        AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH=f"file://{store}/xcom",
        AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD="100",
        AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION="gzip",
    )
    command = [environment.path / "bin" / "gnomon", "run", "handing_on", "-v"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=tmp_path, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "READ [',a', '0,1', '1,2', '2,3'] [0, 1, 2]" in done.stdout
    kept = [path.parent.name for path in (store / "xcom").rglob("*.gz")]
    assert sorted(kept) == ["frame", "rows", "write"]
    compat_results.figure("XComs that the object storage backend of common.io kept", len(kept))
