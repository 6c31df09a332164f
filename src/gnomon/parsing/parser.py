"""The parser: a process with the SDK imported, whose forks import DAG files.

    python -m gnomon.parsing.parser <socket to the dag-processor>

It is exec'ed with a scrubbed environment and runs no user code itself. A child is forked for a file and goes on with the
next one as long as files are waiting, so that many files do not cost as many forks. When a child dies, hangs or
reports an error it is not used again: what it did may be in the way of the next file. A file that failed in a child that
had parsed another one before is tried once more in a new one, so that no file is blamed for its predecessor.

Questions about users' timetables and deadlines get a child each, besides those that parse: one that hangs holds up
no file.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable

from gnomon.model.schedule import schedule_of
from gnomon.parsing import child
from gnomon.parsing.project import source_hash
from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.service.entry_points import entry_points
from gnomon.wire import execution as wire
from gnomon.wire import framing, questions

#: Imported once, for every DAG file imports some of them.
PRELOADED = (
    "json",
    "pendulum",
    "gnomon.sdk",
    "gnomon.sdk.dag",
    "gnomon.sdk.serialization",
    "gnomon.parsing.loader",
    "airflow",
    "airflow.sdk",
    "airflow.decorators",
    "airflow.models",
    "airflow.models.dag",
    "airflow.operators.python",
    "airflow.operators.bash",
    "airflow.operators.empty",
    "airflow.providers.standard.operators.python",
    "airflow.providers.standard.operators.bash",
    "airflow.providers.standard.operators.empty",
    "airflow.sensors.base",
    "airflow.utils.task_group",
    "airflow.utils.dates",
)
#: An idle child waits this long for another file before it is let go.
_LINGER_SECONDS = 0.1
#: After so many files a child is let go: what they leave behind in it adds up.
_FILES_PER_CHILD = 500
#: Questions that are being answered at a time.
_ANSWERING = 4
_PR_SET_CHILD_SUBREAPER = 36
_decode_request = wire.decoder(questions.ToParser).decode
_decode_answer = wire.decoder(questions.FromParser).decode


class Child:
    """A forked process and the file it is busy with."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.sock = sock
        self.splitter = framing.Splitter()
        self.file: wire.ParseFile | None = None
        #: in place of files, and the only one it gets
        self.question: questions.Question | None = None
        self.began = 0.0
        self.idle_since = clock.monotonic()
        self.files = 0
        self.timed_out = False


