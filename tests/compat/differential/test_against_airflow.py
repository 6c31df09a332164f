"""Random cases, computed by Gnomon in this process and by a real Airflow 3.3.2 in its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from tests.compat.differential.asking import RealAirflow
from tests.compat.differential.comparing import difference, of_gnomon
from tests.compat.differential.drawing import SUBJECTS
from tests.compat.results import Results

pytestmark = [
    pytest.mark.compat,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore:Task .mapped. was never mapped"),
]

#: A step of a run takes Airflow some milliseconds, anything else a fraction of one.
_CASES = {"runs": 300, "runs without mapping": 200}


@pytest.fixture(scope="module")
def airflow() -> Iterator[RealAirflow]:
    with RealAirflow() as answering:
        yield answering


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    # What is wrong with a random connection or template is no news.
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_gnomon_computes_what_airflow_computes(
    subject: str, airflow: RealAirflow, compat_results: Results, pytestconfig: pytest.Config
) -> None:
    compared, most = 0, _CASES.get(subject, 500)

    @settings(max_examples=most, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(SUBJECTS[subject])
    def compare(case: dict[str, object]) -> None:
        nonlocal compared
        found = difference(subject, airflow.answer(subject, case), of_gnomon(subject, case))
        assert found is None, found
        compared += 1

    try:
        compare()
    finally:
        compat_results.figure(f"Cases compared: {subject}", compared, of=max(compared, most))
        print(f"{subject}: {compared} cases compared")
