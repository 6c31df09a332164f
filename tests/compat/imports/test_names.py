"""Every name that the big provider packages import from Airflow's core, and every old path, is there."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import pytest

from airflow._finder import provider_of
from gnomon.sdk.exceptions import DeprecatedImportWarning, RemovedInAirflow3Warning

pytestmark = pytest.mark.quick
_HERE = Path(__file__).parent

#: module, name (`<module>` is the module itself) as 26 provider packages import them
NAMES = [tuple(line.split("\t")) for line in (_HERE / "names.tsv").read_text(encoding="utf-8").splitlines()]
#: module, name, and which generation of Airflow has it: `current`, `3.3` with a warning, or only `2.11`
OLD_PATHS = [tuple(line.split("\t")) for line in (_HERE / "old_paths.tsv").read_text(encoding="utf-8").splitlines()]

#: Names that are not there, each with the reason.
EXCEPTIONS = {
    ("airflow.executors.workloads.base", "WorkloadType"): "of Airflow 3.4; imported if AIRFLOW_V_3_4_PLUS",
    ("airflow.executors.workloads.types", "TaskInstanceUuid"): (
        "of Airflow 3.4; imported if BaseExecutor has get_task_key, which is of 3.4 too"
    ),
    ("airflow.datasets", "BaseDatasetEventInput"): "no release of Airflow has it; openlineage catches the error",
    ("airflow.providers.common.compat.version_compat", "AIRFLOW_V_3_0_PLUS"): "of another provider package",
    ("airflow.providers.common.compat.sdk", "RuntimeTaskInstanceProtocol"): "of another provider package",
    ("airflow.providers.common.compat.sdk", "TaskInstance"): "of another provider package",
}


#: Old paths that are not there.
OLD_EXCEPTIONS = {("airflow.io", "_BUILTIN_SCHEME_TO_FS"): "a private table, which Gnomon has in another form"}

#: Names that Airflow 3 does not have, and provider packages ask for first on any release; a warning would be no news.
STILL_QUIET = {("airflow.utils.module_loading", "import_string")}


def find(module: str, name: str) -> object:
    """Import as `from module import name` does."""
    found = importlib.import_module(module)
    if name in ("<module>", "*"):
        return found
    try:
        return getattr(found, name)
    except AttributeError:
        return importlib.import_module(f"{module}.{name}")


def is_there(module: str, name: str) -> bool:
    """Say whether it can be imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            find(module, name)
        except ImportError:
            return False
    return True


def test_each_name_that_providers_import_is_there():
    missing = {row for row in NAMES if not is_there(*row)}

    assert missing == set(EXCEPTIONS)


def test_the_list_of_exceptions_names_rows():
    assert set(EXCEPTIONS) <= set(NAMES)


def warnings_about(module: str, name: str) -> set[type[Warning]] | str:
    """Return the categories of what is said about a path, or which provider package to install."""
    loaded = importlib.import_module(module)
    loaded.__dict__.pop(name, None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            find(module, name)
        except ImportError as error:
            return str(error)
    return {one.category for one in caught if f"{module}.{name} is an old name" in str(one.message)}


def test_each_old_path_works_or_says_what_to_install():
    wrong = {}
    for module, name, generation in OLD_PATHS:
        if (module, name) in OLD_EXCEPTIONS:
            continue
        said = warnings_about(module, name)
        if isinstance(said, str):
            good = "; install apache-airflow-providers-" in said
        elif (module, name) in STILL_QUIET:
            good = said == set()
        elif generation == "2.11":
            # What has a name beside it that Airflow 3 kept is said to have moved.
            good = said in ({RemovedInAirflow3Warning}, {DeprecatedImportWarning})
        else:
            good = generation == "current" or name == "*" or said == {DeprecatedImportWarning}
        if not good:
            wrong[f"{module}.{name}"] = said

    assert wrong == {}


def test_where_things_went_is_a_provider_package_that_exists():
    from tests.compat.imports.providers import FIRST, PREFIX, SECOND

    known = {PREFIX + name for name in (*FIRST, *SECOND)}
    assert provider_of("airflow.providers.postgres.hooks.postgres") in known
