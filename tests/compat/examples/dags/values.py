"""What tasks hand to each other, and what templates see."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pendulum

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param, XComArg, dag, task

START = pendulum.datetime(2024, 1, 1, tz="UTC")
PARAMS = {"word": "hello", "count": Param(3, type="integer", minimum=1), "maybe": Param(None, type=["null", "string"])}


@dag(schedule=None, start_date=START, params=PARAMS)
def compat_values():
    @task(multiple_outputs=True)
    def several():
        return {"a": 1, "b": [1, 2], "c": None}

    @task
    def kinds(given):
        return type(given).__name__

    values = {
        "text": "ä ☀",
        "number": 1.5,
        "nothing": None,
        "flag": True,
        "pair": (1, 2),
        "many": {"x", "y"},
        "moment": datetime(2024, 1, 2, 3, 4, tzinfo=UTC),
        "pendulum": pendulum.datetime(2024, 1, 2, tz="Europe/Berlin"),
        "day": date(2024, 1, 2),
        "span": timedelta(hours=1, seconds=2),
        "exact": Decimal("1.10"),
        "nested": {"list": [{"a": (1,)}]},
    }

    def give(key):
        return values[key]

    for key in values:
        made = PythonOperator(task_id=f"gives_{key}", python_callable=give, op_args=[key])
        kinds.override(task_id=f"takes_{key}")(made.output)

    parts = several()
    kinds.override(task_id="takes_b")(parts["b"])
    kinds.override(task_id="takes_missing")(parts["c"])

    @task
    def pushes(ti=None):
        ti.xcom_push(key="mine", value={"k": 1})

    @task(trigger_rule="all_done")
    def pulls(ti=None):
        return [
            ti.xcom_pull(task_ids="pushes", key="mine"),
            ti.xcom_pull(task_ids=["several", "pushes"], key="return_value"),
            ti.xcom_pull(task_ids="nobody"),
            ti.xcom_pull(task_ids="nobody", default="instead"),
        ]

    pushes() >> pulls()


compat_values()

TEMPLATES = {
    "dates": "{{ ds }} {{ ds_nodash }} {{ ts }} {{ ts_nodash }} {{ ts_nodash_with_tz }}",
    "run": "{{ run_id }} {{ dag_run.run_type }} {{ dag.dag_id }} {{ task.task_id }} {{ ti.try_number }} {{ ti.map_index }}",
    "interval": "{{ data_interval_start }} {{ data_interval_end }} {{ logical_date }}",
    "key": "{{ task_instance_key_str }}",
    "params": "{{ params.word * params.count }} {{ params.maybe }}",
    "macros": "{{ macros.ds_add(ds, 5) }} {{ macros.ds_format(ds, '%Y-%m-%d', '%d/%m') }} {{ logical_date | ds_nodash }}",
    "conf": "{{ dag_run.conf }} {{ conf.get('core', 'executor') is string }}",
    "history": "{{ prev_data_interval_start_success }} {{ prev_start_date_success }}",
    "xcom": "{{ ti.xcom_pull('dates') | length }}",
}

with DAG("compat_templates", schedule=None, start_date=START, params=PARAMS, user_defined_macros={"own": str.upper}):
    before = None
    for name, template in TEMPLATES.items():
        made = BashOperator(task_id=name, bash_command=f"echo '{template}'")
        if name == "xcom":
            made.set_upstream(before)
        before = before or made
    BashOperator(task_id="own_macro", bash_command="echo {{ own(params.word) }}")
    BashOperator(task_id="from_output", bash_command=f"echo {XComArg(before)}", env={"X": "{{ ds }}"}, append_env=True)

with DAG("compat_native", schedule=None, start_date=START, params=PARAMS, render_template_as_native_obj=True):

    @task
    def native(count, listed, text):
        return [type(count).__name__, listed, text]

    native("{{ params.count }}", "{{ [1, params.count] }}", "{{ params.word }}")

with DAG("compat_undefined", schedule=None, start_date=START):
    BashOperator(task_id="missing", bash_command="echo {{ params.no_such_thing }}")
    BashOperator(task_id="unknown", bash_command="echo [{{ no_such_thing }}]")
