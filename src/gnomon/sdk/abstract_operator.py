"""What plain and mapped operators have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from gnomon.model.states import TriggerRule
from gnomon.sdk.node import DAGNode, DependencyMixin
from gnomon.sdk.setup_teardown import SetupTeardownContext
from gnomon.sdk.templating import Templater, environment

if TYPE_CHECKING:
    import jinja2

    from gnomon.sdk.dag import DAG
    from gnomon.sdk.task_group import TaskGroup


class AbstractOperator(Templater, DAGNode):
    """A task in a DAG, mapped or not."""

    task_id: str
    operator_extra_links: Any = ()
    is_setup: bool = False
    is_teardown: bool = False
    returns_dag_result: bool = False
    inherits_from_empty_operator: bool = False
    inherits_from_skipmixin: bool = False
    HIDE_ATTRS_FROM_UI: ClassVar[frozenset[str]] = frozenset()

    _dag: DAG | None = None
    _task_group: TaskGroup | None = None
    _on_failure_fail_dagrun: bool = False
    _is_sensor: bool = False
    _can_skip_downstream: bool = False
    _is_mapped: bool = False

    # --------------------------------------------------------------------------------------------- identity

    @property
    def is_mapped(self) -> bool:
        """Whether this expands into several task instances by itself."""
        return self._is_mapped

    @property
    def node_id(self) -> str:
        """The task_id."""
        return self.task_id

    @property
    def dag(self) -> DAG:
        """The DAG this is in.

        Raises:
            RuntimeError: it is in none yet.
        """
        if self._dag is None:
            raise RuntimeError(f"Operator {self} has not been assigned to a DAG yet")
        return self._dag

    @dag.setter
    def dag(self, dag: DAG | None) -> None:
        if dag is None:
            self._dag = None
            return
        if not hasattr(dag, "task_dict"):
            raise TypeError(f"dag has to be a DAG, not {type(dag).__name__}")
        if self._dag is not None and self._dag is not dag:
            raise ValueError(f"the DAG assigned to {self} can not be changed: it is in {self._dag.dag_id!r}")
        if dag.task_dict.get(self.task_id) is not self:
            dag.add_task(self)
        self._dag = dag

    def get_dag(self) -> DAG | None:
        """Return the DAG, or None."""
        return self._dag

    @property
    def dag_id(self) -> str:
        """The id of the DAG, or of the owner's imaginary one."""
        return self._dag.dag_id if self._dag is not None else f"adhoc_{self.owner}"

    @property
    def task_group(self) -> TaskGroup | None:
        """The closest group."""
        return self._task_group

    @task_group.setter
    def task_group(self, group: TaskGroup | None) -> None:
        self._task_group = group

    @property
    def label(self) -> str:
        """The name to show: the display name, or the task_id without the group's prefix."""
        display = self.task_display_name
        if display and display != self.task_id:
            return str(display)
        group = self._task_group
        if group is not None and group.node_id and group.prefix_group_id:
            return self.task_id[len(group.node_id) + 1 :]
        return self.task_id

    @property
    def roots(self) -> list[Any]:
        """The task itself."""
        return [self]

    leaves = roots

    @property
    def output(self) -> Any:
        """A reference to what the task returns."""
        from gnomon.sdk.xcomarg import PlainXComArg

        return PlainXComArg(self)

    @property
    def is_async(self) -> bool:
        """Whether `execute` runs a coroutine."""
        return False

    @property
    def extra_links(self) -> list[str]:
        """The names of the operator's links."""
        return sorted({link.name for link in self.operator_extra_links})

    # --------------------------------------------------------------------------------------- setup, teardown

    @property
    def on_failure_fail_dagrun(self) -> bool:
        """Whether the failure of this teardown fails the run."""
        return self._on_failure_fail_dagrun

    @on_failure_fail_dagrun.setter
    def on_failure_fail_dagrun(self, value: bool) -> None:
        if value and not self.is_teardown:
            raise ValueError(
                f"Cannot set task on_failure_fail_dagrun for '{self.task_id}' because it is not a teardown task."
            )
        if value != self._on_failure_fail_dagrun:
            self._on_failure_fail_dagrun = value

    def as_setup(self) -> Any:
        """Mark as a setup task.

        Raises:
            ValueError: it is a teardown task.
        """
        if self.is_teardown:
            raise ValueError(f"Cannot mark task {self.task_id!r} as setup; task is already a teardown.")
        self.is_setup = True
        return self

    def as_teardown(  # type: ignore[override]
        self,
        *,
        setups: Any | Iterable[Any] | None = None,
        on_failure_fail_dagrun: bool | None = None,
    ) -> Any:
        """Mark as a teardown task.

        Args:
            setups: its setups, which are wired before it.
            on_failure_fail_dagrun: whether its failure fails the run.

        Raises:
            ValueError: it is a setup task.
        """
        if self.is_setup:
            raise ValueError(f"Cannot mark task {self.task_id!r} as teardown; task is already a setup.")
        self.is_teardown = True
        self.trigger_rule = TriggerRule.ALL_DONE_SETUP_SUCCESS
        if on_failure_fail_dagrun is not None:
            self.on_failure_fail_dagrun = on_failure_fail_dagrun
        if setups is not None:
            for setup in [setups] if isinstance(setups, DependencyMixin) else setups:
                setup.as_setup()
                setup.set_downstream(self)
        return self

    def __enter__(self) -> type[SetupTeardownContext]:
        if not self.is_setup and not self.is_teardown:
            raise RuntimeError("Only setup/teardown tasks can be used as context managers.")
        SetupTeardownContext.push_setup_teardown_task(self)
        return SetupTeardownContext

    def __exit__(self, *exc: object) -> None:
        SetupTeardownContext.set_work_task_roots_and_leaves()

    # --------------------------------------------------------------------------------------------- templates

    def get_template_env(self, dag: DAG | None = None) -> jinja2.Environment:
        """Return the Jinja environment: the DAG's, native or not as this task says."""
        dag = dag if dag is not None else self._dag
        native = self.render_template_as_native_obj
        if dag is None:
            return environment(native=bool(native))
        return dag.get_template_env(native=native)

    # ----------------------------------------------------------------------------------------------- mapping

    def iter_mapped_dependants(self) -> Iterator[Any]:
        """Yield the mapped tasks and groups that expand over what this returns."""
        for node in self._mapped_nodes_downstream():
            # By id, not identity: a task that runs is a copy of the one that others were wired to.
            if any(operator.task_id == self.task_id for operator in node.iter_mapped_dependencies()):
                yield node

    def _mapped_nodes_downstream(self) -> Iterator[Any]:
        dag = self.get_dag()
        if dag is None:
            return
        # What a task expands over is always wired before it, so one step is enough.
        seen: set[int] = set()
        for task_id in self.downstream_task_ids:
            task = dag.task_dict[task_id]
            candidates = [task] if task.is_mapped else []
            for node in (*candidates, *task.iter_mapped_task_groups()):
                if id(node) not in seen:
                    seen.add(id(node))
                    yield node

    @property
    def is_mapped_over(self) -> bool:
        """Whether something expands over what this returns."""
        return next(self.iter_mapped_dependants(), None) is not None

    def expand_start_trigger_args(self, *, context: Mapping[str, Any]) -> Any:
        """Return the StartTriggerArgs of a task that is deferred without a process."""
        return self.start_trigger_args

    def expand_start_from_trigger(self, *, context: Mapping[str, Any]) -> bool:
        """Return whether a task is deferred without a process."""
        return bool(self.start_from_trigger)

    if TYPE_CHECKING:
        # given by BaseOperator's attributes, or by a mapped operator's partial arguments
        owner: Any
        task_display_name: Any
        trigger_rule: Any
        render_template_as_native_obj: Any
        start_trigger_args: Any
        start_from_trigger: Any
