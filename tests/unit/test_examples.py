"""`examples/` is what `dev init` makes; make it anew there when the templates change."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gnomon.cli import scaffold

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def made(tmp_path):
    image = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8").split()[1]
    scaffold.write(tmp_path / "examples", name="examples", image=image)
    return tmp_path / "examples"


def test_the_examples_are_a_project_as_dev_init_makes_it(made):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "."], cwd=EXAMPLES, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    committed = {path for path in listed if path}

    assert committed == set(scaffold.FILES)
    assert [path for path in committed if (EXAMPLES / path).read_bytes() != (made / path).read_bytes()] == []
