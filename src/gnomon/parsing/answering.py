"""Answers questions about timetables and deadlines with the users' classes, in a process forked for the question."""

from __future__ import annotations

import socket
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from gnomon.parsing import failures, loader, project
from gnomon.wire import questions as wire

_PREFIX = "unusual_prefix_"
#: this process answers one question, so nothing here grows old
_loaded: dict[str, dict[str, Any]] = {}


class _CannotAnswerError(Exception):
    """The class gave no usable answer; the message says why."""


def answer(question: wire.Question) -> wire.Answered:
    """Return what the class of the question says; whatever goes wrong becomes `error`."""
    root = question.file.bundle_root
    owned = project.roots(root)
    try:
        project.prepare_sys_path(root, owned)
        asked = question.asked
        if isinstance(asked, wire.DeadlineAsked):
            told: wire.Told = _deadline(question, asked)
        elif isinstance(asked, wire.PartitionsAsked):
            told = _partitions(question, asked)
        elif isinstance(asked, wire.InstancesAsked):
            told = _instances(question, asked)
        elif isinstance(asked, wire.ManualAsked):
            told = _manual(question, asked)
        elif isinstance(asked, wire.BetweenAsked):
            told = _between(question, asked)
        elif isinstance(asked, wire.FollowingAsked):
            told = _following(question, asked)
        else:
            told = _next(question, asked)
    except _CannotAnswerError as error:
        return wire.Answered(id=question.id, error=f"{question.classpath} {error}")
    except BaseException as error:  # SystemExit too, and the end of the time it may take
        said = failures.describe(error, lambda name: project.owns(name, owned))
        return wire.Answered(id=question.id, error=f"{question.classpath} failed when it was asked: {said}")
    return wire.Answered(id=question.id, told=told)


# ---------------------------------------------------------------------------------------------- timetables


def _next(question: wire.Question, asked: wire.NextAsked) -> wire.Told:
    timetable = _timetable(question)
    info, told = _follows(timetable, asked)
    if told is None:
        return wire.NothingTold()
    name = _own_run_id(timetable, "scheduled", info.run_after, info.data_interval, info.logical_date)
    return msgspec.structs.replace(told, run_id=name)


def _between(question: wire.Question, asked: wire.BetweenAsked) -> wire.Told:
    """Runs of a backfill have names of their own, whatever the class calls those that it schedules."""
    timetable = _timetable(question)
    runs: list[wire.RunTold] = []
    info, told = _follows(timetable, wire.NextAsked(None, asked.earliest, asked.latest, catchup=True))
    while told is not None and told.start <= asked.latest:
        if told.bare:
            raise _CannotAnswerError(f"gave {info!r}: runs without a data interval cannot be backfilled")
        runs.append(told)
        following = wire.NextAsked((told.start, told.end), asked.earliest, asked.latest, catchup=True)
        info, told = _follows(timetable, following, info)
    return wire.RunsTold(runs)


def _following(question: wire.Question, asked: wire.FollowingAsked) -> wire.Told:
    timetable = _timetable(question)
    runs: list[wire.RunTold] = []
    last, bare, info = asked.last, asked.bare, None
    while len(runs) < asked.count:
        info, told = _follows(timetable, wire.NextAsked(last, catchup=True, bare=bare), info)
        if told is None:
            break
        runs.append(told)
        last, bare = (told.start, told.end), told.bare
    return wire.RunsTold(runs)


