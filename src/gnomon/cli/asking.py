"""Ask user code without a dag-processor: for a run on the command line, which has none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gnomon.cli.errors import CommandError

if TYPE_CHECKING:
    from gnomon.model.timetables import AnswerNeededError, DataInterval, NextRun
    from gnomon.store.engine import Store
    from gnomon.store.records import Dag
    from gnomon.wire.execution import Reply, Request
    from gnomon.wire.questions import Answered, Question

_SECONDS = 60.0


def answer_open(store: Store) -> None:
    """Answer what the scheduler of a run on the command line has to know of user code.

    Raises:
        CommandError: user code does not answer.
    """
    from gnomon.service import clock
    from gnomon.wire.questions import InstancesAsked

    for asked in store.questions.open(clock.now()):
        if not isinstance(asked.asked, InstancesAsked):
            continue
        answered = _ask(asked, asked.classpath, store)
        if answered.error is not None:
            raise CommandError(answered.error)
        store.questions.answer(asked, clock.now(), told=answered.told)


def answer(store: Store, dag_id: str, needed: AnswerNeededError) -> None:
    """Have a process of its own import the class, and give its timetable the answer that it needs.

    Raises:
        CommandError: the class does not answer.
    """
    from gnomon.api.inference import manual_asked, next_run
    from gnomon.model.timetables import ManualQuestion
    from gnomon.service import clock
    from gnomon.store.questions import Ask
    from gnomon.wire import questions

    question, timetable = needed.question, needed.timetable
    assert isinstance(question, ManualQuestion)
    body = questions.AskedOf(timetable.data, manual_asked(question))
    store.questions.ask(Ask("manual", dag_id, timetable.classpath, body), clock.now())
    asked = next(one for one in store.questions.open(clock.now()) if one.dag_id == dag_id)
    answered = _ask(asked, f"the timetable {timetable.classpath}", store)
    if not isinstance(answered.told, questions.RunTold):
        raise CommandError(f"the data interval of the run is not known: {answered.error}")
    timetable.answers[question] = next_run(answered.told)


def following(dag: Dag, needed: AnswerNeededError, last: DataInterval, count: int) -> list[NextRun]:
    """Return the runs that a user's timetable lets follow the last one, within no bounds.

    Raises:
        CommandError: the class does not answer.
    """
    from gnomon.api.inference import next_run
    from gnomon.model.timetables import Bare
    from gnomon.store.types import to_micros
    from gnomon.wire import questions
    from gnomon.wire.execution import FileRef

    timetable = needed.timetable
    asked = questions.Question(
        id=0,
        dag_id=dag.dag_id,
        classpath=timetable.classpath,
        data=timetable.data,
        file=FileRef(
            bundle=dag.bundle_name,
            path=dag.fileloc,
            relative_path=dag.relative_fileloc,
            source_hash="",
            bundle_root=dag.bundle_root,
        ),
        asked=questions.FollowingAsked((to_micros(last.start), to_micros(last.end)), isinstance(last, Bare), count),
    )
    answered = _ask(asked, f"the timetable {timetable.classpath}")
    if not isinstance(answered.told, questions.RunsTold):
        raise CommandError(f"the next runs of DAG {dag.dag_id} are not known: {answered.error}")
    return [next_run(run) for run in answered.told.runs]


def _ask(asked: Question, who: str, store: Store | None = None) -> Answered:
    """Have a process of its own answer; the variables and connections that its DAG file asks for are the store's."""
    from gnomon.service.environment import for_user_code

    mine, theirs = socket.socketpair()
    with mine:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "gnomon.parsing.answering", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what the class prints is no part of what the command prints
                pass_fds=(theirs.fileno(),),
                env=for_user_code(os.environ),
            )
        try:
            return _converse(mine, asked, _handler(store))
        except (OSError, ValueError) as error:
            raise CommandError(f"{who} does not answer: {error}") from None
        finally:
            process.kill()
            process.wait()


def _handler(store: Store | None) -> Callable[[Request], Reply]:
    from gnomon.wire.execution import Problem

    if store is None:
        return lambda request: Problem("unavailable", "this command does not answer what a DAG file asks")
    from gnomon.api.execution.handlers import Handlers

    handlers = Handlers(store)
    return lambda request: handlers.handle(None, request)


def _converse(sock: socket.socket, asked: Question, answer: Callable[[Request], Reply]) -> Answered:
    """Send the question and answer what is asked in return, until the answer has come.

    Raises:
        OSError: the other side takes too long, or has gone.
        ValueError: it speaks otherwise.
    """
    from gnomon.wire import execution, framing, questions

    decode = execution.decoder(questions.FromParser).decode
    until = time.monotonic() + _SECONDS
    sock.sendall(framing.pack(execution.encode(asked)))
    while True:
        sock.settimeout(max(0.001, until - time.monotonic()))
        payload = framing.read_frame(sock)
        if payload is None:
            raise ConnectionError("its process has ended")
        message = decode(payload)
        if isinstance(message, questions.Answered):
            return message
        if isinstance(message, execution.Ask | execution.Tell):
            reply = answer(message.body)
            if isinstance(message, execution.Ask):
                sock.sendall(framing.pack(execution.encode(reply)))
