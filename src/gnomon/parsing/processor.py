"""The dag-processor: notices which DAG files changed, has them parsed, and records what came of it.

Nothing here imports user code; that is the parser's part. The loop is driven by file changes and by outcomes. A file
is parsed when its content or anything it imported or read differs from what was recorded last. Only a file that looked
at something no watcher sees (a variable, a database, a program) is parsed every [dag_processor]
min_file_process_interval, and a look through each bundle every refresh_interval makes up for changes unheard of.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from gnomon.parsing.agenda import Agenda, Urgency
from gnomon.parsing.bundles import LocalBundle, configured
from gnomon.parsing.discovery import IGNORE_FILE, Found
from gnomon.parsing.files import DagFile, DagFiles
from gnomon.parsing.fingerprint import fingerprint, salted
from gnomon.parsing.link import Ask, ParserLink
from gnomon.parsing.listening import Listening
from gnomon.parsing.project import source_hash
from gnomon.parsing.questioner import Desk, Questioner
from gnomon.parsing.recorder import Recorder
from gnomon.parsing.records import FileKey, KnownFile, Parsed, Sink
from gnomon.parsing.start_parser import StartedParser
from gnomon.parsing.watcher import Watcher
from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.service.environment import for_user_code
from gnomon.service.service import Service
from gnomon.wire import execution as wire
from gnomon.wire.questions import Answered, Question

log = logging.getLogger(__name__)

#: More files than the parser has processes, so that none of them waits for the next one.
_AHEAD = 2
#: Of the intervals in the settings, in seconds: 0 must not keep the machine busy.
_SHORTEST = 0.1
#: A file with which so many parsers have died is not tried again until it changes.
_DEATHS = 3


class Subscription(Protocol):
    """Something that hands on notices until it is closed."""

    def close(self) -> None: ...


Listen = Callable[[asyncio.AbstractEventLoop, Callable[[str], None]], Subscription]


class DagProcessor(Service):
    """Keeps what is recorded of the DAG files equal to the files.

    Args:
        sink: where outcomes go, for example `store.dags`.
        ask: answers what DAG files ask while they are parsed, for example a variable; called in a thread.
        bundles: where files come from; those of the settings, unless given.
        outage: exceptions of the sink that say "try again later" and nothing about what was to be recorded.
        listen: given a callback, subscribes it to the notices of the topic `parse`.
        desk: questions that only users' classes can answer, for example `store.questions`.
        listen_for_questions: as `listen`, for the topic `question`.
        listening: a service that tells listeners of plugins what they cannot hear elsewhere; it learns here what they
            want to hear.
        python: the interpreter of user code, unless the environment names it.
        started: a parser that runs already.
    """

    def __init__(
        self,
        sink: Sink,
        ask: Ask,
        *,
        bundles: Sequence[LocalBundle] | None = None,
        outage: tuple[type[Exception], ...] = (OSError,),
        listen: Listen | None = None,
        desk: Desk | None = None,
        listen_for_questions: Listen | None = None,
        listening: Listening | None = None,
        python: str | None = None,
        started: StartedParser | None = None,
    ) -> None:
        super().__init__("dag-processor")
        self._listen = listen
        self._listen_for_questions = listen_for_questions
        self._listening = listening
        self._sink = sink
        self._bundles = {bundle.name: bundle for bundle in (configured() if bundles is None else bundles)}
        self._files = DagFiles()
        self._agenda = Agenda()
        self._forced: set[FileKey] = set()
        #: files that a parser has died with
        self._suspects: set[FileKey] = set()
        #: files that had an import error before this process began
        self._failed: set[FileKey] = set()
        #: ignore files with lines that cannot be read
        self._troubled: dict[str, dict[str, str]] = {}
        self._salt = ""
        self._window = max(1, conf.getint("dag_processor", "parsing_processes", fallback=2)) * _AHEAD
        self._interval = max(_SHORTEST, conf.getfloat("dag_processor", "min_file_process_interval", fallback=30.0))
        self._recorder = Recorder(
            sink, outage, self._on_rivals, self._on_recorded, lambda: len(self._agenda) > self._window,
            before=lambda: listening.keep() if listening is not None else None,
        )  # fmt: skip
        self._questioner = None if desk is None else Questioner(desk, self._send_question, outage)
        self._link = ParserLink(
            self._on_parsed, self._on_lost, ask, on_answered=self._on_answered, python=python, started=started
        )
        self._watcher = Watcher(self._on_change, lambda problem: log.warning("%s", problem))
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._look_again: set[str] = set()
        self._first_look = True

    @property
    def parser_pid(self) -> int | None:
        """The process id of the parser, for tests that kill it."""
        return self._link.pid

    async def run(self) -> None:
        """Work until stopped; ready when every file has been looked at once, and the outcomes are recorded."""
        self._link.start()  # first, for it takes longest to be ready
        self._recorder.start()
        self._salt = await asyncio.to_thread(fingerprint, for_user_code(os.environ))
        self._watcher.start(bundle.root for bundle in self._bundles.values())
        subscriptions = self._subscribe()
        clocks = [asyncio.create_task(self._look_now_and_then(bundle)) for bundle in self._bundles.values()]
        clocks.append(asyncio.create_task(self._refresh_what_looks_outside()))
        if self._questioner is not None:
            clocks.append(asyncio.create_task(self._questioner.run()))
        try:
            await self._take_up()
            self._first_look = False
            self._pump()
            self._ready_if_done()
            await self.stopping.wait()
        finally:
            for subscription in subscriptions:
                subscription.close()
            for task in (*clocks, *self._looking.values()):
                task.cancel()
            await asyncio.gather(*clocks, *self._looking.values(), return_exceptions=True)
            await self._watcher.stop()
            await self._link.stop()
            await self._recorder.stop()

    def _subscribe(self) -> list[Subscription]:
        loop, questioner = asyncio.get_running_loop(), self._questioner
        subscriptions = [self._listen(loop, self.on_notice)] if self._listen else []
        if self._listen_for_questions is not None and questioner is not None:
            subscriptions.append(self._listen_for_questions(loop, lambda _: questioner.wake()))
        return subscriptions

    def _send_question(self, question: Question) -> bool:
        return self._link.send(question)

    def _on_answered(self, answered: Answered) -> None:
        if self._questioner is not None:
            self._questioner.on_answered(answered)

    def reparse(self, bundle: str, relative_path: str) -> bool:
        """Parse a file now, changed or not; False if it is not known."""
        key = FileKey(bundle, relative_path)
        if key not in self._files:
            return False
        self._force(key)
        self._pump()
        return True

    def on_notice(self, payload: str) -> None:
        """Take a notice of the topic `parse`: "bundle:path" of a file, or nothing for all files."""
        bundle, _, path = payload.partition(":")
        if path:
            self.reparse(bundle, path)
        else:
            for file in self._files:
                self._force(file.key)
            self._pump()

    # ------------------------------------------------------------------------------------------- first look

    async def _take_up(self) -> None:
        """Compare what was recorded with the files as they are now."""
        recorded = await asyncio.to_thread(self._read_recorded)
        for name in sorted({key.bundle for key in recorded} - set(self._bundles)):
            await self._drop_bundle(name, [key.path for key in recorded if key.bundle == name])
        for bundle in self._bundles.values():
            found, unchanged = await asyncio.to_thread(self._find_unchanged, bundle, recorded)
            for file in unchanged:
                self._files.add(file)
                self._watch_dependencies(file)
            problems = dict(found.problems)
            present = {*found.files, *problems}
            self._recorder.forget(
                bundle.name, [key.path for key in recorded if key.bundle == bundle.name and key.path not in present]
            )
            self._record_problems(bundle, problems)
            self._compare(bundle, found.files)
            await asyncio.to_thread(self._sink.set_bundle, bundle.name, clock.now(), version=bundle.version)

    def _read_recorded(self) -> dict[FileKey, tuple[KnownFile, bool]]:
        failed = {(bundle, path) for bundle, path, _ in self._sink.import_errors()}
        return {
            FileKey(file.bundle_name, file.relative_path): (file, (file.bundle_name, file.relative_path) in failed)
            for file in self._sink.files()
        }

    def _find_unchanged(
        self, bundle: LocalBundle, recorded: dict[FileKey, tuple[KnownFile, bool]]
    ) -> tuple[Found, list[DagFile]]:
        """Return the files of a bundle, and those of them that need not be parsed."""
        found = bundle.find()
        unchanged = []
        for path in found.files:
            known, failed = recorded.get(FileKey(bundle.name, path), (None, True))
            if known is not None and failed:
                self._failed.add(FileKey(bundle.name, path))
            if known is None or failed:  # what a file that failed was missing may have been installed meanwhile
                continue
            file = DagFile(FileKey(bundle.name, path), bundle.root, modules=_modules(known.modules))
            stamp = file.look()
            current = salted(self._salt, source_hash(file.path, bundle.root, file.modules))
            if stamp is not None and current == known.source_hash and not file.looks_outside:
                file.stamp, file.source_hash = stamp, current
                unchanged.append(file)
        return found, unchanged

    async def _drop_bundle(self, name: str, paths: list[str]) -> None:
        self._recorder.forget(name, paths)
        await asyncio.to_thread(self._sink.set_bundle, name, clock.now(), active=False)

    # ---------------------------------------------------------------------------------------------- bundles

    def _record_problems(self, bundle: LocalBundle, problems: dict[str, str]) -> None:
        before = self._troubled.get(bundle.name, {})
        for path, text in problems.items():
            if before.get(path) != text:
                file = wire.FileRef(bundle.name, os.path.join(bundle.root, path), path, "", None, bundle.root)
                self._recorder.add(Parsed(file=file, error=text))
        self._recorder.forget(bundle.name, [path for path in before if path not in problems])
        self._troubled[bundle.name] = problems

    def _compare(self, bundle: LocalBundle, found: Iterable[str]) -> None:
        """Take up new files and changed ones, and drop those that are gone."""
        present = set(found)
        gone = [file.key for file in self._files.of(bundle.name) if file.key.path not in present]
        self._drop(gone)
        for path in present:
            key = FileKey(bundle.name, path)
            file = self._files.get(key)
            if file is None:
                file = DagFile(key, bundle.root, failed=key in self._failed)
                self._files.add(file)
            stamp = file.look()
            if stamp is not None and stamp != file.stamp:
                urgency = Urgency.NEW if self._first_look else Urgency.CHANGED
                self._agenda.add(key, urgency, stamp[0] / 1e9)

    def _drop(self, keys: Sequence[FileKey]) -> None:
        for key in keys:
            self._files.remove(key)
            self._agenda.forget(key)
            self._forced.discard(key)
            self._suspects.discard(key)
        for name in {key.bundle for key in keys}:
            self._recorder.forget(name, [key.path for key in keys if key.bundle == name])

    def _look_through(self, name: str) -> None:
        """Look through a bundle; once more after that, if it was asked for meanwhile."""
        if name in self._looking:
            self._look_again.add(name)
        else:
            self._looking[name] = asyncio.create_task(self._look(self._bundles[name]))

    async def _look(self, bundle: LocalBundle) -> None:
        try:
            while True:
                self._look_again.discard(bundle.name)
                # A small folder is looked through faster than a thread is woken.
                small = sum(1 for _ in self._files.of(bundle.name)) < 500
                found = bundle.find() if small else await asyncio.to_thread(bundle.find)
                self._record_problems(bundle, dict(found.problems))
                self._compare(bundle, found.files)
                self._pump()
                if bundle.name not in self._look_again:
                    return
        finally:
            del self._looking[bundle.name]

    async def _look_now_and_then(self, bundle: LocalBundle) -> None:
        while not await self.stopped_within(max(_SHORTEST, bundle.refresh_interval)):
            self._look_through(bundle.name)

    async def _refresh_what_looks_outside(self) -> None:
        while not await self.stopped_within(self._interval):
            due = clock.monotonic() - self._interval / 2
            for file in self._files:
                if file.looks_outside and file.parsed_at < due:
                    self._forced.add(file.key)
                    self._agenda.add(file.key, Urgency.REFRESH)
            self._pump()

    # ---------------------------------------------------------------------------------------------- changes

    def _on_change(self, paths: set[str]) -> None:
        concerned: set[FileKey] = set()
        for path in paths:
            known = self._files.concerned(path) | self._files.concerned(os.path.realpath(path) + _slash(path))
            concerned |= known
            # What others depend on, a folder that one of them has listed for example, need not be a DAG file yet.
            is_dag_file = any(file.path == path for file in map(self._files.get, known) if file is not None)
            for bundle in self._bundles.values():
                if self._may_add_or_remove(bundle, path, known=is_dag_file):
                    self._look_through(bundle.name)
        for key in concerned:
            file = self._files.get(key)
            if file is not None and os.path.exists(file.path):
                self._agenda.add(key, Urgency.CHANGED)
        self._pump()

    def _may_add_or_remove(self, bundle: LocalBundle, path: str, *, known: bool) -> bool:
        """Return whether a change may have changed which files the bundle has."""
        if path.endswith(os.sep):
            return (bundle.root + os.sep).startswith(path) or path.startswith(bundle.root + os.sep)
        if not path.startswith(bundle.root + os.sep):
            return False
        if os.path.basename(path) == IGNORE_FILE:
            return True
        return path.endswith((".py", ".zip")) and not (known and os.path.exists(path))

    def _watch_dependencies(self, file: DagFile) -> None:
        roots = tuple(bundle.root + os.sep for bundle in self._bundles.values())
        folders = {os.path.dirname(path) for path in file.watched}
        self._watcher.watch_folders(folder for folder in folders if not (folder + os.sep).startswith(roots))

    # ---------------------------------------------------------------------------------------------- parsing

    def _force(self, key: FileKey) -> None:
        """Have a file parsed and recorded, changed or not."""
        file = self._files.get(key)
        if file is not None:
            file.recorded = ""
            self._forced.add(key)
            self._agenda.add(key, Urgency.CHANGED)

    def _pump(self) -> None:
        """Keep the parser busy."""
        # When a parser has died with some files, they are tried one by one, so that the right one is blamed.
        window = 1 if self._suspects else self._window
        while self._agenda.busy < window and (key := self._agenda.take()) is not None:
            file = self._files.get(key)
            stamp = None if file is None else file.look()
            if file is None or stamp is None:
                self._agenda.forget(key)
            elif self._is_as_recorded(file):
                file.stamp = stamp
                self._agenda.done(key)
            else:
                file.stamp = stamp
                if not self._link.send(
                    wire.ParseFile(
                        bundle=key.bundle,
                        bundle_root=file.root,
                        path=file.path,
                        relative_path=key.path,
                        bundle_version=self._bundles[key.bundle].version,
                        failed_before=file.failed,
                    )
                ):
                    self._agenda.put_back(key)
                    return
        self._ready_if_done()

    def _is_as_recorded(self, file: DagFile) -> bool:
        if file.key in self._forced or not file.source_hash:
            return False
        return file.source_hash == salted(self._salt, source_hash(file.path, file.root, file.modules))

    def _on_lost(self) -> None:
        """Give to a new parser what the last one did not answer; not for ever, for a file may be what kills it."""
        if self._questioner is not None:
            self._questioner.on_lost()
        for key in self._agenda.lost():
            file = self._files.get(key)
            if file is None:
                continue
            file.deaths += 1
            self._suspects.add(key)
            if file.deaths >= _DEATHS:
                self._absolve(file)
                self._agenda.forget(key)
                error = f"{file.path}: the parser was killed {_DEATHS} times while it parsed this file"
                hashed = source_hash(file.path, file.root, ())
                died = wire.ParsedFile(bundle=key.bundle, relative_path=key.path, error=error, source_hash=hashed)
                self._outcome(file, died)
        self._pump()

    def _absolve(self, file: DagFile) -> None:
        file.deaths = 0
        self._suspects.discard(file.key)

    def _on_parsed(self, parsed: wire.ParsedFile) -> None:
        key = FileKey(parsed.bundle, parsed.relative_path)
        file = self._files.get(key)
        if self._listening is not None:
            self._listening.learn(parsed.listens)
        if self._agenda.done(key) and file is not None:
            self._absolve(file)
            self._outcome(file, parsed)
        self._pump()

    def _outcome(self, file: DagFile, parsed: wire.ParsedFile) -> None:
        if parsed.error and not parsed.modules and file.modules:
            # Its process could not say any more what it depends on; what it depended on before is a good guess.
            hashed = source_hash(file.path, file.root, file.modules)
            parsed = msgspec.structs.replace(parsed, modules=list(file.modules), source_hash=hashed)
        file.failed = parsed.error is not None
        file.source_hash = salted(self._salt, parsed.source_hash)
        file.parsed_at = clock.monotonic()
        self._files.depends(file, parsed.modules)
        self._watch_dependencies(file)
        self._forced.discard(file.key)
        digest = _digest(parsed, file.source_hash)
        if digest == file.recorded:
            return
        file.recorded = digest
        ref = wire.FileRef(
            bundle=file.key.bundle,
            path=file.path,
            relative_path=file.key.path,
            source_hash=file.source_hash,
            bundle_version=self._bundles[file.key.bundle].version,
            bundle_root=file.root,
        )
        self._recorder.add(
            Parsed(
                file=ref,
                dags=parsed.dags,
                error=parsed.error,
                warnings=parsed.warnings,
                modules=parsed.modules,
                mtime=file.stamp[0] / 1e9,
                size=file.stamp[1],
                seconds=parsed.seconds,
            )
        )

    # -------------------------------------------------------------------------------------------- recording

    def _on_rivals(self, rivals: Iterable[tuple[str, str]]) -> None:
        """Parse files again that define a DAG whose id was taken until now."""
        for bundle, path in rivals:
            self._force(FileKey(bundle, path))
        self._pump()

    def _on_recorded(self) -> None:
        self._ready_if_done()

    def _ready_if_done(self) -> None:
        if not self._first_look and not self._agenda and not self._recorder.pending:
            self.ready()


def _slash(path: str) -> str:
    return os.sep if path.endswith(os.sep) else ""


def _modules(text: str) -> tuple[str, ...]:
    try:
        return tuple(msgspec.json.decode(text, type=list[str]))
    except msgspec.MsgspecError:
        return ()


def _digest(parsed: wire.ParsedFile, hash_of_sources: str) -> str:
    """Return a hash of all of an outcome but how long it took."""
    settled = msgspec.structs.replace(parsed, seconds=0.0, source_hash=hash_of_sources)
    return hashlib.sha256(wire.encode(settled)).hexdigest()
