"""The Airflow names: each is there, is the same object wherever it comes from, and old ones say where they went."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import warnings

import pytest

import airflow
import gnomon.sdk
from airflow._finder import CURRENT, provider_of, retired
from gnomon.sdk.exceptions import (
    AirflowException,
    AirflowProviderDeprecationWarning,
    DeprecatedImportWarning,
    RemovedInAirflow3Warning,
    RemovedInAirflow4Warning,
)

CASES = [
    (module, name, home)
    for table in (CURRENT, retired())
    for module in table
    for name, home in table.names(module).items()
    if name != "*" and not (module.startswith("airflow.providers.") and home.warning)  # those need that provider
]
CATEGORIES = (
    DeprecatedImportWarning,
    RemovedInAirflow3Warning,
    RemovedInAirflow4Warning,
    AirflowProviderDeprecationWarning,
)
#: Other distributions than ours: users install them.
ELSEWHERE = ("airflow.providers.", "kubernetes.")


def is_ours(home):
    if home.module == "gnomon.sdk.core.sql_operators":
        return False  # they extend what is in apache-airflow-providers-common-sql
    return not home.module.startswith(ELSEWHERE) or home.module.startswith("airflow.providers.standard.")


OURS = [case for case in CASES if is_ours(case[2])]
OTHERS = [case for case in CASES if not is_ours(case[2])]


def said_of(module, name):
    """Return (what is said about the name, whether it can be read)."""
    loaded = importlib.import_module(module)
    loaded.__dict__.pop(name, None)  # what was imported before has stayed
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            getattr(loaded, name)
        except ImportError as error:
            return [str(error)], False
    return [one for one in caught if one.category in CATEGORIES], True


def test_each_name_is_there_and_old_ones_warn():
    wrong = {}
    for module, name, home in OURS:
        said, there = said_of(module, name)
        good = there and len(said) == (home.warning is not None)
        if good and said:
            text = str(said[0].message)
            good = said[0].category.__name__ == home.warning and text.startswith(f"{module}.{name} is an old name")
            good = good and (home.module.startswith("gnomon.") or home.path in text)
        if not good:
            wrong[f"{module}.{name}"] = said

    assert wrong == {}
    assert len(OURS) > 900


def test_what_went_into_a_provider_says_which_to_install():
    wrong = {}
    for module, name, home in OTHERS:
        (said, *_), there = said_of(module, name)
        if home.module.startswith("airflow.providers."):
            good = said == f"{module}.{name} is {home.path} now; install {provider_of(home.module)}"
        else:
            good = "kubernetes" in said or said.endswith("install apache-airflow-providers-common-sql")
        if there or not good:
            wrong[f"{module}.{name}"] = said

    assert wrong == {}
    assert len(OTHERS) > 500


@pytest.mark.parametrize(
    ("module", "provider"),
    [
        ("airflow.providers.amazon.aws.hooks.s3", "apache-airflow-providers-amazon"),
        ("airflow.providers.common.sql.hooks.sql", "apache-airflow-providers-common-sql"),
        ("airflow.providers.cncf.kubernetes.secret", "apache-airflow-providers-cncf-kubernetes"),
        ("airflow.providers.dbt.cloud.hooks.dbt", "apache-airflow-providers-dbt-cloud"),
        ("airflow.providers.microsoft.azure.hooks.wasb", "apache-airflow-providers-microsoft-azure"),
        ("airflow.providers", None),
        ("airflow.sdk", None),
    ],
)
def test_the_distribution_of_a_module(module, provider):
    assert provider_of(module) == provider


def test_modules_with_old_modules_below_them_are_packages():
    for module in retired():
        parent = module.rpartition(".")[0]
        assert parent not in CURRENT or parent in CURRENT.packages, module


def test_modules_that_are_whole_homes():
    for module in CURRENT:
        if "*" in CURRENT.names(module):
            assert importlib.import_module(module)
            assert importlib.import_module(CURRENT.names(module)["*"].module)


def test_every_name_of_the_sdk_but_object_storage():  # section 1: 98 names
    from_sdk = set(importlib.import_module("airflow.sdk").__dir__())

    assert len(gnomon.sdk.__all__) >= 97
    assert set(gnomon.sdk.__all__) <= from_sdk
    for name in gnomon.sdk.__all__:
        assert getattr(gnomon.sdk, name) is not None


def imported(path):
    """Import by path, as a linter would rewrite the statement."""
    module, _, name = path.rpartition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(importlib.import_module(module), name)


def test_a_name_is_one_object_wherever_it_comes_from():
    operators = (
        "airflow.operators.python",
        "airflow.operators.python_operator",
        "airflow.providers.standard.operators.python",
    )
    dags = ("airflow", "airflow.models", "airflow.models.dag", "airflow.sdk", "airflow.sdk.definitions.dag")
    bases = ("airflow.models", "airflow.models.baseoperator", "airflow.sdk", "airflow.sdk.bases.operator")

    assert {imported(f"{module}.DAG") for module in dags} == {gnomon.sdk.DAG}
    assert {imported(f"{module}.BaseOperator") for module in bases} == {gnomon.sdk.BaseOperator}
    assert len({imported(f"{module}.PythonOperator") for module in operators}) == 1


def test_a_warning_points_at_the_line_that_imports():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from airflow.operators.bash import BashOperator  # noqa: F401

    assert [one.filename for one in caught] == [__file__]
    assert "airflow.providers.standard.operators.bash.BashOperator" in str(caught[0].message)


def test_what_is_not_there_is_an_import_error():
    with pytest.raises(ImportError, match="Nonsense"):
        from airflow.sdk import Nonsense  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("airflow.operators.nonsense")
    assert importlib.util.find_spec("airflow.operators.bash") is not None
    assert importlib.util.find_spec("airflow.nonsense") is None


def test_versions():
    from airflow.version import version

    assert airflow.__version__ == version == "3.3.2"
    assert importlib.import_module("airflow.sdk").__version__ == "1.3.2"


def test_providers_take_the_branches_of_this_release():
    from packaging.version import Version

    # As the `version_compat` of every provider package decides it.
    release = Version(airflow.__version__)
    base = release.major, release.minor, release.micro

    assert not release.is_prerelease
    assert [base >= flag for flag in ((2, 11, 0), (3, 0, 0), (3, 1, 8), (3, 3, 0), (3, 4, 0))] == [True] * 4 + [False]
    assert Version(release.base_version) >= Version("2.11.0")


def test_modules_know_their_names():
    from airflow.providers.standard.operators import python

    assert "PythonOperator" in python.__all__
    assert "DAG" in dir(importlib.import_module("airflow.sdk"))


def test_star_imports_work():
    namespace: dict[str, object] = {}
    exec("from airflow.providers.standard.operators.python import *", namespace)

    assert "PythonOperator" in namespace


def test_decorators_are_not_hidden_by_modules_of_the_same_name():
    importlib.import_module("gnomon.sdk.dag")
    importlib.import_module("gnomon.sdk.task_group")
    from airflow.sdk import dag, task_group

    assert callable(dag)
    assert callable(task_group)


def test_provider_packages_on_disk_are_found(tmp_path, monkeypatch):
    package = tmp_path / "airflow" / "providers" / "example" / "operators"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "thing.py").write_text(
        "from airflow.sdk import BaseOperator\nclass ThingOperator(BaseOperator):\n    pass\n"
    )
    standard = tmp_path / "airflow" / "providers" / "standard" / "operators"
    standard.mkdir(parents=True)
    (standard / "extra.py").write_text("HERE = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name == "airflow" or name.startswith("airflow.")]:
        monkeypatch.delitem(sys.modules, name)

    fresh = importlib.import_module("airflow")
    thing = importlib.import_module("airflow.providers.example.operators.thing")
    extra = importlib.import_module("airflow.providers.standard.operators.extra")
    ours = importlib.import_module("airflow.providers.standard.operators.python")

    assert fresh.DAG is gnomon.sdk.DAG
    assert issubclass(thing.ThingOperator, gnomon.sdk.BaseOperator)
    assert extra.HERE
    assert issubclass(ours.PythonOperator, gnomon.sdk.BaseOperator)
    providers = importlib.import_module("airflow.providers")
    assert "example" in {found.name for found in pkgutil.iter_modules(providers.__path__)}


def test_the_database_is_out_of_reach_with_one_sentence():
    from airflow.models import Pool
    from airflow.utils.session import create_session, provide_session

    @provide_session
    def wants(session=None):
        return session

    for use in (Pool, lambda: Pool.get_pools, create_session, wants):
        with pytest.raises(AirflowException, match="metadata database"):
            use()
    assert wants(session=5) == 5


def test_what_airflow_2_had_and_3_dropped():
    assert imported("airflow.operators.dummy.DummyOperator").__name__ == "EmptyOperator"
    assert imported("airflow.utils.weekday.WeekDay").MONDAY == 1
    assert imported("airflow.datasets.Dataset")("s3://a/b").uri == "s3://a/b"
    assert imported("airflow.utils.helpers.prune_dict")({"a": None, "b": {"c": None}}) == {"b": {}}
    assert imported("airflow.utils.helpers.chain") is gnomon.sdk.chain
    assert imported("airflow.utils.module_loading.import_string")("airflow.sdk.DAG") is gnomon.sdk.DAG
    with pytest.warns(DeprecationWarning, match="days_ago"):
        assert imported("airflow.utils.dates.days_ago")(1).hour == 0