class Parser:
    """Hands files to children, and answers what becomes of each."""

    def __init__(self, sock: socket.socket, limits: child.Limits, *, processes: int, timeout: float) -> None:
        self._sock = sock
        self._limits = limits
        self._processes = processes
        self._timeout = timeout
        self._splitter = framing.Splitter()
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ, self._from_processor)
        self._waiting: deque[wire.ParseFile] = deque()
        self._questions: deque[questions.Question] = deque()
        self._children: dict[int, Child] = {}
        #: who asked, in the order of asking, for replies come in that order
        self._asking: deque[Child] = deque()
        self._running = True

    def serve(self) -> None:
        """Work until the dag-processor is gone."""
        while self._running:
            for key, _ in self._selector.select(self._until_next_deadline()):
                key.data()
            self._look_at_deadlines()
            self._hand_out()
        for one in list(self._children.values()):
            self._end(one)

    # ------------------------------------------------------------------------------------- the dag-processor

    def _from_processor(self) -> None:
        data = self._sock.recv(1 << 18)
        if not data:
            self._running = False
            return
        for payload in self._splitter.feed(data):
            message = _decode_request(payload)
            if isinstance(message, wire.ParseFile):
                self._waiting.append(message)
            elif isinstance(message, questions.Question):
                self._questions.append(message)
            else:
                self._pass_on(payload)

    def _pass_on(self, reply: bytes) -> None:
        asker = self._asking.popleft()
        if asker.pid in self._children:
            try:
                asker.sock.sendall(framing.pack(reply))
            except OSError:
                pass  # it is dying; its socket will say so

    def _send(self, payload: bytes) -> None:
        try:
            self._sock.sendall(framing.pack(payload))
        except OSError:
            self._running = False

    # ---------------------------------------------------------------------------------------------- children

    def _hand_out(self) -> None:
        answering = sum(1 for one in self._children.values() if one.question is not None)
        while self._questions and answering < _ANSWERING:
            self._ask(self._fork(), self._questions.popleft())
            answering += 1
        while self._waiting:
            idle = next((one for one in self._children.values() if one.file is None and one.question is None), None)
            if idle is None:
                if len(self._children) - answering >= self._processes:
                    return
                idle = self._fork()
            self._give(idle, self._waiting.popleft())

    def _give(self, one: Child, file: wire.ParseFile) -> None:
        one.file, one.began = file, clock.monotonic()
        one.files += 1
        try:
            one.sock.sendall(framing.pack(wire.encode(file)))
        except OSError:
            pass  # it has just died; its socket will say so

    def _ask(self, one: Child, question: questions.Question) -> None:
        one.question, one.began = question, clock.monotonic()
        try:
            one.sock.sendall(framing.pack(wire.encode(question)))
        except OSError:
            pass  # it has just died; its socket will say so

    def _fork(self) -> Child:
        ours, theirs = socket.socketpair()
        parser = os.getpid()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._selector.close()
            self._sock.close()
            for other in self._children.values():
                other.sock.close()
            child.run(theirs, self._limits, parser)
        theirs.close()
        one = Child(pid, ours)
        self._children[pid] = one
        self._selector.register(ours, selectors.EVENT_READ, self._reader_of(one))
        return one

    def _reader_of(self, one: Child) -> Callable[[], None]:
        return lambda: self._from_child(one)

    def _from_child(self, one: Child) -> None:
        try:
            data = one.sock.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            self._died(one)
            return
        for payload in one.splitter.feed(data):
            message = _decode_answer(payload)
            if isinstance(message, wire.ParsedFile):
                self._parsed(one, message, payload)
                if one.pid not in self._children:
                    return
            elif isinstance(message, questions.Answered):
                one.question = None
                self._end(one)
                self._send(payload)
                return
            else:
                if isinstance(message, wire.Ask):
                    self._asking.append(one)
                self._send(payload)

    def _parsed(self, one: Child, parsed: wire.ParsedFile, payload: bytes) -> None:
        file, one.file, one.idle_since = one.file, None, clock.monotonic()
        if parsed.error is not None:
            self._end(one)
            if one.files > 1 and file is not None:
                self._give(self._fork(), file)
                return
        elif one.files >= _FILES_PER_CHILD:
            self._end(one)
        self._send(payload)

    def _died(self, one: Child) -> None:
        file, first = one.file, one.files <= 1
        if file is not None:
            child.Output(self._limits.log_folder, one.pid).keep(file)
        status = self._end(one)
        if one.question is not None:
            how = "took too long to answer" if one.timed_out else f"gave no answer: {_how_it_ended(status)}"
            error = f"{one.question.classpath} {how}"
            self._send(wire.encode(questions.Answered(id=one.question.id, error=error)))
        if file is None:
            return
        if not first and not one.timed_out:
            self._give(self._fork(), file)
            return
        how = self._timeout_text() if one.timed_out else _how_it_ended(status)
        self._send(
            wire.encode(
                wire.ParsedFile(
                    bundle=file.bundle,
                    relative_path=file.relative_path,
                    error=f"{file.path}: {how}",
                    source_hash=source_hash(file.path, file.bundle_root, ()),
                    seconds=clock.monotonic() - one.began,
                )
            )
        )

    def _timeout_text(self) -> str:
        return (
            f"parsing it took longer than {self._timeout:g} s, the limit of [dag_processor] dag_file_processor_timeout"
        )

    def _end(self, one: Child) -> int:
        """Make sure that a child and what it started are gone; return how it ended."""
        self._selector.unregister(one.sock)
        one.sock.close()
        del self._children[one.pid]
        pid, status = os.waitpid(one.pid, os.WNOHANG)
        try:
            os.killpg(one.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        if pid == 0:
            try:
                os.kill(one.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            _, status = os.waitpid(one.pid, 0)
        self._end_orphans()
        child.Output(self._limits.log_folder, one.pid).discard()
        return status

    def _end_orphans(self) -> None:
        """End what DAG files have started in sessions of their own; it has become this process's child."""
        me = os.getpid()
        try:
            with open(f"/proc/{me}/task/{me}/children", "rb") as file:
                children = [int(word) for word in file.read().split()]
        except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
            return
        for pid in children:
            if pid not in self._children:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    # --------------------------------------------------------------------------------------------- deadlines

    def _until_next_deadline(self) -> float | None:
        moments = [
            one.began + self._timeout if one.file or one.question else one.idle_since + _LINGER_SECONDS
            for one in self._children.values()
        ]
        return max(0.0, min(moments) - clock.monotonic()) if moments else None

    def _look_at_deadlines(self) -> None:
        now = clock.monotonic()
        for one in list(self._children.values()):
            if one.file is None and one.question is None:
                if now >= one.idle_since + _LINGER_SECONDS and not self._waiting:
                    self._end(one)
            elif now >= one.began + self._timeout:
                one.timed_out = True
                self._died(one)


def _how_it_ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        hint = " (the machine may have run out of memory)" if number == signal.SIGKILL else ""
        return f"the process that parsed it was killed by {name}{hint}"
    return f"it ended the process that parsed it with exit code {os.waitstatus_to_exitcode(status)}"


def preload() -> None:
    """Import what DAG files import, once for all of them."""
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # a name that this release does not have is no reason not to parse
    entry_points("airflow.plugins")  # which each child looks at
    _rehearse()


def _rehearse() -> None:
    """Make a DAG, for much of the SDK is only imported when it is used."""
    from gnomon.sdk.authoring import DagContext
    from gnomon.sdk.dag import DAG
    from gnomon.sdk.operator import BaseOperator
    from gnomon.sdk.serialization import serialize_dag

    with DAG("rehearsal", schedule="0 0 * * *", start_date=clock.now(), auto_register=False) as dag:
        BaseOperator(task_id="first") >> BaseOperator(task_id="second")
    dag.validate()
    schedule_of(serialize_dag(dag), 3)
    DagContext.autoregistered_dags.clear()


def main() -> None:
    """Start as described above."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    sock.set_inheritable(False)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the dag-processor, which closes the socket
    limits = child.Limits(
        import_timeout=max(0.0, conf.getfloat("core", "dagbag_import_timeout", fallback=30.0)),
        memory=conf.getint("dag_processor", "parsing_memory_limit", fallback=2000) << 20,
        log_folder=os.path.join(
            os.path.expanduser(conf.get("logging", "dag_processor_child_process_log_directory")), "latest"
        ),
        profile=conf.profile(),
    )
    processes = max(1, conf.getint("dag_processor", "parsing_processes", fallback=2))
    timeout = conf.getfloat("dag_processor", "dag_file_processor_timeout", fallback=50.0)
    preload()
    gc.collect()
    gc.freeze()
    Parser(sock, limits, processes=processes, timeout=timeout).serve()


if __name__ == "__main__":
    main()
