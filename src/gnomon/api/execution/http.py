"""The execution protocol over HTTP, for workers on other machines: POST /execution/v1.

The body is one frame of MessagePack, and so is the answer. The bearer token names one piece of execution and says
nothing else, so a worker can only ask in the name of what it was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gnomon.api.auth.tokens import BadToken, Tokens
from gnomon.wire import execution as wire
from gnomon.wire.framing import MAX_FRAME, FrameError, Splitter, pack

if TYPE_CHECKING:
    from gnomon.api.execution.handlers import Handlers
    from gnomon.store.engine import Store

PATH = "/execution/v1"
MEDIA_TYPE = "application/msgpack"
#: Larger than any XCom should be; a body is held in memory whole.
_MAX_BODY = min(MAX_FRAME, 256 << 20)

_decode = wire.decoder(wire.Request).decode


def route(store: Store, tokens: Tokens, handlers: Handlers | None = None) -> Route:
    """Return the route that answers remote workers; the handlers are made when the first one asks, unless given."""

    async def execution(request: Request) -> Response:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            key = tokens.try_key(token if kind.lower() == "bearer" else "")
        except BadToken:
            return _reply(wire.Problem("forbidden", "the token is missing, has expired or is for something else"), 401)
        if int(request.headers.get("content-length") or 0) > _MAX_BODY:
            return _reply(wire.Problem("invalid", f"a request may have at most {_MAX_BODY} bytes"), 413)
        try:
            message = _read(await request.body())
        except (FrameError, msgspec.DecodeError) as error:
            return _reply(
                wire.Problem("invalid", f"the body is not a request of protocol {wire.PROTOCOL}: {error}"), 400
            )
        return _reply(await run_in_threadpool(answers().handle, key, message))

    def answers() -> Handlers:
        nonlocal handlers
        if handlers is None:
            from gnomon.api.execution.handlers import Handlers

            handlers = Handlers(store)
        return handlers

    return Route(PATH, execution, methods=["POST"])


def _read(body: bytes) -> wire.Request:
    frames = list(Splitter().feed(body))
    if len(frames) != 1:
        raise FrameError(f"{len(frames)} frames instead of one")
    message: wire.Request = _decode(frames[0])
    return message


def _reply(reply: wire.Reply, status: int = 200) -> Response:
    return Response(pack(wire.encode(reply)), status, media_type=MEDIA_TYPE)
