"""What a route gets: the store, the user, the versions read before."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from gnomon.api.auth import users
from gnomon.api.auth.roles import ANONYMOUS, Access, User
from gnomon.api.auth.tokens import BadToken, Tokens, secret
from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.service.masking import MASK, masker
from gnomon.store.engine import Store
from gnomon.store.reads.versions import VersionCache

if TYPE_CHECKING:
    from gnomon.api.connection_testing import Tester
    from gnomon.api.run_watch import RunWatch

COOKIE = "_token"
#: Fields of bodies whose values the audit log never shows.
_SECRET_FIELDS = frozenset({"value", "password", "extra"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Context:
    """What the routes of one server share.

    Args:
        store: the database.
        tokens: None where nobody logs in.
    """

    def __init__(self, store: Store, tokens: Tokens | None) -> None:
        self.store = store
        self.tokens = tokens
        self.versions = VersionCache()
        self._key: str | None = None

    @property
    def signing_key(self) -> str:
        """The key of tokens that are no logins: [api] secret_key, or else that of the logins."""
        if self._key is None:
            self._key = str(conf.get("api", "secret_key", fallback=None) or secret())
        return self._key

    @cached_property
    def run_watch(self) -> RunWatch:
        """Hears at once that a run has moved."""
        from gnomon.api.run_watch import RunWatch

        return RunWatch(self.store.notifier)

    @cached_property
    def tester(self) -> Tester:
        """Tests connections besides everything else."""
        from gnomon.api.connection_testing import Tester

        return Tester(self.store)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection for reading."""
        with self.store.database.read() as conn:
            yield conn

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Yield a connection whose reads all see the same moment."""
        with self.store.database.snapshot() as conn:
            yield conn

    def user_of(self, request: Request) -> User:
        """Return who sent a request.

        Raises:
            HTTPException: 401, there is no valid token.
        """
        if self.tokens is None or users.everybody_is_admin():
            return ANONYMOUS
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            token = request.cookies.get(COOKIE, "")
        try:
            return self.tokens.user(token)
        except BadToken:
            raise HTTPException(
                401, "Not authenticated: log in at /auth/token", {"WWW-Authenticate": "Bearer"}
            ) from None


def context(request: Request) -> Context:
    """Return the context of the server that a request came to."""
    found: Context = request.app.state.context
    return found


def current_user(request: Request) -> User:
    """Return who sent the request; the router has checked it."""
    found: User = request.state.user
    return found


Ctx = Annotated[Context, Depends(context)]
CurrentUser = Annotated[User, Depends(current_user)]


def router(tag: str, access: Access | None, prefix: str = "") -> APIRouter:
    """Return a router whose routes ask for the roles of `access`, and whose changes are in the audit log."""
    checks = [] if access is None else [Depends(_requires(access)), Depends(_audited)]
    return APIRouter(tags=[tag], prefix=prefix, dependencies=checks)


def _requires(access: Access) -> Callable[[Request], Coroutine[Any, Any, None]]:
    async def check(request: Request) -> None:
        user = context(request).user_of(request)
        write = request.method not in _READING and not request.url.path.endswith("/list")
        if not user.may(access, write=write):
            needed = (access.write if write else access.read).name.lower()
            raise HTTPException(403, f"Forbidden: user {user.name!r} needs the role {needed}")
        request.state.user = user

    return check


async def _audited(request: Request) -> None:
    if request.method in _READING or request.url.path.endswith("/list"):
        return
    path = request.path_params
    body = await request.body()
    event = request.scope["route"].name
    ids: dict[str, Any] = {
        "dag_id": path.get("dag_id"),
        "run_id": path.get("dag_run_id"),
        "task_id": path.get("task_id"),
        "map_index": path.get("map_index"),
    }
    store, owner = context(request).store, request.state.user.name
    extra = json.dumps(_without_secrets({**path, **dict(request.query_params), "body": body}))
    await run_in_threadpool(store.events.record, event, clock.now(), owner=owner, extra=extra, **_stored(ids))


def _stored(ids: dict[str, Any]) -> dict[str, Any]:
    index = ids["map_index"]
    ids["map_index"] = int(index) if isinstance(index, str) and index.lstrip("-").isdigit() else None
    return {name: value[:250] if isinstance(value, str) else value for name, value in ids.items()}


def _without_secrets(asked: dict[str, Any]) -> Any:
    try:
        asked["body"] = _hidden(json.loads(asked["body"] or b"null"))
    except (ValueError, RecursionError):
        asked["body"] = None
    if asked["body"] is None:
        del asked["body"]
    return masker.redact(asked)


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: MASK if key in _SECRET_FIELDS and item else _hidden(item) for key, item in value.items()}
    return [_hidden(item) for item in value] if isinstance(value, list) else value