def _follows(timetable: Any, asked: wire.NextAsked, before: Any = None) -> tuple[Any, wire.RunTold | None]:
    """Return what the class gives as the run after the last one; `before` is what it gave as that, if that is known."""
    from gnomon.sdk.timetable import DagRunInfo, DataInterval, TimeRestriction, Timetable

    restriction = TimeRestriction(_moment(asked.earliest), _moment(asked.latest), asked.catchup)
    last = None if asked.last is None else DataInterval(_moment(asked.last[0]), _moment(asked.last[1]))
    run_after = None if last is None else last.end
    if last is not None and asked.bare:
        last = _inferred(timetable, run_after)
    if _defines(timetable, "next_dagrun_info_v2", Timetable):
        before = before or (None if asked.last is None else DagRunInfo(run_after, last))
        info = timetable.next_dagrun_info_v2(last_dagrun_info=before, restriction=restriction)
    else:
        if last is None and run_after is not None:
            last = DataInterval(run_after, run_after)  # None would say that there was no run
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
    if info is None:
        return None, None
    run_after, interval = getattr(info, "run_after", None), getattr(info, "data_interval", None)
    if run_after is None:
        raise _CannotAnswerError(f"has to give a DagRunInfo, or None, but gave {info!r}")
    if interval is None:
        start = end = _micros(run_after, "run_after")
    else:
        start, end = _micros(interval.start, "data_interval.start"), _micros(interval.end, "data_interval.end")
    if asked.last is not None and start <= asked.last[0] and end <= asked.last[1]:
        raise _CannotAnswerError(f"gave {info!r}, which does not come after the last run, {last!r}")
    return info, wire.RunTold(start, end, _micros(run_after, "run_after"), bare=interval is None)


def _inferred(timetable: Any, run_after: Any) -> Any:
    """Return the interval that a run had which was stored without one, as far as the class can tell."""
    try:
        return timetable.infer_manual_data_interval(run_after=run_after)
    except NotImplementedError:
        return None


def _manual(question: wire.Question, asked: wire.ManualAsked) -> wire.Told:
    from gnomon.sdk.timetable import DataInterval

    timetable, interval = _timetable(question), None
    if asked.interval is not None:
        interval = DataInterval(_moment(asked.interval[0]), _moment(asked.interval[1]))
    elif asked.at is not None:
        interval = timetable.infer_manual_data_interval(run_after=_moment(asked.at))
        if interval is not None and not hasattr(interval, "start"):
            raise _CannotAnswerError(f"has to infer a DataInterval for a manual run, but gave {interval!r}")
    name, run_after = None, asked.at if asked.run_after is None else asked.run_after
    if asked.run_after is not None:
        logical_date = _moment(asked.logical_date)
        name = _own_run_id(timetable, asked.run_type, _moment(asked.run_after), interval, logical_date)
    if interval is None:
        return wire.RunTold(run_after or 0, run_after or 0, run_after or 0, name, bare=True)
    start, end = _micros(interval.start, "data_interval.start"), _micros(interval.end, "data_interval.end")
    return wire.RunTold(start, end, run_after or 0, name)


def _timetable(question: wire.Question) -> Any:
    from gnomon.sdk.timetable import Timetable

    cls = _class(question)
    if getattr(cls.deserialize, "__func__", None) is not vars(Timetable)["deserialize"].__func__:
        return cls.deserialize(question.data)
    if cls.__mro__[1].__module__ == Timetable.__module__ or not issubclass(cls, Timetable):
        return cls()
    # A subclass of a schedule that comes with the SDK knows its arguments, but not how to write them down.
    dag = _load(question).get(question.dag_id)
    found = getattr(dag, "timetable", None)
    found = found if isinstance(found, cls) else getattr(found, "timetable", None)
    if not isinstance(found, cls):
        raise _CannotAnswerError(f"is not the timetable of DAG {question.dag_id!r} any more")
    return found


def _own_run_id(timetable: Any, run_type: str, run_after: Any, interval: Any, logical_date: Any) -> str | None:
    from gnomon.model.states import DagRunType
    from gnomon.sdk.calls import determine_kwargs
    from gnomon.sdk.timetable import Timetable

    if not _defines(timetable, "generate_run_id", Timetable):
        return None
    known = {"run_type": DagRunType(run_type), "run_after": run_after, "data_interval": interval}
    # Airflow 2 names runs after the logical date, Airflow 3 after run_after; a class takes what it knows.
    known["logical_date"] = run_after if logical_date is None else logical_date
    found = timetable.generate_run_id(**determine_kwargs(timetable.generate_run_id, (), known))
    return None if found is None else str(found)


def _defines(timetable: Any, name: str, base: type) -> bool:
    method = getattr(type(timetable), name, None)
    return method is not None and method is not getattr(base, name)


