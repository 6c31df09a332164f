"""The process that imports DAG files: forked from the parser, for as many files as it survives.

It talks to the parser over one socket: takes ParseFile, gives ParsedFile, and asks for variables and connections in
between. What a file prints goes into a log of its own.
"""

from __future__ import annotations

import ctypes
import gc
import io
import os
import resource
import signal
import socket
import sys
import threading
from types import FrameType
from typing import Any, NoReturn

import msgspec

from gnomon.model.schedule import schedule_of
from gnomon.model.timetables import TimetableError
from gnomon.parsing import failures, loader, project
from gnomon.sdk import listeners
from gnomon.sdk.runtime.channel import ChannelClosedError, set_channel
from gnomon.service.masked_output import mask_output
from gnomon.service.masking import masker
from gnomon.wire import dag as wire_dag
from gnomon.wire import execution as wire
from gnomon.wire import framing, questions

_PR_SET_PDEATHSIG = 1
_FILES_PER_COLLECTION = 20
_decode = wire.decoder(questions.ToParser).decode


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a DAG file may use."""

    #: seconds of [core] dagbag_import_timeout; 0 for none
    import_timeout: float
    #: bytes of memory that a process may have for its data; 0 for any
    memory: int
    #: where what files print is kept
    log_folder: str
    #: compatibility profile
    profile: int


class ImportTimedOutError(BaseException):
    """A DAG file took longer than [core] dagbag_import_timeout; not an Exception, so that few catch it."""


class ParserChannel:
    """The channel of user code while it is parsed."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def ask(self, request: wire.Request) -> wire.Reply:
        project.note_outside()
        with self._lock:
            self.send(wire.Ask(body=request))
            payload = framing.read_frame(self._sock)
        if payload is None:
            raise ChannelClosedError("the parser has closed the connection")
        reply: wire.Reply = _decode(payload)
        return reply

    def tell(self, request: wire.Request) -> None:
        with self._lock:
            self.send(wire.Tell(body=request))

    def send(self, message: wire.ParsedFile | wire.Ask | wire.Tell | questions.Answered) -> None:
        """Send a message as it is."""
        self._sock.sendall(framing.pack(wire.encode(message)))


def run(sock: socket.socket, limits: Limits, parser: int) -> NoReturn:
    """Parse files until the parser closes the connection. Never returns.

    Args:
        parser: its process id, whose end is this one's.
    """
    status = 1
    try:
        _begin(limits, parser)
        channel = ParserChannel(sock)
        set_channel(channel)
        me = os.getpid()
        output = Output(limits.log_folder, me)
        surroundings = _Surroundings()
        files = 0
        gc.disable()  # what a file leaves behind is collected between files, when most of it is garbage
        while (payload := framing.read_frame(sock)) is not None:
            request = _decode(payload)
            if isinstance(request, questions.Question):
                output.begin()
                channel.send(answer(request, limits))
                break
            output.begin()
            parsed = parse(request, limits)
            if os.getpid() != me:
                break  # the file forked past the guard, and this is the copy
            if parsed.error is not None and files == 0 and listeners.manager is not None:
                # Later ones are parsed once more, in a child of their own.
                kind = "existing" if request.failed_before else "new"
                listeners.tell(f"on_{kind}_dag_import_error", filename=request.path, stacktrace=parsed.error)
            output.end(request)
            surroundings.restore()
            channel.send(parsed)
            files += 1
            if files % _FILES_PER_COLLECTION == 0:
                gc.collect()
        status = 0
    except (BrokenPipeError, ConnectionResetError):
        status = 0
    finally:
        os._exit(status)


