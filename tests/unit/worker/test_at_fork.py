"""A fork from one thread skips the standard library's handlers; every other fork runs them."""

from __future__ import annotations

import json
import subprocess
import sys

_SCRIPT = """
import json, os, sys
from gnomon.worker import at_fork
at_fork.install()
import logging, random, threading

called = []
os.register_at_fork(after_in_child=lambda: called.append("user"))
class Handler(logging.Handler):
    def _at_fork_reinit(self):
        called.append("locks")
        super()._at_fork_reinit()

handler = Handler()

def in_child(fork):
    read, write = os.pipe()
    pid = fork()
    if pid == 0:
        os.write(write, json.dumps([called, random.random()]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = json.load(pipe)
    os.waitpid(pid, 0)
    return answer

quick = [in_child(at_fork.fork), in_child(at_fork.fork)]
plain = in_child(os.fork)
stop = threading.Event()
thread = threading.Thread(target=stop.wait)
thread.start()
import warnings
warnings.simplefilter("ignore")
threaded = in_child(at_fork.fork)
stop.set()
thread.join()
print(json.dumps({"quick": quick, "plain": plain, "threaded": threaded}))
"""


def test_only_forks_from_one_thread_are_short_and_each_child_draws_its_own_numbers() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", _SCRIPT], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    (first, second), plain, threaded = said["quick"], said["plain"], said["threaded"]

    assert [child[0] for child in (first, second)] == [["user"]] * 2
    assert [child[0] for child in (plain, threaded)] == [["locks", "user"]] * 2
    assert len({child[1] for child in (first, second, plain, threaded)}) == 4, (
        "no two processes may draw the same number"
    )