# ----------------------------------------------------------------------------------------------- deadlines


def _deadline(question: wire.Question, asked: wire.DeadlineAsked) -> wire.Told:
    reference = _class(question).deserialize_reference(question.data)
    known = {
        "dag_id": question.dag_id,
        "run_id": asked.run_id,
        "logical_date": _moment(asked.logical_date),
        "queued_at": _moment(asked.queued_at),
    }
    wanted = set(getattr(reference, "required_kwargs", ()) or ())
    if missing := wanted - known.keys():
        raise _CannotAnswerError(f"requires {', '.join(sorted(missing))}, which is not known of a run")
    # User code never sees the database, so there is no session to give.
    found = reference._evaluate_with(session=None, **{name: known[name] for name in wanted})
    return wire.NothingTold() if found is None else wire.MomentTold(_micros(found, "the moment"))


# ---------------------------------------------------------------------------------------------- partitions


def _partitions(question: wire.Question, asked: wire.PartitionsAsked) -> wire.Told:
    from gnomon.parsing import partition_answers

    timetable = getattr(_load(question).get(question.dag_id), "timetable", None)
    if not partition_answers.is_as_asked(timetable, asked):
        raise _CannotAnswerError(f"is not how DAG {question.dag_id!r} maps partitions any more")
    return partition_answers.told(timetable, asked)


# ----------------------------------------------------------------------------------------- task instances


def _instances(question: wire.Question, asked: wire.InstancesAsked) -> wire.Told:
    from gnomon.parsing import instance_answers

    try:
        return instance_answers.told(_load(question).get(question.dag_id), asked)
    except instance_answers.UnusableError as error:
        raise _CannotAnswerError(str(error)) from None


# ------------------------------------------------------------------------------------------------- plumbing


def _class(question: wire.Question) -> Any:
    """Import the class; one that a DAG file defines is found by importing that file."""
    module, _, _ = question.classpath.rpartition(".")
    if question.classpath.startswith(_PREFIX):
        _load(question)
        found: Any = sys.modules.get(question.classpath.split(".", 1)[0])
        for name in question.classpath.split(".")[1:]:
            found = getattr(found, name, None)
        if found is None:
            raise _CannotAnswerError(f"is not in {question.file.relative_path} any more")
        return found
    if not module:
        raise _CannotAnswerError("is not an import path")
    from gnomon.sdk.runtime.values import import_string

    return import_string(question.classpath)


def _load(question: wire.Question) -> dict[str, Any]:
    """Import the DAG file and return its DAGs; once, for a second import would make other classes of the same names."""
    file = question.file
    if file.path not in _loaded:
        loaded = loader.load_file(file.path, bundle_root=file.bundle_root, relative_path=file.relative_path)
        if loaded.error:
            raise _CannotAnswerError(f"cannot be asked: {loaded.error}")
        _loaded[file.path] = loaded.dags
    return _loaded[file.path]


def _moment(micros: int | None) -> Any:
    if micros is None:
        return None
    import pendulum

    return pendulum.instance(datetime.fromtimestamp(0, UTC)).add(microseconds=micros)


def _micros(moment: Any, name: str) -> int:
    if not isinstance(moment, datetime):
        raise _CannotAnswerError(f"gave {moment!r} as {name}, which is no datetime")
    if moment.tzinfo is None:
        raise _CannotAnswerError(f"gave {moment!r} as {name}, which has no timezone")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    delta = moment.astimezone(UTC) - epoch
    return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds


def main() -> None:
    """Answer the question that comes over a socket; for a command that has no dag-processor to ask."""
    from gnomon.parsing.child import ParserChannel
    from gnomon.sdk.runtime.channel import set_channel
    from gnomon.wire import execution, framing

    sock = socket.socket(fileno=int(sys.argv[1]))
    sock.set_inheritable(False)
    channel = ParserChannel(sock)
    set_channel(channel)
    payload = framing.read_frame(sock)
    if payload is not None:
        channel.send(answer(execution.decoder(wire.Question).decode(payload)))


if __name__ == "__main__":
    main()
