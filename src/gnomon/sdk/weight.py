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
    """What a strategy is asked with: a task instance that is not planned yet, while the DAG is parsed of no run either.

    Args:
        task: its task.
        try_number: how many tries it has had.
        run_id: its run.
        map_index: which instance of a mapped task it is.
    """

    def __init__(self, task: Any, try_number: int, run_id: str = "", map_index: int = -1) -> None:
        self.task = task
        self.dag_id: str = task.dag_id
        self.task_id: str = task.task_id
        self.try_number = self._try_number = try_number
        self._run_id, self._map_index = run_id, map_index
        #: the strategy has looked at what there is only in a run
        self.looked_at_run = False
        self.max_tries: int = task.retries
        self.pool, self.queue, self.operator = task.pool, task.queue, task.task_type
        self.priority_weight: int = task.priority_weight
        self.state = self.dag_run = self.logical_date = self.start_date = None

    @property
    def run_id(self) -> str:
        """Its run; empty while the DAG is parsed."""
        self.looked_at_run = True
        return self._run_id

    @property
    def map_index(self) -> int:
        """Which instance of a mapped task it is; -1 while the DAG is parsed."""
        self.looked_at_run = True
        return self._map_index


def weights_of(task: Any, *, each_try: bool) -> tuple[list[int], bool]:
    """Return the priorities of a task whose strategy is a user's: at the start, and after each try.

    Airflow 3 asks when a task instance is made, Airflow 2 again for each try. In both the strategy knows the run's id and
    the map index; the second result tells whether this one looks at them, and has to be asked in each run.

    Raises:
        SerializationError: the strategy raises, or gives something else than a number.
    """
    from gnomon.sdk.exceptions import SerializationError

    weights, looks = [], False
    for try_number in range(task.retries + 1 if each_try else 1):
        instance = UnplacedTaskInstance(task, try_number)
        try:
            weights.append(_weight(task, instance))
        except Exception as error:
            if instance.looked_at_run and not isinstance(error, _NoNumberError):
                return [], True  # it cannot do without a run
            raise SerializationError(f"task {task.task_id!r}: its weight strategy {_said(task, error)}") from error
        looks = looks or instance.looked_at_run
    while len(weights) > 1 and weights[-1] == weights[-2]:
        weights.pop()
    return weights, looks


def weight_in_run(task: Any, run_id: str, map_index: int, try_number: int) -> int | None:
    """Return the priority of a task instance, if its task has a strategy that looks at the run.

    Raises:
        ValueError: the strategy raises, or gives something else than a number.
    """
    from gnomon.sdk.settings import profile

    each_try = profile() == 2
    if not isinstance(task.weight_rule, PriorityWeightStrategy) or not weights_of(task, each_try=each_try)[1]:
        return None
    try:
        return _weight(task, UnplacedTaskInstance(task, try_number if each_try else 0, run_id, map_index))
    except Exception as error:
        raise ValueError(f"the weight strategy of task {task.task_id!r}, {_said(task, error)}") from error


class _NoNumberError(Exception):
    """A strategy gave something else than a number."""


def _weight(task: Any, instance: UnplacedTaskInstance) -> int:
    from gnomon.sdk.operator_arguments import db_safe_priority

    weight = task.weight_rule.get_weight(instance)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise _NoNumberError(f"has to give a number, not {weight!r}")
    return db_safe_priority(int(weight))


def _said(task: Any, error: Exception) -> str:
    name = type(task.weight_rule).__name__
    if isinstance(error, _NoNumberError):
        return f"{name} {error}"
    return f"{name} failed: {type(error).__name__}: {error}"
