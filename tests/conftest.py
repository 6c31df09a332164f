"""What every test gets: a home of its own, a clean environment, and a look at what it leaves behind."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.service.home import runtime_path

pytest_plugins = [
    "tests.fixtures.api_client",
    "tests.fixtures.api_data",
    "tests.fixtures.databases",
    "tests.fixtures.swapi",
]

_TIERS = ("unit", "store", "integration", "acceptance", "migration", "compat", "e2e")
_WITH_PROCESSES = {"integration", "acceptance", "compat", "e2e"}
_TESTS = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make compat`."""
    parser.addoption("--compat", action="store_true", help="run all of tests/compat, not only its quick sample")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier, the folder it is in."""
    for item in items:
        tier = _tier(item)
        if tier:
            item.add_marker(tier)


@pytest.fixture(autouse=True)
def airflow_home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty AIRFLOW_HOME with a short path; no setting comes in from outside, no process is left at the end."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "GNOMON_", "ASTRO_")):
            monkeypatch.delenv(name)
    home = Path(tempfile.mkdtemp(prefix="gnt-", dir="/tmp"))
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    _forget_settings()
    runtime = runtime_path()
    yield home
    left = _leftovers(home) if _tier(request.node) in _WITH_PROCESSES else []
    shutil.rmtree(runtime, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
    _forget_settings()
    assert not left, f"the test left processes behind: {left}"


def _tier(item: pytest.Item) -> str | None:
    path = item.path
    if not path.is_relative_to(_TESTS):
        return None
    first = path.relative_to(_TESTS).parts[0]
    return first if first in _TIERS else None


def _forget_settings() -> None:
    from gnomon.service.config import conf
    from gnomon.service.masking import masker

    conf.reload()
    masker.reset()
    if (sdk_settings := sys.modules.get("gnomon.sdk.settings")) is not None:
        sdk_settings.FromSettings.forget()


def _leftovers(home: Path) -> list[str]:
    from tests.fixtures.processes import end_leftovers

    return end_leftovers(home)
