"""What the form of each connection type looks like, for the web UI."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException

from gnomon.api.auth.roles import CONNECTIONS as ACCESS
from gnomon.api.context import router
from gnomon.service.inspection import InspectionError, Remembered
from gnomon.service.masking import MASK, masker

forms = router("Connection", ACCESS, "/connections")
_user_side = Remembered()
#: name in the response → field of a connection
_STANDARD = {
    "description": "description",
    "url_schema": "schema",
    "host": "host",
    "port": "port",
    "login": "login",
    "password": "password",
}


@forms.get("/hook_meta")
def hook_meta_data() -> list[dict[str, Any]]:
    """Return the connection types that installed providers know, and their forms."""
    try:
        found = _user_side.ask("hook-forms")
    except InspectionError as error:
        raise HTTPException(503, str(error)) from None
    return [
        {
            "connection_type": one["connection_type"],
            "hook_class_name": one["hook_class_name"],
            "default_conn_name": None,
            "hook_name": one["hook_name"],
            "standard_fields": _standard(one["behaviour"]),
            "extra_fields": _without_secrets(one["extra_fields"]),
        }
        for one in found
    ]


def _standard(behaviour: dict[str, Any] | None) -> dict[str, Any] | None:
    if not behaviour:
        return None
    found: dict[str, Any] = {}
    for name, field in _STANDARD.items():
        about = {
            "hidden": field in behaviour.get("hidden_fields", ()),
            "title": behaviour.get("relabeling", {}).get(field),
            "placeholder": behaviour.get("placeholders", {}).get(field),
        }
        found[name] = about if any(about.values()) else None
    return found


def _without_secrets(fields: dict[str, Any] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    return {
        name: {**about, "value": MASK} if about.get("value") is not None and masker.is_sensitive(name) else about
        for name, about in fields.items()
    }
