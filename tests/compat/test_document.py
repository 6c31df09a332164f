"""The document says what was recorded, and nothing about what was not."""

from __future__ import annotations

import pytest

from tests.compat.document import PARTS, document
from tests.compat.results import Results

pytestmark = pytest.mark.quick


def test_each_part_has_its_figures_and_its_exceptions(tmp_path):
    results = Results("imports", tmp_path)
    results.figure("Modules that import", 7, of=9, note="of 3 packages")
    results.figure("Seconds", 4)
    results.table("Modules that do not", ["module", "why"], [("a|b", "x <y>\nz")], note="All of them.")
    results.table("None of these", ["module", "why"], [])
    text = document(tmp_path)

    assert "| Modules that import | 7 of 9 | of 3 packages |" in text
    assert "| Seconds | 4 |  |" in text
    assert (
        "### Modules that do not\n\nAll of them.\n\n| module | why |\n| --- | --- |\n| a\\|b | x &lt;y> z |\n" in text
    )
    assert "None of these" not in text
    assert text.count("This part has not been run.") == len(PARTS) - 1


def test_a_part_that_nobody_introduced_is_an_error(tmp_path):
    Results("surprise", tmp_path).figure("Cases", 1)

    with pytest.raises(ValueError, match="does not know surprise"):
        document(tmp_path)
