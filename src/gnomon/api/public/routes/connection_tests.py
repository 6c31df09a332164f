"""Tests of connections: at once, or by a token for later."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import Header, HTTPException

from gnomon.api import connection_testing
from gnomon.api.auth.roles import CONNECTIONS as ACCESS
from gnomon.api.context import Ctx, router
from gnomon.api.public import params
from gnomon.api.public.errors import not_found
from gnomon.api.public.models import admin as models
from gnomon.api.public.models.base import changed
from gnomon.api.public.routes.connections import changes_of, new_record
from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.service.inspection import InspectionError
from gnomon.service.masking import MASK
from gnomon.store.records import Connection

tests = router("Connection", ACCESS, "/connections")


@tests.post("/test")
def test_connection(ctx: Ctx, body: models.ConnectionBody) -> models.ConnectionTest:
    """Let the hook of a connection's type test it, in a process of user code; nothing is stored.

    What the body leaves out is taken from the connection that tasks would get under this id.
    """
    _check_enabled()
    try:
        present = connection_testing.stored(ctx.store, body.connection_id)
    except InspectionError as error:
        return models.ConnectionTest(status=False, message=str(error))
    status, message = connection_testing.test(_completed(present, body))
    return models.ConnectionTest(status=status, message=message)


@tests.post("/enqueue-test", status_code=202)
def enqueue_connection_test(ctx: Ctx, body: models.ConnectionTestRequest) -> models.ConnectionTestQueued:
    """Begin a test of a connection as the body has it, and answer with the token by which to ask for the result."""
    _check_enabled()
    _check_executor(body.executor)
    present = ctx.store.connections.get(body.connection_id)
    tested = new_record(body)
    was_shown = body.password == MASK or MASK in (body.extra or "")
    if present is not None and was_shown and _goes_to(present, body):
        changes = changes_of(present, body, None)
        kept = present.password if body.password == MASK else body.password
        tested = msgspec.structs.replace(tested, password=kept, extra=changes.get("extra", tested.extra))
    token = ctx.tester.begin(tested, commit=body.commit_on_success)
    return models.ConnectionTestQueued(token=token, connection_id=body.connection_id, state="pending")


@tests.get("/enqueue-test")
def get_connection_test(
    ctx: Ctx, token: Annotated[str, Header(alias="Airflow-Connection-Test-Token")]
) -> models.AsyncConnectionTest:
    """Say how a test stands."""
    found = ctx.store.connection_tests.get(token, clock.now())
    if found is None:
        raise not_found("No connection test found for this token")
    return models.AsyncConnectionTest.model_validate(found)


def _check_enabled() -> None:
    setting = str(conf.get("core", "test_connection", fallback="Disabled"))
    if setting.lower().strip() != "enabled":
        raise HTTPException(
            403,
            "Testing connections is disabled in Airflow configuration."
            " Contact your deployment admin to enable it ([core] test_connection).",
        )


def _check_executor(name: str | None) -> None:
    configured = [one.strip() for one in str(conf.get("core", "executor", fallback="LocalExecutor")).split(",")]
    known = {part for one in configured for part in (one, one.rpartition(":")[2], one.rpartition(".")[2])}
    known |= {one.partition(":")[0] for one in configured}
    if name is not None and name not in known:
        raise params.invalid("body", "executor", f"is not configured; configured are {', '.join(configured)}", name)


def _completed(present: Connection | None, body: models.ConnectionBody) -> Connection:
    """Return what is to be tested: the body, and for what it leaves out the connection that is stored."""
    if present is None or not _goes_to(present, body):
        return new_record(body)
    return msgspec.structs.replace(present, **changes_of(present, body, None))


def _goes_to(present: Connection, body: models.ConnectionBody) -> bool:
    """Say whether a test goes to the place of the stored connection: only there go stored secrets, whoever asks.

    Raises:
        HTTPException: 400, it goes elsewhere without a password of its own.
    """
    sent = changed(body, None)
    places = ("host", "port")
    if all(name not in sent or (getattr(body, name) or None) == (getattr(present, name) or None) for name in places):
        return True
    if body.password in (None, "", MASK):
        raise HTTPException(
            400,
            "The host or port to test differs from the stored connection."
            " Include the credentials to test in the request body.",
        )
    return False
