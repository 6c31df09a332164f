"""Every public operation of Airflow's REST API v2 is there, under its name and with its parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gnomon.api.public.app import create_app
from gnomon.store.engine import open_store

#: method, path, tag, name and query parameters of each, as Airflow 3.3 has them
_LINES = Path(__file__).with_name("operations.tsv").read_text().splitlines()


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("api")
    with open_store(f"sqlite:///{folder}/none.db", runtime_dir=folder) as store:
        return create_app(store).openapi()["paths"]


def test_there_are_128_of_them() -> None:
    assert len(_LINES) == 128


@pytest.mark.parametrize("line", _LINES, ids=lambda line: line.split("\t")[3])
def test_the_operation_is_there(paths: Any, line: str) -> None:
    method, path, tag, name, query = line.split("\t")
    operation = paths[f"/api/v2{path}"][method.lower()]

    assert operation["operationId"] == name
    assert operation["tags"][0] == tag
    known = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"}
    assert known >= set(filter(None, query.split(",")))
