"""The DAG files that the workloads run, as authors would write them."""

from __future__ import annotations

_HEAD = """\
from datetime import datetime

from airflow import DAG
from airflow.operators.python import PythonOperator


def fibo(n):
    return n if n < 2 else fibo(n - 1) + fibo(n - 2)


def nothing():
    pass


"""

_DAG = """\
with DAG(
    "{dag_id}",
    schedule={schedule},
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs={max_active_runs},
    max_active_tasks={max_active_tasks},
    is_paused_upon_creation={paused},
):
"""

_CHAIN = """\
    tasks = [PythonOperator(task_id=f"t{{n}}", python_callable={call}) for n in range({length})]
    for before, after in zip(tasks, tasks[1:]):
        before >> after
"""

_FAN = """\
    first = PythonOperator(task_id="first", python_callable=nothing{more})
    last = PythonOperator(task_id="last", python_callable=nothing{more})
    first >> [PythonOperator(task_id=f"t{{n}}", python_callable=nothing{more}) for n in range({width})] >> last
"""

_REUSE = ', executor_config={"isolation": "reuse"}'


def chain(dag_id: str, length: int, *, call: str = "nothing", runs: int = 16, paused: bool = False) -> str:
    """Return a file with tasks one after the other; `call` may be `fibo, op_args=[10]`."""
    return _HEAD + _dag(dag_id, runs=runs, paused=paused) + _CHAIN.format(call=call, length=length)


def fan(dag_id: str, width: int, *, reuse: bool = False) -> str:
    """Return a file with one task, `width` tasks after it, and one after those."""
    return _HEAD + _dag(dag_id) + _FAN.format(width=width, more=_REUSE if reuse else "")


def once(dag_id: str) -> str:
    """Return a file whose only task runs as soon as the file is known."""
    return _HEAD + _dag(dag_id, schedule='"@once"') + _CHAIN.format(call="nothing", length=1)


def _dag(dag_id: str, *, schedule: str = "None", runs: int = 16, paused: bool = False) -> str:
    return _DAG.format(dag_id=dag_id, schedule=schedule, max_active_runs=runs, max_active_tasks=64, paused=paused)
