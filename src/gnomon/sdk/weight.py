"""Priority weight strategies, for `weight_rule`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from gnomon.model.states import WeightRule


class PriorityWeightStrategy(ABC):
    """A way to work out the priority of a task instance; subclass it for a rule of your own."""

    @abstractmethod
    def get_weight(self, ti: Any) -> int:
        """Return the priority of a task instance."""

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> PriorityWeightStrategy:
        """Return the strategy that `serialize` wrote."""
        return cls(**data)

    def serialize(self) -> dict[str, Any]:
        """Return the strategy's arguments."""
        return {}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.serialize() == other.serialize()

    def __hash__(self) -> int:
        return hash((type(self), *sorted(self.serialize().items())))


class _AbsolutePriorityWeightStrategy(PriorityWeightStrategy):
    def get_weight(self, ti: Any) -> int:
        return int(ti.task.priority_weight)


class _RelativesPriorityWeightStrategy(PriorityWeightStrategy):
    upstream = False

    def get_weight(self, ti: Any) -> int:
        task = ti.task
        if task.get_dag() is None:
            return int(task.priority_weight)
        relatives = task.get_flat_relatives(upstream=self.upstream)
        return int(task.priority_weight + sum(relative.priority_weight for relative in relatives))


class _DownstreamPriorityWeightStrategy(_RelativesPriorityWeightStrategy):
    pass


class _UpstreamPriorityWeightStrategy(_RelativesPriorityWeightStrategy):
    upstream = True


_BUILT_IN: dict[str, type[PriorityWeightStrategy]] = {
    "absolute": _AbsolutePriorityWeightStrategy,
    "downstream": _DownstreamPriorityWeightStrategy,
    "upstream": _UpstreamPriorityWeightStrategy,
}


def check_weight_rule(rule: Any) -> Any:
    """Return a rule as it is stored: a WeightRule, or a strategy object.

    Raises:
        ValueError: it is neither a known rule nor a strategy.
    """
    if isinstance(rule, PriorityWeightStrategy):
        names = [name for name, kind in _BUILT_IN.items() if type(rule) is kind]
        return WeightRule(names[0]) if names else rule
    if rule is None:
        return WeightRule.DOWNSTREAM
    try:
        return WeightRule(rule)
    except ValueError:
        known = ", ".join(one.value for one in WeightRule)
        raise ValueError(f"The weight_rule must be {known} or a PriorityWeightStrategy; received {rule!r}") from None


def validate_and_load_priority_weight_strategy(rule: Any) -> PriorityWeightStrategy:
    """Return the strategy object of a rule."""
    checked = check_weight_rule(rule)
    return checked if isinstance(checked, PriorityWeightStrategy) else _BUILT_IN[checked.value]()
