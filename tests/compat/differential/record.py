"""Ask a real Airflow about a few random cases per subject and keep them: `python -m tests.compat.differential.record`."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.compat.differential.asking import RealAirflow
from tests.compat.differential.drawing import SUBJECTS

_RECORDED = Path(__file__).with_name("recorded")
#: Long answers take room in the repository.
_CASES = {"wiring": 20, "runs": 30, "runs without mapping": 20}


def record(subject: str, airflow: RealAirflow) -> int:
    """Write the cases and answers of a subject; return their number."""
    wanted = _CASES.get(subject, 30)
    cases: dict[str, Any] = {}

    # The first cases that are drawn are the simplest ones; most of what is kept comes later.
    @seed(20)
    @settings(
        max_examples=8 * wanted,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(SUBJECTS[subject])
    def draw(case: dict[str, Any]) -> None:
        cases.setdefault(json.dumps(case), case)

    draw()
    kept = list(cases.values())[-wanted:]
    answers = [[case, airflow.answer(subject, case)] for case in kept]
    text = "".join(json.dumps(one, separators=(",", ":"), ensure_ascii=False) + "\n" for one in answers)
    _RECORDED.mkdir(exist_ok=True)
    _RECORDED.joinpath(f"{subject}.jsonl").write_text(text, encoding="utf-8")
    return len(kept)


def main() -> None:
    """Record the subjects that are named, or all."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with RealAirflow() as airflow:
        for subject in sys.argv[1:] or SUBJECTS:
            print(f"{subject}: {record(subject, airflow)} cases")


if __name__ == "__main__":
    main()
