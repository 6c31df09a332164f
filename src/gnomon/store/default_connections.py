"""The connections that Airflow offers to begin with: one per service, for what runs on this machine or is filled in."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from gnomon.store.records import Connection


def default_connections() -> list[Connection]:
    """Return them by id."""
    lines = Path(__file__).with_suffix(".jsonl").read_text("utf-8").splitlines()
    return [_connection(json.loads(line)) for line in lines]


def _connection(fields: dict[str, object]) -> Connection:
    if "extra" in fields:
        fields["extra"] = json.dumps(fields["extra"])
    if isinstance(host := fields.get("host"), str):
        fields["host"] = host.replace("{tmp}", tempfile.gettempdir())
    return Connection(**fields)  # type: ignore[arg-type]
