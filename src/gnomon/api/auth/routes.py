"""Logging in: /auth/token and what goes with it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool

from gnomon.api.auth import users
from gnomon.api.auth.roles import ANONYMOUS, User
from gnomon.api.auth.tokens import Tokens, secret
from gnomon.api.context import COOKIE, Context, context
from gnomon.service import clock
from gnomon.service.config import conf

login = APIRouter(prefix="/auth", tags=["SimpleAuthManagerLogin"])
logins = APIRouter(prefix="/api/v2/auth", tags=["Login"])


class LoginBody(BaseModel):
    """Who wants to log in."""

    model_config = ConfigDict(extra="forbid")
    username: str
    password: str


class LoginResponse(BaseModel):
    """A token to send as `Authorization: Bearer …`."""

    access_token: str


@login.post("/token", status_code=201)
async def create_token(request: Request) -> LoginResponse:
    """Return a token for a name and a password, given as JSON or as a form."""
    return await _logged_in(request, None)


@login.post("/token/cli", status_code=201)
async def create_token_cli(request: Request) -> LoginResponse:
    """Return a token for the command line, which lasts for a shorter time."""
    return await _logged_in(request, conf.getint("api_auth", "jwt_cli_expiration_time", fallback=3600))


@login.get("/token", status_code=201)
def create_token_all_admins(request: Request) -> LoginResponse:
    """Return a token without a password where everybody is an administrator."""
    if not users.everybody_is_admin():
        raise HTTPException(403, "This method is only allowed if ``[core] simple_auth_manager_all_admins`` is True")
    return LoginResponse(access_token=_token(request, ANONYMOUS, None))


@login.get("/token/login", status_code=307)
def login_all_admins(request: Request, to: Annotated[str, Query(alias="next")] = "/") -> RedirectResponse:
    """Log in without a password where everybody is an administrator, and go on."""
    token = create_token_all_admins(request).access_token
    response = RedirectResponse(to if is_local(to) else "/", 307)
    response.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return response


@logins.get("/login", status_code=307, operation_id="login")
def redirect_to_login(to: Annotated[str, Query(alias="next")] = "/") -> RedirectResponse:
    """Send the browser to where it can log in."""
    page = "/auth/token/login" if users.everybody_is_admin() else "/auth/login"
    return RedirectResponse(f"{page}?{urlencode({'next': to if is_local(to) else '/'})}", 307)


@logins.get("/logout", status_code=307)
def logout() -> Response:
    """Forget the browser's token."""
    response = RedirectResponse("/", 307)
    response.delete_cookie(COOKIE)
    return response


def is_local(target: str) -> bool:
    """Say whether a redirect stays on this server; browsers read "//" and a backslash as another one."""
    return target.startswith("/") and not target.startswith(("//", "/\\")) and "\\" not in target[:3]


async def _logged_in(request: Request, seconds: int | None) -> LoginResponse:
    if users.everybody_is_admin():
        return LoginResponse(access_token=_token(request, ANONYMOUS, seconds))
    body = await _body(request)
    if not body.username or not body.password:
        raise HTTPException(400, "Username and password must be provided")
    user = await run_in_threadpool(users.authenticate, body.username, body.password)
    if user is None:
        raise HTTPException(401, "Invalid credentials")
    return LoginResponse(access_token=_token(request, user, seconds))


async def _body(request: Request) -> LoginBody:
    raw: bytes | dict[str, Any] = await request.body()
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    try:
        if form:
            return LoginBody.model_validate({k: v[-1] for k, v in parse_qs(raw.decode(errors="replace")).items()})  # type: ignore[union-attr]
        return LoginBody.model_validate_json(raw or b"{}")  # type: ignore[arg-type]
    except ValidationError as error:
        # What was sent holds a password, so the answer does not repeat it.
        raise RequestValidationError(error.errors(include_input=False, include_url=False)) from None


def _token(request: Request, user: User, seconds: int | None) -> str:
    shared: Context = context(request)
    tokens = shared.tokens or Tokens(secret())
    return tokens.for_user(user, clock.now(), seconds)
