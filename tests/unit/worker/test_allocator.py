"""What a process does to its memory before it is forked from."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from gnomon.worker.allocator import ENVIRONMENT

_SCRIPT = """
import gc, json, os, resource
from gnomon.worker import allocator

class Node:
    pass

def churn():
    kept, gone = [], []
    for n in range(20000):
        kept.append(Node()); gone.append(Node())
    del gone
    gc.collect()
    return kept

def faults_of_child(work):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        made = work()
        os.write(write, json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = json.load(pipe)
    os.waitpid(pid, 0)
    return answer

kept = churn()
work = lambda: [Node() for _ in range(3000)]
scattered = faults_of_child(work)
allocator.fill_holes()
print(json.dumps([scattered, faults_of_child(work)]))
"""


def test_children_write_fewer_pages_when_the_holes_are_filled() -> None:
    environ = {**os.environ, **ENVIRONMENT}
    done = subprocess.run(
        [sys.executable, "-P", "-c", _SCRIPT], capture_output=True, text=True, check=True, env=environ
    )
    scattered, side_by_side = json.loads(done.stdout)

    assert side_by_side < scattered * 0.8


def test_it_also_runs_with_pythons_own_allocator() -> None:
    code = "from gnomon.worker import allocator; allocator.fill_holes()"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
