"""Names that modules of Airflow had imported for themselves, and that DAG files took from there."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from datetime import datetime, timedelta

import pytest

import airflow.sdk
from airflow._finder import CURRENT, retired
from gnomon.sdk.exceptions import AirflowException, RemovedInAirflow3Warning


def star(module):
    namespace = {}
    exec(f"from {module} import *", namespace)
    return namespace


def test_what_a_module_had_imported_is_the_same_object_there():
    with pytest.warns(RemovedInAirflow3Warning, match="is an old name"):
        from airflow.models.taskinstance import Context, timezone
    with pytest.warns(RemovedInAirflow3Warning, match="import it from datetime.timedelta"):
        from airflow.utils.dates import timedelta as taken_along

    assert Context is airflow.sdk.Context
    assert timezone is importlib.import_module("airflow.sdk.timezone")
    assert taken_along is timedelta


def test_names_of_the_database_come_along_and_say_what_to_use_instead():
    with pytest.warns(RemovedInAirflow3Warning):
        from airflow.models import SlaMiss
    with pytest.warns(RemovedInAirflow3Warning):
        from airflow.utils.db import create_session

    for use in (SlaMiss, create_session):
        with pytest.raises(AirflowException, match="metadata database"):
            use()


def test_an_operator_may_look_up_how_its_fields_are_shown():
    from airflow.www import utils

    with pytest.warns(RemovedInAirflow3Warning, match="get_attr_renderer"):
        renderers = utils.get_attr_renderer()

    assert {"sql", "postgresql", "bash"} <= renderers.keys()


def test_zones_are_written_and_read_as_timetables_do():
    with pytest.warns(RemovedInAirflow3Warning):
        from airflow.serialization.serialized_objects import decode_timezone, encode_timezone

    assert [encode_timezone(decode_timezone(name)) for name in ("Europe/Paris", "UTC", 3600)] == [
        "Europe/Paris",
        "UTC",
        "+01:00",
    ]


def test_a_star_import_brings_the_names_of_a_module_without_a_list():
    macros = star("airflow.macros")

    assert macros["datetime"] is datetime
    assert macros["ds_add"]("2024-01-31", 1) == "2024-02-01"
    assert macros["json"] is importlib.import_module("json")
    assert "AirflowSkipException" in star("airflow.exceptions")
    assert not [name for name in star("airflow.exceptions") if name.startswith("_") and name != "__builtins__"]


def test_every_module_that_is_a_whole_home_can_be_imported_with_a_star():
    empty = []
    for table in (CURRENT, retired()):
        for module in table:
            home = table.names(module).get("*")
            if home is None or not home.module.startswith(("gnomon.", "airflow.sdk")):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if not star(module).keys() - {"__builtins__"}:
                    empty.append(module)

    assert empty == []


def test_modules_below_airflow_are_there_without_an_import_of_each():
    text = "import airflow; print(airflow.utils.dates.days_ago(1).hour, airflow.models.dag.DAG.__name__, hasattr(airflow, 'no'))"

    done = subprocess.run([sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=False)

    assert done.stdout == "0 DAG False\n", done.stderr
