"""What goes wrong, as HTTP says it: always {"detail": …}, never a stack trace."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from gnomon.api.refusals import AnswerPending, TriggerRefused
from gnomon.model.backfills import BackfillRefused
from gnomon.service.config import ConfigError
from gnomon.store import errors
from gnomon.store.reads.listing import BadQuery

#: The first class that fits counts.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (errors.NotFound, 404),
    (errors.AlreadyExists, 409),
    (errors.Conflict, 409),
    (errors.Invalid, 400),
    (errors.Unavailable, 503),
    (errors.SchemaError, 503),
    (errors.StoreError, 500),
    (TriggerRefused, 400),
    (AnswerPending, 503),
    (BackfillRefused, 422),
    (BadQuery, 400),
    (ConfigError, 500),
)


def not_found(what: str) -> HTTPException:
    """Return the answer for something that is not there."""
    return HTTPException(404, what)


def add_handlers(app: FastAPI) -> None:
    """Let the app answer known errors by their kind, and unknown ones without their insides."""
    for kind, status in _STATUS:
        app.add_exception_handler(kind, _answer(status))
    app.add_exception_handler(RequestValidationError, _unprocessable)
    app.add_exception_handler(Exception, _unknown)


def _answer(status: int) -> Any:
    async def handler(request: Request, error: Exception) -> JSONResponse:
        if status >= 500:
            _log().error("request failed", path=request.url.path, error=str(error))
        return JSONResponse({"detail": str(error)}, status)

    return handler


async def _unprocessable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # `ctx` may hold exception objects, and NaN is no JSON: what cannot be encoded is left out.
    details = [{key: item[key] for key in ("type", "loc", "msg", "input") if key in item} for item in error.errors()]
    try:
        return JSONResponse({"detail": jsonable_encoder(details)}, 422)
    except ValueError:
        return JSONResponse({"detail": [{**item, "input": None} for item in jsonable_encoder(details)]}, 422)


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    _log().error("request failed", path=request.url.path, exc_info=error)
    return JSONResponse({"detail": "Internal server error; the log of the api-server says more"}, 500)


def _log() -> Any:
    import structlog  # takes as long to import as all of our own code

    return structlog.get_logger("gnomon.api")
