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

    Args:
        rule: A rule or its name, a strategy, its class, or the import path of that.

    Raises:
        ValueError: it is neither a known rule nor a strategy.
    """
    rule = _made(rule)
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


def _made(rule: Any) -> Any:
    """Return the strategy of a class or of an import path; anything else as it is."""
    if isinstance(rule, str) and "." in rule:
        from importlib import import_module

        module, _, name = rule.rpartition(".")
        try:
            rule = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"The weight_rule {rule!r} cannot be imported: {error}") from error
    is_class = isinstance(rule, type) and issubclass(rule, PriorityWeightStrategy)
    return rule() if is_class else rule


def validate_and_load_priority_weight_strategy(rule: Any) -> PriorityWeightStrategy:
    """Return the strategy object of a rule."""
    checked = check_weight_rule(rule)
    return checked if isinstance(checked, PriorityWeightStrategy) else _BUILT_IN[checked.value]()


class UnplacedTaskInstance:
    """What a strategy is asked with while the DAG is parsed: a task instance of no run yet.

    Args:
        task: its task.
        try_number: how many tries it has had.
    """

    def __init__(self, task: Any, try_number: int) -> None:
        self.task = task
        self.dag_id: str = task.dag_id
        self.task_id: str = task.task_id
        self.try_number = self._try_number = try_number
        self.run_id = ""
        self.map_index = -1
        self.max_tries: int = task.retries
        self.pool, self.queue, self.operator = task.pool, task.queue, task.task_type
        self.priority_weight: int = task.priority_weight
        self.state = self.dag_run = self.logical_date = self.start_date = None


def weights_of(task: Any, *, each_try: bool) -> list[int]:
    """Return the priorities of a task whose strategy is a user's: at the start, and after each try.

    Airflow 3 asks when a task instance is made, Airflow 2 again for each try; both before there is anything to know
    of the run.

    Raises:
        SerializationError: the strategy raises, or gives something else than a number.
    """
    from gnomon.sdk.exceptions import SerializationError
    from gnomon.sdk.operator_arguments import db_safe_priority

    strategy, weights = task.weight_rule, []
    for try_number in range(task.retries + 1 if each_try else 1):
        try:
            weight = strategy.get_weight(UnplacedTaskInstance(task, try_number))
        except Exception as error:
            raise SerializationError(
                f"task {task.task_id!r}: its weight strategy {type(strategy).__name__} failed:"
                f" {type(error).__name__}: {error}"
            ) from error
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise SerializationError(
                f"task {task.task_id!r}: its weight strategy {type(strategy).__name__} has to give a number,"
                f" not {weight!r}"
            )
        weights.append(db_safe_priority(int(weight)))
    while len(weights) > 1 and weights[-1] == weights[-2]:
        weights.pop()
    return weights
