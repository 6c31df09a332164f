"""HTTP servers in this process: an API to ask, and the base of stand-ins for what is outside this machine."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Api(ThreadingHTTPServer):
    """A server that answers with what `answer` returns, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port: int = self.server_address[1]
        #: method and path of each request, with its decoded body
        self.requests: list[tuple[str, str, Any]] = []
        self.headers: dict[str, str] = {}
        self._lock = threading.Lock()

    def handle_one(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Remember a request and return the status and the body of its answer."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            content = json.loads(body) if body else None
        except ValueError:
            content = body.decode()
        with self._lock:
            self.requests.append((method, parts.path, content))
            self.headers = headers
            return self.answer(method, parts.path, query, content)

    def answer(self, method: str, path: str, query: dict[str, str], content: Any) -> tuple[int, Any]:
        """Return the status and the JSON of an answer."""
        raise NotImplementedError

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: triggers end when their task times out."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def asked(self, path: str) -> list[Any]:
        """Return the bodies of the requests for a path."""
        return [content for _, asked, content in self.requests if asked == path]


class Stations(Api):
    """Three pages of stations; things that are there only when they were asked for three times; errors."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[str] = Counter()

    def answer(self, method: str, path: str, query: dict[str, str], content: Any) -> tuple[int, Any]:
        self._counts[path] += 1
        if path == "/stations":
            page = int(query.get("page", 1))
            names = ["Altona", "Dammtor", "Harburg"][page - 1]
            return 200, {"names": [names], "next": page + 1 if page < 3 else None}
        if path.startswith("/later/"):
            return (200, {"ready": True}) if self._counts[path] >= 3 else (404, {"detail": "not yet"})
        if path.startswith("/flaky/"):
            return (200, {"ready": True}) if self._counts[path] >= 2 else (503, {"detail": "busy"})
        if path == "/echo":
            return 200, {"method": method, "content": content, "query": query, "by": self.headers.get("authorization")}
        return 404, {"detail": "there is no such thing"}


@contextlib.contextmanager
def running(api: Api) -> Iterator[Api]:
    """Serve in a thread until the block ends."""
    thread = threading.Thread(target=api.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.shutdown()
        api.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, content = self.server.handle_one(self.command, self.path, headers, body)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _respond

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test's output is about the test."""
