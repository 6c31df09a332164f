"""A sample of what the real Airflow 3.3.2 answered, kept as data by `record.py`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.differential.comparing import difference, of_gnomon
from tests.compat.differential.drawing import SUBJECTS

#: What is left of a mapped task that could not be made.
_NEVER_MAPPED = "ignore:Task .mapped. was never mapped"
pytestmark = [pytest.mark.compat, pytest.mark.quick, pytest.mark.filterwarnings(_NEVER_MAPPED)]
_RECORDED = Path(__file__).with_name("recorded")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_gnomon_computes_what_airflow_computed(subject: str) -> None:
    lines = _RECORDED.joinpath(f"{subject}.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) >= 10
    differences = []
    for line in lines:
        case, theirs = json.loads(line)
        if (found := difference(subject, theirs, of_gnomon(subject, case))) is not None:
            differences.append(f"{json.dumps(case)}\n{found}")
    assert not differences, f"{len(differences)} of {len(lines)} differ, first:\n{differences[0]}"
