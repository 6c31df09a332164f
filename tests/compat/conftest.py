"""What `make compat` compares Gnomon with Apache Airflow by, and how a part of it is written.

- A part is a folder `tests/compat/<part>` of ordinary pytest files: `imports`, `examples`, `differential`, `servers` …
- `make compat` runs all of it (`pytest tests/compat --compat`); it may download, take minutes and start servers.
  `make test` runs only what is marked `@pytest.mark.quick`: all parts together below 40 s, without the network but for the
  few provider packages of `environments.quick_environment()`. Give a long test its own `@pytest.mark.timeout`, 120 s is what others have.
- What a part found out goes to `tests/compat/.results/<part>.json` (in no commit) through the fixture
  `compat_results`: `.figure("Cases compared", 4000)`, `.figure("Modules that import", 3810, of=3822)`,
  `.table("Modules that do not import", ["module", "error", "why"], rows)`. Record before you assert, so that the
  document shows what failed. A quick test records nothing.
- `python -m tests.compat.document` writes docs/compatibility.md from these files; a part's introduction is there.
- Environments and downloads are kept below GNOMON_COMPAT_CACHE (~/.cache/gnomon-compat):
  `tests.compat.environments.airflow_environment("3.3.2")` is a real Airflow, `gnomon_environment(name, requirements)`
  this work tree with provider packages, `wheel(project, version)` an unpacked wheel.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.results import Results

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to `make test` what is marked quick."""
    if config.getoption("--compat"):
        return
    long = [item for item in items if item.path.is_relative_to(_HERE) and not item.get_closest_marker("quick")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]


@pytest.fixture
def compat_results(request: pytest.FixtureRequest) -> Results:
    """Where a test of a part puts its figures and tables."""
    return Results(request.path.relative_to(_HERE).parts[0])
