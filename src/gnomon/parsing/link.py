"""The dag-processor's end of the parser: starts it, starts it again when it dies, sends files, takes outcomes."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Callable

from gnomon.parsing.start_parser import StartedParser, start_parser
from gnomon.wire import execution as wire
from gnomon.wire import framing, questions

log = logging.getLogger(__name__)

_RESTART_SECONDS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
#: A parser that was asked to go, by the end of its connection, may take this long.
_FAREWELL_SECONDS = 2.0
_decode = wire.decoder(questions.FromParser).decode

Ask = Callable[[wire.Request], wire.Reply]


class ParserLink:
    """Keeps one parser process running.

    Args:
        on_parsed: called with each outcome, in the event loop.
        on_lost: called when the parser has died: whatever it was sent and has not answered is lost.
        ask: answers what user code asks while it is parsed; called in a thread.
        on_answered: called with each answer to a question, in the event loop.
        python: the interpreter of user code, unless the environment names it.
        started: a parser that runs already, the first one.
    """

    def __init__(
        self,
        on_parsed: Callable[[wire.ParsedFile], None],
        on_lost: Callable[[], None],
        ask: Ask,
        *,
        on_answered: Callable[[questions.Answered], None] = lambda answered: None,
        python: str | None = None,
        started: StartedParser | None = None,
    ) -> None:
        self._on_parsed = on_parsed
        self._on_lost = on_lost
        self._ask = ask
        self._on_answered = on_answered
        self._python = python
        self._started = started
        self._process: subprocess.Popen[bytes] | None = None if started is None else started.process
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._failures = 0

    @property
    def pid(self) -> int | None:
        """The parser's process id; None while there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the parser, and keep it running until `stop`."""
        self._task = asyncio.create_task(self._keep_running(), name="parser link")

    def send(self, file: wire.ParseFile | questions.Question) -> bool:
        """Have a file parsed or a question answered; False if there is no parser at the moment."""
        if self._writer is None or self._writer.is_closing():
            return False
        self._writer.write(framing.pack(wire.encode(file)))
        return True

    async def stop(self) -> None:
        """End the parser."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._bury()

    async def _keep_running(self) -> None:
        while True:
            try:
                reader = await self._spawn()
                await self._read(reader)
            except OSError as error:
                log.error("the parser did not start: %s", error)
            status = await self._bury()
            delay = _RESTART_SECONDS[min(self._failures, len(_RESTART_SECONDS) - 1)]
            self._failures += 1
            log.warning("the parser ended (status %s); it is started again", status)
            await asyncio.sleep(delay)

    async def _spawn(self) -> asyncio.StreamReader:
        started, self._started = self._started, None
        if started is None:
            starting = asyncio.create_task(asyncio.to_thread(start_parser, self._python))
            try:
                started = await asyncio.shield(starting)
            except asyncio.CancelledError:
                started = await starting
                self._process = started.process  # so that `stop` finds it
                started.sock.close()
                raise
        self._process = started.process
        reader, self._writer = await asyncio.open_connection(sock=started.sock, limit=1 << 20)
        self._on_lost()  # now there is somebody to send to, who knows of nothing yet
        return reader

    async def _read(self, reader: asyncio.StreamReader) -> None:
        splitter = framing.Splitter()
        while True:
            try:
                data = await reader.read(1 << 20)
            except ConnectionError:
                return
            if not data:
                return
            for payload in splitter.feed(data):
                await self._take(_decode(payload))

    async def _take(self, message: wire.ParsedFile | wire.Ask | wire.Tell | questions.Answered) -> None:
        if isinstance(message, wire.ParsedFile):
            self._failures = 0
            self._on_parsed(message)
            return
        if isinstance(message, questions.Answered):
            self._on_answered(message)
            return
        # One after the other: the parser gives replies to those who asked in the order in which they asked.
        reply = await asyncio.to_thread(self._answer, message.body)
        if isinstance(message, wire.Ask) and self._writer is not None:
            self._writer.write(framing.pack(wire.encode(reply)))

    def _answer(self, request: wire.Request) -> wire.Reply:
        try:
            return self._ask(request)
        except Exception:
            log.exception("a request of a DAG file could not be answered")
            return wire.Problem("unavailable", "the dag-processor could not answer; its log says why")

    async def _bury(self) -> int | None:
        """Close the connection, which ends the parser, and see it gone; return how it ended."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        process = self._process
        if process is None:
            return None
        try:
            return await asyncio.to_thread(process.wait, _FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return await asyncio.to_thread(process.wait)
        finally:
            if process.returncode is not None:  # else this was cancelled, and `stop` sees to it
                self._process = None
