"""What can be asked."""

from __future__ import annotations

from both import connecting, expanding, parameters, passing, rendering, runs, wiring

from airflow_side import planning, timing

SUBJECTS = {
    "timetables": timing.runs,
    "manual intervals": timing.manual,
    "schedules in words": timing.descriptions,
    "run ids": timing.run_ids,
    "dates of backfills": timing.backfill,
    "retry delays": planning.backoff,
    "priority weights": planning.weights,
    "runs": planning.run,
    "runs without mapping": planning.run,
    "wiring": wiring.facts,
    "parts of DAGs": runs.subsets,
    "mapped arguments": expanding.instances,
    "templates": rendering.rendered,
    "connections from fields": connecting.from_fields,
    "connections from URIs": connecting.from_uri,
    "connections from JSON": connecting.from_json,
    "params": parameters.checked,
    "sets of params": parameters.together,
    "XCom values": passing.passed,
}
