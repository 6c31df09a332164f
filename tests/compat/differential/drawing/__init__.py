"""Random cases: what hypothesis draws for each subject, as JSON."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.compat.differential.drawing import dags, mapping, times, values

SUBJECTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "timetables": times.timetables(),
    "manual intervals": times.timetables(),
    "schedules in words": times.described(),
    "run ids": times.run_ids(),
    "dates of backfills": times.backfills(),
    "retry delays": times.backoffs(),
    "priority weights": dags.wired(),
    "wiring": dags.wired(),
    "runs": dags.runs(),
    "runs without mapping": dags.runs(mapped=False),
    "parts of DAGs": dags.runs(),
    "mapped arguments": mapping.mapped(),
    "templates": values.templates(),
    "connections from fields": values.connection_fields(),
    "connections from URIs": values.connection_uris(),
    "connections from JSON": values.connection_texts(),
    "params": values.params(),
    "sets of params": values.params_together(),
    "XCom values": values.xcoms(),
}
