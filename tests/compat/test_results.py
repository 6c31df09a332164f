"""What the parts record is what the document gets."""

from __future__ import annotations

import pytest

from tests.compat.results import Results

pytestmark = pytest.mark.quick


def test_figures_and_tables_are_kept_and_replaced(tmp_path):
    results = Results("part", tmp_path)
    results.figure("Cases", 1)
    results.figure("Cases", 3, of=4, note="one is open")
    Results("part", tmp_path).table("Exceptions", ["module", "why"], [("a", 1)])

    assert results.read() == {
        "figures": {"Cases": {"value": 3, "of": 4, "note": "one is open"}},
        "tables": {"Exceptions": {"columns": ["module", "why"], "rows": [["a", "1"]], "note": ""}},
    }


def test_a_row_without_its_explanation_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has 2 columns, and a row of 1"):
        Results("part", tmp_path).table("Exceptions", ["module", "why"], [("a",)])
