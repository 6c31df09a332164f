"""The environments of these tests, the servers, and one deployment that all of them use.

Servers come from Debian packages (`scripts/install-compat-servers`) and from PyPI, and are started only when a test asks
for them; a test whose server is not installed skips and names the package.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.compat.environments import (
    CACHE,
    Environment,
    Unreachable,
    environment,
    quick_environment,
    recorded_environment,
)
from tests.compat.results import Results
from tests.compat.servers import requirements, starting
from tests.compat.servers.deployment import Deployment, running_deployment
from tests.compat.servers.processes import folder
from tests.compat.servers.tls import Certificate
from tests.fixtures.postgresql_server import PostgresServer

#: part, name and outcome of each test, by its id
_ended: dict[str, tuple[str, str, str]] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave time for the environments, which are made once."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(600))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep how each of these tests ended, for docs/compatibility.md."""
    report = yield
    if item.path.is_relative_to(Path(__file__).parent) and (report.when == "call" or not report.passed):
        _ended[item.nodeid] = (item.path.stem.removeprefix("test_"), item.name, report.outcome)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Record what was seen, if these tests ran at all, and not only the quick ones."""
    if not _ended or not session.config.getoption("--compat"):
        return
    results = Results("servers")
    passed = sum(outcome == "passed" for _, _, outcome in _ended.values())
    results.figure("Tests of provider packages on real servers that pass", passed, of=len(_ended))
    rows = [(part, name.removeprefix("test_").replace("_", " "), how) for part, name, how in _ended.values()]
    results.table("Provider packages on servers", ["part", "what", "outcome"], rows)


@pytest.fixture(scope="session")
def providers(pytestconfig: pytest.Config) -> Environment:
    """This work tree with provider packages; only those of the quick tests where nothing else runs."""
    if not pytestconfig.getoption("--compat"):
        try:
            return quick_environment()
        except Unreachable as error:
            pytest.skip(str(error))
    left_out = CACHE / "overrides-servers.txt"
    left_out.parent.mkdir(parents=True, exist_ok=True)
    left_out.write_text(requirements.OVERRIDES, encoding="utf-8")
    return recorded_environment("gnomon-servers", [*requirements.PROVIDERS, "--override", str(left_out)])


@pytest.fixture(scope="session")
def stand_ins() -> Environment:
    """Servers from PyPI: moto, fakesnow, aiosmtpd."""
    return environment("stand-ins", requirements.STAND_INS)


@pytest.fixture(scope="session")
def dbt() -> Environment:
    """dbt in an environment of its own, as Astro's guides have it."""
    return environment("dbt", requirements.DBT)


@pytest.fixture(scope="session")
def certificate() -> Iterator[Certificate]:
    """A certificate for servers on this machine."""
    with folder("gnca-") as place:
        yield Certificate.create(place)


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest, providers: Environment) -> Iterator[Deployment]:
    """All processes of Gnomon; its tasks trust the certificate and find dbt, if all tests run."""
    environ = {}
    if request.config.getoption("--compat"):
        environ = {
            "REQUESTS_CA_BUNDLE": str(request.getfixturevalue("certificate").path),
            "DBT_EXECUTABLE": str(request.getfixturevalue("dbt").path / "bin/dbt"),
            "DO_NOT_TRACK": "1",
            # Cosmos asks dbt while the file is imported.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "180",
        }
    with running_deployment(providers, **environ) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def redis() -> Iterator[int]:
    """The port of a Redis."""
    with starting.redis() as port:
        yield port


@pytest.fixture(scope="session")
def postgres_database(postgresql: PostgresServer) -> Iterator[tuple[int, str]]:
    """The port of a PostgreSQL and an empty database in it."""
    name = postgresql.create()
    yield postgresql.port, name
    postgresql.drop(name)
