"""Variable: settings of a project, by key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gnomon.sdk.exceptions import AirflowException, AirflowRuntimeError
from gnomon.sdk.types import NOTSET


class VariableNotFound(AirflowRuntimeError, KeyError):
    """There is no such variable, and no default was given."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"Variable {key} does not exist")

    def __str__(self) -> str:
        return f"Variable {self.key} does not exist"


class Variable:
    """A variable; the methods work on those that are stored.

    Args:
        key: its key.
        val: its value.
        description: what it is for.
    """

    def __init__(self, key: str | None = None, val: Any = None, description: str | None = None, **kwargs: Any) -> None:
        self.key = key
        self.val = kwargs.get("value", val)
        self.description = description

    @property
    def value(self) -> Any:
        """The value."""
        return self.val

    def get_val(self) -> Any:
        """Return the value."""
        return self.val

    def __repr__(self) -> str:
        return f"<Variable {self.key}>"

    @classmethod
    def get(cls, key: str, default: Any = NOTSET, deserialize_json: bool = False, *, default_var: Any = NOTSET) -> Any:
        """Return a variable: from a custom backend, the environment, or the control side.

        Args:
            key: its key.
            default: what to return if there is none; it is not deserialized.
            deserialize_json: read its value as JSON.
            default_var: Airflow 2's name of `default`.

        Raises:
            KeyError: there is none, and no default.
            ValueError: its value is no JSON.
        """
        from gnomon.sdk.log import mask_secret
        from gnomon.sdk.secrets import look_up

        if default is NOTSET:
            default = default_var
        raw = look_up(f"variable {key!r}", lambda backend: backend.get_variable(key))
        if raw is None:
            raw = _ask_control_side(key)
        if raw is None:
            if default is NOTSET:
                raise VariableNotFound(key)
            mask_secret(default, name=key)
            return default
        mask_secret(raw, name=key)
        if not deserialize_json:
            return raw
        try:
            value = json.loads(raw)
        except ValueError as error:
            raise ValueError(f"variable {key!r} is not JSON: {error}") from None
        mask_secret(value, name=None if isinstance(value, dict) else key)
        return value

    @classmethod
    def set(
        cls,
        key: str,
        value: Any,
        description: str | None = None,
        serialize_json: bool = False,
        **_: Any,
    ) -> None:
        """Store a variable.

        Args:
            key: its key.
            value: its value.
            description: what it is for.
            serialize_json: store it as JSON.
        """
        from gnomon.wire.execution import PutVariable

        text = json.dumps(value, indent=2) if serialize_json else str(value)
        _tell_control_side(PutVariable(key=key, value=text, description=description), f"set variable {key!r}")

    @classmethod
    def delete(cls, key: str, **_: Any) -> None:
        """Remove a variable."""
        from gnomon.wire.execution import DeleteVariable

        _tell_control_side(DeleteVariable(key), f"delete variable {key!r}")

    @classmethod
    def update(cls, key: str, value: Any, serialize_json: bool = False, **_: Any) -> None:
        """Give a variable that exists another value.

        Raises:
            KeyError: there is none.
        """
        if _ask_control_side(key) is None:
            raise VariableNotFound(key)
        cls.set(key, value, serialize_json=serialize_json)

    @classmethod
    def setdefault(cls, key: str, default: Any, description: str | None = None, deserialize_json: bool = False) -> Any:
        """Return a variable; if there is none, store `default` and return that.

        Raises:
            ValueError: default is None.
        """
        found = cls.get(key, default=None, deserialize_json=deserialize_json)
        if found is not None:
            return found
        if default is None:
            raise ValueError("Default Value must be set")
        cls.set(key, default, description=description, serialize_json=deserialize_json)
        return default

    @classmethod
    def keys(cls, prefix: str | None = None) -> Sequence[str]:
        """Return the keys of the variables in the database that begin with `prefix`; other places cannot be listed."""
        from gnomon.sdk.runtime.channel import require_channel
        from gnomon.sdk.runtime.dag_run import found_value
        from gnomon.wire.execution import GetVariableKeys

        found: list[str] = found_value(require_channel().ask(GetVariableKeys(prefix=prefix or "")))
        return found


def _ask_control_side(key: str) -> str | None:
    from gnomon.sdk.runtime.channel import get_channel
    from gnomon.wire.execution import GetVariable, Problem, VariableFound

    channel = get_channel()
    if channel is None:
        return None
    reply = channel.ask(GetVariable(key=key))
    if isinstance(reply, VariableFound):
        return reply.value
    if isinstance(reply, Problem) and reply.code != "not_found":
        raise AirflowException(f"The variable {key!r} cannot be read: {reply.message}")
    return None


def _tell_control_side(request: Any, what: str) -> None:
    from gnomon.sdk.runtime.channel import require_channel
    from gnomon.wire.execution import Problem

    reply = require_channel().ask(request)
    if isinstance(reply, Problem):
        raise AirflowException(f"cannot {what}: {reply.message}")
