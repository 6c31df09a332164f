"""Passes requests for the web applications of plugins on to the process that runs them.

An application of a plugin is user code, so it never runs in the api-server. Its process is started with the first
request for it, and anew when a plugin has changed. It learns who asks from two headers, and never sees their login.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import httpx
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gnomon.api.context import COOKIE, Context
from gnomon.service.environment import for_user_code, user_python
from gnomon.service.home import runtime_dir
from gnomon.service.inspection import InspectionError, Remembered

log = logging.getLogger(__name__)

#: Paths that no plugin gets.
_OURS = ("/api/", "/auth/", "/ui/", "/execution/", "/openapi.json", "/docs")
_NOT_PASSED_ON = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_USER, _ROLE = b"x-gnomon-user", b"x-gnomon-role"
_START_SECONDS = 30.0
_END_SECONDS = 5.0


class PluginApps:
    """Middleware around the api-server's own application."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context
        self._facts = Remembered()
        self._host = Host()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["path"].startswith(_OURS):
            await self._app(scope, receive, send)
            return
        try:
            facts = await asyncio.to_thread(self._facts.ask, "plugins")
        except InspectionError as error:
            log.warning("plugins cannot be looked at: %s", error)
            facts = {"plugins": []}
        path = scope["path"]
        prefixes = _prefixes(facts)
        if not any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes):
            await self._app(scope, receive, send)
            return
        await self._pass_on(scope, receive, send, facts)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, facts: Any) -> None:
        has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        headers = await asyncio.to_thread(_headers, self._context, Request(scope))
        try:
            try:
                response = await self._ask(scope, headers, _body(receive) if has_body else None, facts)
            except httpx.TransportError:
                if has_body:
                    raise  # a part of it may be gone
                response = await self._ask(scope, headers, None, facts)  # its process has just ended
        except (httpx.HTTPError, OSError) as error:
            log.warning("the process of plugins' applications does not answer: %r", error)
            await _refuse(send, "The application of the plugin does not answer; the api-server's log says more")
            return
        try:
            kept = [(name, value) for name, value in response.headers.raw if name.lower() not in _NOT_PASSED_ON]
            await send({"type": "http.response.start", "status": response.status_code, "headers": kept})
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()

    async def _ask(
        self, scope: Scope, headers: list[tuple[bytes, bytes]], body: AsyncIterator[bytes] | None, facts: Any
    ) -> httpx.Response:
        raw_path = scope.get("raw_path") or scope["path"].encode()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        client = await self._host.client(facts)
        url = httpx.URL("http://plugins", raw_path=raw_path + query)
        request = client.build_request(scope["method"], url, headers=headers, content=body)
        try:
            return await client.send(request, stream=True)
        except httpx.TransportError:
            await self._host.end(client)
            raise


class Host:
    """The process that runs the applications, and the connections to it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.AsyncClient | None = None
        #: the plugins that it was started for
        self._facts: Any = None

    async def client(self, facts: Any) -> httpx.AsyncClient:
        """Return connections to a process that has the plugins as they are now."""
        async with self._lock:
            alive = self._process is not None and self._process.poll() is None
            if not alive or self._facts is not facts or self._client is None:
                await self._end()
                self._client = await asyncio.to_thread(self._start)
                self._facts = facts
            return self._client

    async def end(self, client: httpx.AsyncClient) -> None:
        """End the process of these connections, which does not answer."""
        async with self._lock:
            if self._client is client:
                await self._end()

    def _start(self) -> httpx.AsyncClient:
        address = str(runtime_dir() / f"plugins-{os.getpid()}.sock")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(address)
            listener.listen(64)  # requests wait here until it has started
            self._process = subprocess.Popen(
                [user_python(), "-P", "-m", "gnomon.parsing.plugin_host", str(listener.fileno())],
                env=for_user_code(os.environ),
                pass_fds=(listener.fileno(),),
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        return httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=address), timeout=httpx.Timeout(None, connect=_START_SECONDS)
        )

    async def _end(self) -> None:
        if self._client is not None:
            await self._client.aclose()
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                await asyncio.to_thread(self._process.wait, _END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                await asyncio.to_thread(self._process.wait)
        self._client = self._process = None


def _prefixes(facts: Any) -> list[str]:
    found = [entry.get("url_prefix") for plugin in facts["plugins"] for entry in plugin["fastapi_apps"]]
    return ["/" + str(prefix).strip("/") for prefix in found if prefix and str(prefix).strip("/")]


def _headers(context: Context, request: Request) -> list[tuple[bytes, bytes]]:
    """Return the headers for the application: who asks, but not the login with which they do."""
    kept = [(name, value) for name, value in request.headers.raw if name not in (*_NOT_PASSED_ON, _USER, _ROLE)]
    try:
        user = context.user_of(request)
    except Exception:
        return kept  # nobody that is known; what they sent is for the application to judge
    kept = [(name, value) for name, value in kept if name not in (b"authorization", b"cookie")]
    cookies = [f"{name}={value}" for name, value in request.cookies.items() if name != COOKIE]
    if cookies:
        kept.append((b"cookie", "; ".join(cookies).encode("latin-1")))
    return [*kept, (_USER, user.name.encode()), (_ROLE, user.role.name.lower().encode())]


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def _refuse(send: Send, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 502, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
