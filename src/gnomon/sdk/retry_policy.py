"""Retry policies: the error decides whether and when a task is tried again."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any

log = logging.getLogger(__name__)


class RetryAction(Enum):
    """What to do after a failure."""

    RETRY = "retry"
    FAIL = "fail"
    DEFAULT = "default"


@dataclass(frozen=True)
class RetryDecision:
    """What a policy says; a retry never exceeds the task's `retries`."""

    action: RetryAction = RetryAction.DEFAULT
    retry_delay: timedelta | None = None
    reason: str | None = None

    @classmethod
    def fail(cls, reason: str | None = None) -> RetryDecision:
        """Fail now."""
        return cls(RetryAction.FAIL, reason=reason)

    @classmethod
    def retry(cls, delay: timedelta | None = None, reason: str | None = None) -> RetryDecision:
        """Retry, after `delay` or the task's own."""
        return cls(RetryAction.RETRY, delay, reason)

    @classmethod
    def default(cls) -> RetryDecision:
        """Do what the task's arguments say."""
        return cls()


class RetryPolicy(ABC):
    """Decides in the task's process; AirflowFailException and AirflowSensorTimeout never get here."""

    @abstractmethod
    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any | None = None
    ) -> RetryDecision:
        """Return what to do about an error."""

    def serialize(self) -> dict[str, Any]:
        """Return the policy as data."""
        raise NotImplementedError(f"{type(self).__name__} must implement serialize()")

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RetryPolicy:
        """Return the policy that `serialize` wrote."""
        raise NotImplementedError


@dataclass
class RetryRule:
    """What to do about one kind of error.

    Args:
        exception: its class or import path, or several.
        action: what to do.
        retry_delay: how long to wait.
        reason: for the log.
        match_subclasses: also for its subclasses.
    """

    exception: type[BaseException] | str | Sequence[type[BaseException] | str]
    action: RetryAction = RetryAction.RETRY
    retry_delay: timedelta | None = None
    reason: str | None = None
    match_subclasses: bool = True
    _classes: tuple[type[BaseException], ...] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for one in self._specs:
            if isinstance(one, str) and "." not in one:
                raise ValueError(
                    f"RetryRule exception string must be a dotted import path (e.g. 'builtins.ValueError'), got {one!r}"
                )

    @property
    def _specs(self) -> list[type[BaseException] | str]:
        one = self.exception
        return [one] if isinstance(one, (str, type)) else list(one)

    @property
    def exception_path(self) -> str:
        """The import paths of the errors."""
        return ",".join(one if isinstance(one, str) else f"{one.__module__}.{one.__qualname__}" for one in self._specs)

    def matches(self, exc: BaseException) -> bool:
        """Tell whether the rule is about an error."""
        if self._classes is None:
            self._classes = tuple(found for one in self._specs if (found := _error_class(one)) is not None)
        return isinstance(exc, self._classes) if self.match_subclasses else type(exc) in self._classes

    def serialize(self) -> dict[str, Any]:
        """Return the rule as data."""
        paths = self.exception_path.split(",")
        data: dict[str, Any] = {
            "exception": paths if len(paths) > 1 else paths[0],
            "action": self.action.value,
            "match_subclasses": self.match_subclasses,
        }
        if self.retry_delay is not None:
            data["retry_delay"] = self.retry_delay.total_seconds()
        if self.reason is not None:
            data["reason"] = self.reason
        return data

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RetryRule:
        """Return the rule that `serialize` wrote."""
        delay = data.get("retry_delay")
        return cls(
            data["exception"],
            RetryAction(data["action"]),
            None if delay is None else timedelta(seconds=delay),
            data.get("reason"),
            data.get("match_subclasses", True),
        )


def _error_class(spec: type[BaseException] | str) -> type[BaseException] | None:
    if isinstance(spec, type):
        return spec
    from gnomon.sdk.runtime.values import import_string

    try:
        found: type[BaseException] = import_string(spec)
    except ImportError:
        log.warning("The error %r of a retry rule cannot be imported, so it matches nothing", spec)
        return None
    return found


class ExceptionRetryPolicy(RetryPolicy):
    """The first rule that matches decides.

    Args:
        rules: the rules, in order.
        default: what to do if none matches.
    """

    def __init__(self, rules: list[RetryRule], default: RetryAction = RetryAction.DEFAULT) -> None:
        self.rules, self.default = rules, default

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any | None = None
    ) -> RetryDecision:
        """Return what the first rule that matches says."""
        for rule in self.rules:
            if rule.matches(exception):
                reason = rule.reason or f"Matched rule for {type(exception).__name__}"
                return RetryDecision(rule.action, rule.retry_delay, reason)
        return RetryDecision(self.default)

    def serialize(self) -> dict[str, Any]:
        """Return the policy as data."""
        return {
            "__type": "ExceptionRetryPolicy",
            "rules": [rule.serialize() for rule in self.rules],
            "default": self.default.value,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RetryPolicy:
        """Return the policy that `serialize` wrote."""
        return cls([RetryRule.deserialize(rule) for rule in data["rules"]], RetryAction(data.get("default", "default")))


class ChainRetryPolicy(RetryPolicy):
    """Several policies; the first that does not say "default" decides."""

    def __init__(self, policies: Sequence[RetryPolicy]) -> None:
        self.policies = list(policies)

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any | None = None
    ) -> RetryDecision:
        """Return what the first policy with an opinion says."""
        for policy in self.policies:
            decision = policy.evaluate(exception, try_number, max_tries, context)
            if decision.action is not RetryAction.DEFAULT:
                return decision
        return RetryDecision()
