"""A try of a task that does nothing, run in the base and in spare processes before there is a real one.

In the base it fills caches, makes decoders and lets the interpreter specialise its bytecode, all of which every task
would otherwise do again in memory of its own: a try is 1.8 ms shorter for it. In a spare process it moves the page
faults of a try to before its start.
"""

from __future__ import annotations

import logging
import os
import socket
from functools import cache
from typing import Any

import msgspec

from gnomon.sdk import plugins
from gnomon.sdk.runtime.channel import SocketChannel, set_channel
from gnomon.wire import execution as wire
from gnomon.wire import framing
from gnomon.worker import process

_DAG_ID = "rehearsal"
#: Bytecode is specialised when it has run a few times.
ROUNDS = 12


def rehearse(usercode: process.UserCode, rounds: int = 1) -> None:
    """Run the try that does nothing; it leaves nothing behind but warm memory."""
    workload = _workload()
    dags = {_DAG_ID: usercode.rehearsal_dag()}
    go = wire.Proceed(key=workload.key, ok=True)
    script = framing.pack(wire.encode(go)) + framing.pack(wire.encode(wire.Done())) * 4
    environ = dict(os.environ)
    level = logging.getLogger().level
    for _ in range(rounds):
        ours, its = socket.socketpair()
        with ours, its:
            its.sendall(script)
            channel = SocketChannel(ours)
            channel.hello(workload.key, os.getpid())
            with plugins.suspended():
                process.run(wire.Launch(workload=workload, log_path=os.devnull), dags, usercode, channel)
    set_channel(None)
    logging.getLogger().setLevel(level)
    for name in os.environ.keys() - environ.keys():
        del os.environ[name]


@cache
def _workload() -> wire.Workload:
    run = wire.RunInfo(id=0, dag_id=_DAG_ID, run_id=_DAG_ID, run_type="manual", run_after=0, logical_date=0)
    return wire.Workload(
        key=wire.TryKey(0, 0),
        task_id="nothing",
        try_number=1,
        max_tries=0,
        file=wire.FileRef("", "", "", ""),
        run=msgspec.Raw(wire.encode(run)),
    )


def make_dag() -> Any:
    """Return a DAG with one task that does nothing."""
    from gnomon.sdk.dag import DAG
    from gnomon.sdk.standard.python import PythonOperator

    dag = DAG(_DAG_ID, schedule=None, auto_register=False)
    PythonOperator(task_id="nothing", python_callable=_nothing, dag=dag)
    return dag


def _nothing() -> None:
    logging.getLogger(__name__).info("nothing to do")
