"""A real Airflow that answers: one JSON request per line in, one JSON answer per line out.

Run in an environment with Apache Airflow by `conftest.py`; it calls what Airflow offers and knows nothing of Gnomon.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

# What Airflow or a library prints goes to the log; the answers have the real standard output to themselves.
_answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def _look_at_trigger_rules_first() -> None:
    """Fix the order of checks: Airflow goes through a set of them, and the last that changes a state wins."""
    from airflow.ti_deps.deps.base_ti_dep import BaseTIDep

    # Small integers stand in a small set in their order.
    BaseTIDep.__hash__ = lambda self: 1 + (type(self).__name__ != "TriggerRuleDep")


def _serve() -> None:
    _look_at_trigger_rules_first()
    from airflow_side import subjects

    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"answer": subjects.SUBJECTS[request["subject"]](request["case"])}
        except Exception:
            answer = {"failed": traceback.format_exc()}
        _answers.write(json.dumps(answer) + "\n")
        _answers.flush()


if __name__ == "__main__":
    _serve()
