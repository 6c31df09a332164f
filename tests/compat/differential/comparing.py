"""Whether Gnomon's answer is Airflow's."""

from __future__ import annotations

import json
from typing import Any

from tests.compat.differential.gnomon_side import SUBJECTS

#: Where Airflow raises, Gnomon may do what was meant: XComs of enums and the like.
_MAY_DO_MORE = ("XCom values",)
#: Where several things are wrong at once, or the exception has a name of its own, it is enough that both raise.
_MAY_RAISE_ANOTHER = frozenset(
    {
        *("timetables", "manual intervals", "schedules in words", "wiring", "priority weights", "runs"),
        *("runs without mapping", "parts of DAGs", "mapped arguments"),
    }
)
#: Where Airflow finds by its own assertion that it has computed nonsense, there is no answer to agree with.
_MAY_CONTRADICT_ITSELF = ("timetables",)


def of_gnomon(subject: str, case: Any) -> Any:
    """Return what Gnomon makes of a case; it and the answer go through JSON, as they do on their way to Airflow."""
    return json.loads(json.dumps(SUBJECTS[subject](json.loads(json.dumps(case)))))


def difference(subject: str, theirs: Any, ours: Any) -> str | None:
    """Return what differs, or None."""
    if _raises(theirs):
        if subject in _MAY_DO_MORE or (subject in _MAY_CONTRADICT_ITSELF and theirs["raises"] == "AssertionError"):
            return None
        if _raises(ours) and subject in _MAY_RAISE_ANOTHER:
            return None
    if theirs == ours:
        return None
    return f"{subject}:\n  Airflow: {json.dumps(theirs)}\n  Gnomon:  {json.dumps(ours)}"


def _raises(answer: Any) -> bool:
    return isinstance(answer, dict) and "raises" in answer