def _begin(limits: Limits, parser: int) -> None:
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parser:
        os._exit(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, _time_is_up)
    signal.set_wakeup_fd(-1)
    if limits.memory:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (limits.memory, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    project.guard()
    mask_output()


def _time_is_up(number: int, frame: FrameType | None) -> None:
    raise ImportTimedOutError("the file took too long")


def answer(question: questions.Question, limits: Limits) -> questions.Answered:
    """Answer a question about a user's class, within the time that importing a file may take."""
    from gnomon.parsing import answering

    try:
        signal.setitimer(signal.ITIMER_REAL, limits.import_timeout)
        answered = answering.answer(question)
    except ImportTimedOutError:  # outside of the class itself
        answered = questions.Answered(id=question.id, error=f"{question.classpath} took too long to answer")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return msgspec.structs.replace(answered, error=_explained(answered.error, limits))


def parse(request: wire.ParseFile, limits: Limits) -> wire.ParsedFile:
    """Import one file, as its limits allow, and return what is in it."""
    try:
        timeout = loader.import_timeout(request.path, request.bundle_root, limits.import_timeout)
        signal.setitimer(signal.ITIMER_REAL, timeout)
        loaded = loader.load_file(request.path, bundle_root=request.bundle_root, relative_path=request.relative_path)
        dags, problems = _serialize(loaded.dags, limits.profile)
    except ImportTimedOutError:  # outside of the import itself
        loaded, dags, problems = loader.LoadedFile(), [], ["ImportTimedOutError: the file took too long"]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    error = "\n\n".join(filter(None, [loaded.error, *loaded.refused.values(), *problems])) or None
    return wire.ParsedFile(
        bundle=request.bundle,
        relative_path=request.relative_path,
        dags=dags,
        error=_explained(error, limits),
        warnings=loaded.warnings,
        modules=loaded.modules,
        source_hash=loaded.source_hash or project.source_hash(request.path, request.bundle_root, ()),
        seconds=loaded.seconds,
        listens=listeners.heard(),
    )


def _serialize(dags: dict[str, Any], profile: int) -> tuple[list[wire.Json], list[str]]:
    """Return the DAGs as data, and a sentence for each that cannot be."""
    from gnomon.sdk.serialization import serialize_dag

    encoded: list[wire.Json] = []
    problems: list[str] = []
    for dag_id, dag in dags.items():
        try:
            serialized = serialize_dag(dag)
            schedule_of(serialized, 2 if profile == 2 else 3)
            encoded.append(wire_dag.encode(serialized))
        except TimetableError as error:
            problems.append(f"{dag.fileloc}: the schedule of DAG {dag_id!r} cannot be used: {error}")
        except Exception as error:
            problems.append(f"{dag.fileloc}: DAG {dag_id!r} cannot be serialized: {type(error).__name__}: {error}")
    return encoded, problems


def _explained(error: str | None, limits: Limits) -> str | None:
    if error is None:
        return None
    error = failures.without_secrets(error)
    if "ImportTimedOutError" in error:
        return (
            f"{error}\n\nIt was stopped after {limits.import_timeout:g} s, the limit of [core] dagbag_import_timeout."
        )
    if "MemoryError" in error and limits.memory:
        limit = limits.memory >> 20
        return f"{error}\n\nIt may have {limit} MiB of memory, the limit of [dag_processor] parsing_memory_limit."
    return error


class _Surroundings:
    """What a file may change for the next one in this process."""

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self._folder = os.getcwd()
        self._path = list(sys.path)

    def restore(self) -> None:
        """Put it back as it was."""
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        sys.path[:] = self._path
        try:
            os.chdir(self._folder)
        except OSError:
            os.chdir("/")


class Output:
    """Takes what files print. One scratch file per process becomes the log of a file that has printed something.

    Args:
        folder: where logs are kept.
        pid: the process that prints; the parser looks for its output when it has died.
    """

    def __init__(self, folder: str, pid: int) -> None:
        self._folder = folder
        self._scratch = os.path.join(folder, f".{pid}.output")
        self._fd = -1

    def begin(self) -> None:
        """Direct standard output and error into the scratch file."""
        if self._fd < 0:
            try:
                os.makedirs(self._folder, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
                self._fd = os.open(self._scratch, flags, 0o600)
            except OSError:
                self._fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        for standard in (1, 2):
            os.dup2(self._fd, standard)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True)  # a file that ends its process has still said what it said

    def end(self, file: wire.ParseFile) -> None:
        """Keep what a file has printed."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (AttributeError, OSError, ValueError):
                pass  # the file has closed or replaced it
        if masker.knows_any:
            self._mask()
        self.keep(file)

    def _mask(self) -> None:
        """Hide secrets in what was written past the streams, as subprocesses do."""
        try:
            with open(self._scratch, "r+b") as file:
                written = file.read()
                if (masked := masker.redact(written)) != written:
                    file.seek(0)
                    file.write(masked)
                    file.truncate()
        except OSError:
            pass  # there is no log either

    def keep(self, file: wire.ParseFile) -> None:
        """Make the scratch file the log of `file`, if anything is in it; an older log goes."""
        log = os.path.join(self._folder, file.bundle, file.relative_path + ".log")
        try:
            if os.stat(self._scratch).st_size:
                os.makedirs(os.path.dirname(log), exist_ok=True)
                os.replace(self._scratch, log)
                if self._fd >= 0:
                    os.close(self._fd)
                    self._fd = -1
            else:
                os.unlink(log)
        except OSError:
            pass  # a log that cannot be kept is no reason not to parse

    def discard(self) -> None:
        """Remove the scratch file of a process that has ended."""
        try:
            os.unlink(self._scratch)
        except OSError:
            pass
