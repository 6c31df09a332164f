"""The trigger that waits for a person's answer, for operators that defer to it.

HITLOperator itself needs none: its task waits in the state awaiting_input.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

from gnomon.sdk.exceptions import ParamValidationError
from gnomon.sdk.params import Param, ParamsDict
from gnomon.sdk.runtime.human_input import (
    HITLAnswer,
    HITLUser,
    get_hitl_detail_content_detail,
    update_hitl_detail_response,
)
from gnomon.sdk.timezone import utcnow
from gnomon.sdk.trigger import BaseTrigger, TriggerEvent


class HITLTriggerEventSuccessPayload(TypedDict, total=False):
    """The event of an answer."""

    chosen_options: list[str]
    params_input: dict[str, Any]
    responded_by_user: HITLUser | None
    responded_at: datetime
    timedout: bool


class HITLTriggerEventFailurePayload(TypedDict):
    """The event of a wait that came to nothing."""

    error: str
    error_type: Literal["timeout", "unknown", "validation"]


class HITLTrigger(BaseTrigger):
    """Fires when the question of a task instance is answered, or when nobody has answered in time.

    Args:
        ti_id: the task instance.
        options: what can be chosen.
        params: the form, as Params are serialized.
        defaults: the answer when nobody has given one in time.
        multiple: more than one option may be chosen.
        timeout_datetime: until when to wait.
        poke_interval: seconds between two looks.
    """

    def __init__(
        self,
        *,
        ti_id: UUID,
        options: list[str],
        params: dict[str, dict[str, Any]],
        defaults: list[str] | None = None,
        multiple: bool = False,
        timeout_datetime: datetime | None,
        poke_interval: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ti_id = ti_id
        self.options = options
        self.params = ParamsDict({name: _param(field) for name, field in params.items()})
        self.defaults = defaults
        self.multiple = multiple
        self.timeout_datetime = timeout_datetime
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return (import path, keyword arguments)."""
        return "airflow.providers.standard.triggers.hitl.HITLTrigger", {
            "ti_id": self.ti_id,
            "options": self.options,
            "defaults": self.defaults,
            "params": {name: param.serialize() for name, param in self.params.items()},
            "multiple": self.multiple,
            "timeout_datetime": self.timeout_datetime,
            "poke_interval": self.poke_interval,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is an answer, or no time left."""
        while True:
            answer = await asyncio.to_thread(get_hitl_detail_content_detail, self.ti_id)
            if answer.response_received and answer.chosen_options:
                yield self._answered(answer)
                return
            if self.timeout_datetime is not None and self.timeout_datetime < utcnow():
                yield await self._timed_out()
                return
            await asyncio.sleep(self.poke_interval)

    async def _timed_out(self) -> TriggerEvent:
        if self.defaults is None:
            message = "The timeout has passed, and the response has not yet been received."
            return TriggerEvent(HITLTriggerEventFailurePayload(error=message, error_type="timeout"))
        self.log.info("Nobody has answered in time; taking the defaults %s", self.defaults)
        form = self.params.dump()
        answer = await asyncio.to_thread(update_hitl_detail_response, self.ti_id, self.defaults, form)
        return TriggerEvent(_payload(answer))

    def _answered(self, answer: HITLAnswer) -> TriggerEvent:
        try:
            for name, value in answer.params_input.items():
                self.params[name] = value
        except ParamValidationError as error:
            return TriggerEvent(HITLTriggerEventFailurePayload(error=str(error), error_type="validation"))
        self.log.info("Answered by %s: %s", answer.responded_by_user, answer.chosen_options)
        return TriggerEvent(_payload(answer))


def _param(field: Any) -> Param:
    if isinstance(field, Mapping) and {"description", "schema", "value"} <= field.keys():
        return Param(field["value"], field["description"], source=field.get("source"), schema=field["schema"])
    return Param(field)


def _payload(answer: HITLAnswer) -> HITLTriggerEventSuccessPayload:
    by, at = answer.responded_by_user, answer.responded_at
    payload = HITLTriggerEventSuccessPayload(
        chosen_options=list(answer.chosen_options or []),
        params_input=answer.params_input,
        responded_by_user=None if by is None else HITLUser(id=by.id, name=by.name),
        timedout=by is None,
    )
    if at is not None:
        payload["responded_at"] = at
    return payload
