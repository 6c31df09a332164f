"""What a part of `make compat` found out: figures and tables, kept as JSON until docs/compatibility.md is written."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name(".results")


class Results:
    """The findings of one part, in `.results/<part>.json`; each call writes the file anew, so nothing is lost.

    Args:
        part: The name of the folder below tests/compat.
        folder: Where the file is.
    """

    def __init__(self, part: str, folder: Path = FOLDER) -> None:
        self.path = folder / f"{part}.json"

    def figure(self, name: str, value: float | str, *, of: float | None = None, note: str = "") -> None:
        """Record a number, or `value` of `of`, under a name that a reader understands by itself."""
        self._put("figures", name, {"value": value, "of": of, "note": note})

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, note: str = "") -> None:
        """Record a table; one of exceptions has a last column that explains each row."""
        wrong = [row for row in rows if len(row) != len(columns)]
        if wrong:
            raise ValueError(f"table {name!r} has {len(columns)} columns, and a row of {len(wrong[0])}: {wrong[0]}")
        self._put(
            "tables", name, {"columns": list(columns), "rows": [[str(cell) for cell in r] for r in rows], "note": note}
        )

    def read(self) -> dict[str, dict[str, Any]]:
        """Return what was recorded so far."""
        return (
            json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {"figures": {}, "tables": {}}
        )

    def _put(self, kind: str, name: str, what: dict[str, Any]) -> None:
        self.path.parent.mkdir(exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self.read()
            found[kind][name] = what
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(new, self.path)
