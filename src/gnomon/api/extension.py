"""What routes of provider packages and plugins are made of: a router, and the base of their models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel as _BaseModel
from pydantic import ConfigDict


class AirflowRouter(APIRouter):
    """A router whose operations are called like their functions."""

    def api_route(self, path: str, *, operation_id: str | None = None, **kwargs: Any) -> Callable[[Any], Any]:
        """Return a decorator that adds a route."""

        def add(function: Any) -> Any:
            self.add_api_route(path, function, operation_id=operation_id or function.__name__, **kwargs)
            return function

        return add


class BaseModel(_BaseModel):
    """A model that reads attributes of objects too."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)


class StrictBaseModel(BaseModel):
    """A model that takes no other fields than its own."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True, extra="forbid")


class HTTPExceptionResponse(BaseModel):
    """What an error answers."""

    detail: str | dict[str, Any]


def create_openapi_http_exception_doc(
    responses_status_code: Sequence[int | tuple[int, str]],
) -> dict[int | str, dict[str, Any]]:
    """Return the errors of an operation for its description, each a status or (status, what it means)."""
    described = [(one, None) if isinstance(one, int) else one for one in responses_status_code]
    return {
        status: {"model": HTTPExceptionResponse, **({} if text is None else {"description": text})}
        for status, text in sorted(described, key=lambda entry: entry[0])
    }
