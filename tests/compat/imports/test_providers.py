"""Every module of the provider packages is imported, with Gnomon in the place of Apache Airflow."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compat.environments import (
    CACHE,
    SAMPLE,
    Environment,
    Unreachable,
    gnomon_environment,
    quick_environment,
)
from tests.compat.imports.providers import BOUNDS, FIRST, PREFIX, SECOND, WITH_THEM, WITHOUT
from tests.compat.imports.verdicts import Verdict, extras_with, verdict

_WALK = Path(__file__).with_name("walk.py")
_OLD = Path(__file__).with_name("old_names.py")
_SQL = Path(__file__).with_name("sql_operators.py")


def environment_with(name: str, providers: tuple[str, ...]) -> Environment:
    """Return an environment with provider packages in their latest releases."""
    without = CACHE / "left-out.txt"
    without.parent.mkdir(parents=True, exist_ok=True)
    without.write_text("".join(f"{package} ; python_version < '0'\n" for package in WITHOUT), encoding="utf-8")
    # Providers first: what is named first gets its latest release when two packages cannot both have theirs.
    wanted = [*(PREFIX + provider for provider in providers), *WITH_THEM, *BOUNDS]
    return gnomon_environment(name, [*wanted, "--override", str(without)])


def lines_of(environment: Environment, home: Path, script: Path, *arguments: str) -> list[dict[str, Any]]:
    """Return what a script prints in an environment."""
    done = subprocess.run(
        [environment.python, script, *arguments],
        env=environment.environ(AIRFLOW_HOME=str(home)),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Packages print things when they are imported.
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("name", "title", "providers"),
    [("imports-first", "26 large providers", FIRST), ("imports-second", "30 further providers", SECOND)],
    ids=["first", "second"],
)
def test_every_module_of_provider_packages_imports(name, title, providers, compat_results, tmp_path):
    environment = environment_with(name, providers)
    rows: list[tuple[str, str, Verdict]] = []
    modules = 0
    for provider in providers:
        about, *walked = lines_of(environment, tmp_path, _WALK, PREFIX + provider)
        modules += len(walked)
        package = f"{provider} {about['version']}"
        rows += [(package, one["module"], verdict(one, about["requires"])) for one in walked if "chain" in one]

    ours = [(package, module, judged.why) for package, module, judged in rows if judged.ours]
    compat_results.figure(f"Modules of {title} that import", modules - len(rows), of=modules)
    compat_results.figure(f"Modules of {title} that Gnomon cannot import", len(ours))
    compat_results.table(
        f"Modules of {title} that do not import",
        ["package", "module", "needs", "why"],
        [(package, module, judged.missing, judged.why) for package, module, judged in rows],
        note="Each needs something that its package does not require; with Apache Airflow they need the same.",
    )

    assert ours == []
    assert modules > 250


@pytest.mark.quick
@pytest.mark.timeout(600)
def test_a_sample_of_them_imports(tmp_path):
    try:
        environment = quick_environment()
    except Unreachable as error:
        pytest.skip(str(error))
    for provider in SAMPLE:
        about, *walked = lines_of(environment, tmp_path, _WALK, PREFIX + provider.partition("==")[0])

        judged = {one["module"]: verdict(one, about["requires"]) for one in walked if "chain" in one}
        assert [module for module, found in judged.items() if found.ours] == []
        assert len(walked) - len(judged) >= 8, provider


@pytest.mark.timeout(3600)
def test_paths_of_airflow_1_and_2_lead_to_the_installed_provider_packages(compat_results, tmp_path):
    environment = environment_with("imports-first", FIRST)

    found = lines_of(environment, tmp_path, _OLD)

    works = [one for one in found if one["works"]]
    gone = [one for one in found if not one["works"]]
    compat_results.figure("Old names of installed provider packages that still work", len(works), of=len(found))
    compat_results.table(
        "Old names that the latest releases do not have any more",
        ["old name", "what is said"],
        [(one["old"], one["said"]) for one in gone],
        note="With Airflow 2 and the same releases they are missing too.",
    )
    assert len(works) > 400
    for one in gone:
        assert any(said in one["said"] for said in ("does not have any more", "; install ", "pip install")), one
    for one in works:
        assert one["categories"] in (["RemovedInAirflow3Warning"], ["DeprecatedImportWarning"]), one


@pytest.mark.timeout(3600)
def test_the_operators_that_each_database_had(tmp_path):
    environment = environment_with("imports-first", FIRST)

    postgres, snowflake = lines_of(environment, tmp_path, _SQL)

    assert postgres == {
        "type": "PostgresOperator",
        "conn_id": "pg",
        "database": "x",
        "hook_params": {"options": "-c lock_timeout=3s"},
        "is_sql": True,
    }
    assert (snowflake["conn_id"], snowflake["hook_params"]) == ("snowflake_default", {"warehouse": "w"})


QUICK = [
    (
        [{"type": "ModuleNotFoundError", "text": "No module named 'duckdb'", "name": "duckdb"}],
        ["duckdb>=1; extra == 'duckdb'", "boto3"],
        Verdict(False, "duckdb", "optional: in the extra [duckdb]"),
    ),
    (
        [{"type": "ModuleNotFoundError", "text": "…", "name": "airflow.providers.imap"}],
        ['apache-airflow-providers-imap>=1; extra == "imap"'],
        Verdict(False, "apache-airflow-providers-imap", "optional: in the extra [imap]"),
    ),
    (
        [{"type": "ModuleNotFoundError", "text": "No module named 'boto3'", "name": "boto3"}],
        ["boto3>=1"],
        Verdict(True, "boto3", "boto3 is a requirement and yet not there"),
    ),
    (
        [{"type": "ModuleNotFoundError", "text": "No module named 'airflow.models.x'", "name": "airflow.models.x"}],
        [],
        Verdict(True, "", "ModuleNotFoundError: No module named 'airflow.models.x'"),
    ),
    (
        [
            {"type": "RuntimeError", "text": "install mysqlclient", "name": None},
            {"type": "ModuleNotFoundError", "text": "No module named 'MySQLdb'", "name": "MySQLdb"},
        ],
        [],
        Verdict(False, "mysqlclient", "is built on the spot and needs MySQL's C library; left out here"),
    ),
    (
        [{"type": "ImportError", "text": "cannot import name 'x' from 'airflow.settings'", "name": "airflow.settings"}],
        [],
        Verdict(True, "", "ImportError: cannot import name 'x' from 'airflow.settings'"),
    ),
]


@pytest.mark.quick
@pytest.mark.parametrize(("chain", "requires", "expected"), QUICK)
def test_the_reason_for_a_failure(chain, requires, expected):
    assert verdict({"chain": chain}, requires) == expected


@pytest.mark.quick
def test_the_extras_that_bring_a_package():
    requires = ["Foo_Bar[x]>=2,<3; extra == 'a' and python_version < '4'", 'foo-bar ; extra == "b"', "foo", "bar>=1"]

    assert extras_with("foo.bar", requires) == {"a", "b"}
    assert extras_with("bar", requires) == {None}
    assert extras_with("baz", requires) == set()
