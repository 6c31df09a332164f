"""BaseOperator: one kind of task, configured by keyword arguments and `default_args`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, MutableMapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from gnomon.sdk.abstract_operator import AbstractOperator
from gnomon.sdk.authoring import DagContext, TaskGroupContext
from gnomon.sdk.exceptions import AirflowException, TaskDeferralError, TaskDeferralTimeout, TaskDeferred
from gnomon.sdk.node import validate_key
from gnomon.sdk.operator_arguments import STORED_AS, OperatorDefaults, normalized, warn_author
from gnomon.sdk.operator_meta import BASE_ARGUMENTS, OperatorMeta
from gnomon.sdk.setup_teardown import SetupTeardownContext
from gnomon.sdk.types import NOTSET
from gnomon.sdk.xcomarg import XComArg

if TYPE_CHECKING:
    import jinja2

    from gnomon.sdk.dag import DAG
    from gnomon.sdk.mapping import OperatorPartial
    from gnomon.sdk.task_group import TaskGroup

#: arguments that are no plain attributes; BaseOperator.__init__ deals with each by name
_NOT_STORED = frozenset({"task_id", "dag", "task_group", "default_args", "params", "sla"})
#: (argument, default) of the others; filled in below the class
_STORED_ARGUMENTS: tuple[tuple[str, Any], ...] = ()


class _Partial:
    """`Operator.partial(…)`; on a task it says that it is only for classes."""

    def __get__(self, instance: Any, owner: type[BaseOperator]) -> Callable[..., OperatorPartial]:
        def partial(*, task_id: str, **kwargs: Any) -> OperatorPartial:
            if instance is not None:
                raise TypeError("partial can only be called on Operator classes, not Tasks themselves")
            from gnomon.sdk.mapping import make_partial

            return make_partial(owner, task_id=task_id, **kwargs)

        return partial


class _FromDag:
    """start_date and end_date of a task that has none of its own: its DAG's."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        dag = None if instance is None else instance._dag
        return None if dag is None else getattr(dag, self._name)


class BaseOperator(OperatorDefaults, AbstractOperator, metaclass=OperatorMeta):
    """A task. Subclasses take further arguments and define `execute`.

    Args:
        task_id: unique in its DAG.
        owner: who looks after it.
        email: where failures and retries are reported to.
        email_on_retry: report retries.
        email_on_failure: report the failure.
        retries: how often to try again.
        retry_delay: how long to wait before that; a timedelta or seconds.
        retry_exponential_backoff: factor by which the delay grows; 0 keeps it constant, True is 2.
        max_retry_delay: the longest delay.
        retry_policy: decides by the error whether and when to retry.
        start_date: not before this logical date.
        end_date: not after this logical date.
        depends_on_past: run only if the task succeeded in the previous run.
        ignore_first_depends_on_past: the first run does not look back.
        wait_for_past_depends_before_skipping: even a skip waits for the previous run.
        wait_for_downstream: also wait for what is directly downstream in the previous run.
        dag: the DAG; the one of the surrounding `with` unless given.
        params: defaults and schemas of what a run may set.
        default_args: arguments for those that are left out.
        priority_weight: what its priority adds up from.
        weight_rule: how; downstream, upstream, absolute or a strategy.
        queue: which workers may run it.
        pool: the pool it takes slots of.
        pool_slots: how many.
        sla: ignored; see DAG(deadline=…).
        execution_timeout: fail a try that runs longer.
        on_execute_callback: called with the context before it runs.
        on_failure_callback: called when it has failed.
        on_success_callback: called when it has succeeded.
        on_retry_callback: called when a try has failed and another will follow.
        on_skipped_callback: called when it raised AirflowSkipException.
        pre_execute: called with the context right before `execute`.
        post_execute: called with the context and the result right after.
        trigger_rule: when it may run, given what is upstream.
        resources: what it needs.
        run_as_user: the user to run as.
        map_index_template: names its mapped instances.
        max_active_tis_per_dag: how many of it may run at once, over all runs.
        max_active_tis_per_dagrun: how many of it may run at once in one run.
        executor: which of several executors.
        executor_config: settings for that executor.
        do_xcom_push: keep what `execute` returns.
        multiple_outputs: keep each value of a returned dict under its key as well.
        inlets: assets it reads.
        outlets: assets it writes.
        task_group: the group; the one of the surrounding `with` unless given.
        doc, doc_md, doc_json, doc_yaml, doc_rst: documentation.
        task_display_name: the name to show.
        logger_name: the last part of its logger's name.
        allow_nested_operators: its `execute` may call another operator's.
        render_template_as_native_obj: templates give Python objects; the DAG's setting unless given.

    Raises:
        TypeError: an argument is missing, unknown or of the wrong type; the message names it.
        ValueError: an argument has no possible value.
    """

    template_fields: Collection[str] = ()
    template_ext: Sequence[str] = ()
    template_fields_renderers: ClassVar[dict[str, str]] = {}
    ui_color: str = "#fff"
    ui_fgcolor: str = "#000"
    shallow_copy_attrs: Sequence[str] = ()
    partial: ClassVar[Any] = _Partial()
    start_date: Any = _FromDag()
    end_date: Any = _FromDag()
    start_trigger_args: Any = None
    start_from_trigger: bool = False
    #: what @task decorators show instead of the class name
    custom_operator_name: str

    _from_mapped: bool = False
    _hidden_arguments: ClassVar[frozenset[str]] = frozenset()
    #: the params given to this task alone, and those merged with the DAG's, made when somebody asks
    _params: Any = None
    _merged_params: Any = None
    _task_display_name: str | None = None

    def __init__(
        self,
        *,
        task_id: str,
        owner: str = NOTSET,
        email: str | Sequence[str] | None = None,
        email_on_retry: bool = NOTSET,
        email_on_failure: bool = NOTSET,
        retries: int | None = NOTSET,
        retry_delay: timedelta | float = NOTSET,
        retry_exponential_backoff: float = NOTSET,
        max_retry_delay: timedelta | float | None = None,
        retry_policy: Any | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        depends_on_past: bool = False,
        ignore_first_depends_on_past: bool = NOTSET,
        wait_for_past_depends_before_skipping: bool = False,
        wait_for_downstream: bool = False,
        dag: DAG | None = None,
        params: MutableMapping[str, Any] | None = None,
        default_args: dict[str, Any] | None = None,
        priority_weight: int = 1,
        weight_rule: Any = NOTSET,
        queue: str = NOTSET,
        pool: str | None = None,
        pool_slots: int = 1,
        sla: timedelta | None = None,
        execution_timeout: timedelta | None = NOTSET,
        on_execute_callback: Any = None,
        on_failure_callback: Any = None,
        on_success_callback: Any = None,
        on_retry_callback: Any = None,
        on_skipped_callback: Any = None,
        pre_execute: Callable[[Any], None] | None = None,
        post_execute: Callable[[Any, Any], None] | None = None,
        trigger_rule: str = NOTSET,
        resources: dict[str, Any] | None = None,
        run_as_user: str | None = None,
        map_index_template: str | None = None,
        max_active_tis_per_dag: int | None = None,
        max_active_tis_per_dagrun: int | None = None,
        executor: str | None = None,
        executor_config: dict[str, Any] | None = None,
        do_xcom_push: bool = True,
        multiple_outputs: bool = False,
        inlets: Any | None = None,
        outlets: Any | None = None,
        task_group: TaskGroup | None = None,
        doc: str | None = None,
        doc_md: str | None = None,
        doc_json: str | None = None,
        doc_yaml: str | None = None,
        doc_rst: str | None = None,
        task_display_name: str | None = None,
        logger_name: str | None = None,
        allow_nested_operators: bool = True,
        render_template_as_native_obj: bool | None = None,
        **kwargs: Any,
    ) -> None:
        arguments = locals()
        if kwargs:
            self._take_further_arguments(kwargs, arguments)
        for name, default in _STORED_ARGUMENTS:
            value = arguments[name]
            if value is not default:
                setattr(self, STORED_AS.get(name, name), self._normalized(name, value))
        for name in self._hidden_arguments:
            if arguments[name] is NOTSET or arguments[name] is BASE_ARGUMENTS[name]:
                value = getattr(OperatorDefaults, name, None)
                setattr(self, name, value)
        self.upstream_task_ids = set()
        self.downstream_task_ids = set()
        if params:
            self.params = params
        if wait_for_downstream:
            self.depends_on_past = True
        if sla is not None:
            warn_author("sla is ignored since Airflow 3; use DAG(deadline=DeadlineAlert(…)) instead")
        if isinstance(self.template_fields, str):
            raise TypeError(f"template_fields of {type(self).__name__} has to be a list of names, not a string")
        self._enter_dag(task_id, dag, task_group)

    def _normalized(self, name: str, value: Any) -> Any:
        try:
            return normalized(name, value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise type(error)(f"{type(self).__name__}: {error}") from None

    def _take_further_arguments(self, kwargs: dict[str, Any], arguments: dict[str, Any]) -> None:
        """Take the argument names of Airflow 2; refuse all others."""
        kwargs.pop("_airflow_mapped_validation_only", None)
        if (limit := kwargs.pop("task_concurrency", None)) is not None:
            warn_author("task_concurrency is now max_active_tis_per_dag")
            arguments["max_active_tis_per_dag"] = limit
        if kwargs:
            from gnomon.service.masking import masker

            raise TypeError(
                f"Invalid arguments were passed to {type(self).__name__} (task_id: {arguments['task_id']})."
                f" Invalid arguments were:\n**kwargs: {masker.redact(kwargs)}"
            )

    def _enter_dag(self, task_id: str, dag: DAG | None, group: TaskGroup | None) -> None:
        if dag is None and group is None:
            dag = DagContext.get_current()
        if group is None and dag is not None:
            group = TaskGroupContext.get_current(dag)
        if not isinstance(task_id, str):
            validate_key(task_id, name="task_id")
        if self._from_mapped:
            # A mapped operator stands in the DAG already; this is one of its instances.
            self.task_id = task_id
            self._task_group, self._dag = group, dag
            return
        if group is not None:
            task_id = group.child_id(task_id)
            dag = dag if dag is not None else group.dag
        validate_key(task_id, name="task_id")
        self.task_id = task_id
        if group is not None:
            group.add(self)
        if dag is not None:
            self.dag = dag
        if SetupTeardownContext.active:
            SetupTeardownContext.update_context_map(self)

    def _wire_xcomargs(self) -> None:
        """Run after the tasks whose results are arguments of this."""
        for field in self.template_fields:
            value = getattr(self, field, None)
            if value is not None and type(value) is not str:
                XComArg.apply_upstream_relationship(self, value)

    # ---------------------------------------------------------------------------------------------- what it is

    def __repr__(self) -> str:
        return f"<Task({self.task_type}): {self.task_id}>"

    def __lt__(self, other: Any) -> bool:
        return bool(self.task_id < other.task_id)

    def __gt__(self, other: Any) -> bool:
        return bool(self.task_id > other.task_id)

    @property
    def operator_class(self) -> type[BaseOperator]:
        """The class."""
        return type(self)

    @property
    def task_type(self) -> str:
        """The name of the class."""
        return type(self).__name__

    @property
    def operator_name(self) -> str:
        """The name to show for the class, as "@task.bash"."""
        return getattr(self, "custom_operator_name", None) or type(self).__name__

    @property
    def task_display_name(self) -> str:
        """The name to show for the task."""
        return self._task_display_name or self.task_id

    @property
    def params(self) -> Any:
        """The DAG's params, overridden by the task's own."""
        if self._merged_params is None:
            self._merged_params = _merge_params(self._dag, self._params)
        return self._merged_params

    @params.setter
    def params(self, params: Any) -> None:
        self._params = params
        if self._merged_params is not None:
            self._merged_params = None

    @property
    def logger_name(self) -> str | None:
        """The last part of the logger's name, if it was given."""
        return self._logger_name

    @property
    def has_on_execute_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.__dict__.get("on_execute_callback"))

    @property
    def has_on_failure_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.__dict__.get("on_failure_callback"))

    @property
    def has_on_success_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.__dict__.get("on_success_callback"))

    @property
    def has_on_retry_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.__dict__.get("on_retry_callback"))

    @property
    def has_on_skipped_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.__dict__.get("on_skipped_callback"))

    @property
    def has_retry_policy(self) -> bool:
        """Whether there is a retry policy."""
        return self.retry_policy is not None

    def add_inlets(self, inlets: Any) -> None:
        """Add assets that it reads."""
        self.inlets.extend(inlets)

    def add_outlets(self, outlets: Any) -> None:
        """Add assets that it writes."""
        self.outlets.extend(outlets)

    def get_inlet_defs(self) -> list[Any]:
        """Return the assets it reads."""
        return list(self.inlets)

    def get_outlet_defs(self) -> list[Any]:
        """Return the assets it writes."""
        return list(self.outlets)

    @classmethod
    def get_serialized_fields(cls) -> frozenset[str]:
        """Return the names of the arguments that every task has."""
        return frozenset(BASE_ARGUMENTS) | {"template_fields", "template_ext", "ui_color", "ui_fgcolor"}

    def __deepcopy__(self, memo: dict[int, Any]) -> BaseOperator:
        shallow = {"_dag", "_task_group", *self.shallow_copy_attrs}
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        for name, value in self.__dict__.items():
            setattr(copied, name, value if name in shallow else copy.deepcopy(value, memo))
        return copied

    # ---------------------------------------------------------------------------------------------- execution

    def prepare_for_execution(self) -> BaseOperator:
        """Return a copy to render and run, so that the DAG's own stays as it was written."""
        kind = type(self)
        if kind.__reduce_ex__ is not object.__reduce_ex__ or kind.__getstate__ is not object.__getstate__:
            return copy.copy(self)
        # What `copy` does for a plain object, with a tenth of the code: each try runs this in fresh memory.
        twin = kind.__new__(kind)
        twin.__dict__.update(self.__dict__)
        return twin

    def unmap(self, resolve: Any) -> BaseOperator:
        """Return the operator itself: it is not mapped."""
        return self

    def render_template_fields(self, context: Any, jinja_env: jinja2.Environment | None = None) -> None:
        """Render the template fields in place."""
        env = jinja_env if jinja_env is not None else self.get_template_env()
        self._do_render_template_fields(self, self.template_fields, context, env, set())

    def pre_execute(self, context: Any) -> None:
        """Run right before `execute`: the hook given as pre_execute=, unless a subclass has its own."""
        if self._pre_execute_hook is not None:
            self._pre_execute_hook(context)

    def execute(self, context: Any) -> Any:
        """Do the work; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define execute()")

    def post_execute(self, context: Any, result: Any = None) -> None:
        """Run right after `execute`: the hook given as post_execute=, unless a subclass has its own."""
        if self._post_execute_hook is not None:
            self._post_execute_hook(context, result)

    def on_kill(self) -> None:
        """Clean up when the task is ended from outside; subclasses define it."""

    def defer(
        self,
        *,
        trigger: Any,
        method_name: str,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | float | None = None,
    ) -> None:
        """Give the slot back until `trigger` fires, then call `method_name` with its event.

        Raises:
            TaskDeferred: always.
        """
        raise TaskDeferred(trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=timeout)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after a deferral.

        Raises:
            TaskDeferralTimeout: the trigger did not fire in time.
            TaskDeferralError: the trigger failed.
        """
        kwargs = dict(next_kwargs or {})
        if next_method == "__fail__":
            reason = kwargs.get("error", "Unknown")
            if (trace := kwargs.get("traceback")) is not None:
                self.log.error("Trigger failed:\n%s", "\n".join(trace) if isinstance(trace, list) else trace)
            kind = (
                TaskDeferralTimeout if reason in ("Trigger timeout", "Trigger/execution timeout") else TaskDeferralError
            )
            raise kind(reason)
        method = getattr(self, next_method, None)
        if method is None:
            raise AirflowException(f"{type(self).__name__} has no method {next_method!r} to resume with")
        return method(context, **kwargs)

    def dry_run(self) -> None:
        """Log the rendered template fields instead of running."""
        self.log.info("Dry run")
        for field in self.template_fields:
            try:
                self.log.info("%s: %s", field, getattr(self, field))
            except AttributeError:
                self.log.info("%s is not set", field)

    if TYPE_CHECKING:
        # Subclasses take and set what they like.
        def __getattr__(self, name: str) -> Any: ...


def _fill_argument_tables() -> None:
    global _STORED_ARGUMENTS
    init: Any = BaseOperator.__init__.__wrapped__  # type: ignore[attr-defined]
    BASE_ARGUMENTS.update(dict.fromkeys(init.__code__.co_varnames[1 : 1 + init.__code__.co_kwonlyargcount], NOTSET))
    BASE_ARGUMENTS.update(init.__kwdefaults__)
    _STORED_ARGUMENTS = tuple(item for item in BASE_ARGUMENTS.items() if item[0] not in _NOT_STORED)


_fill_argument_tables()


def _merge_params(dag: DAG | None, own: Any) -> Any:
    from gnomon.sdk.params import ParamsDict

    params = ParamsDict(dag.params if dag is not None else None)
    mine = ParamsDict(own)
    mine._fill_missing_param_source("task")
    params.update(mine)
    return params
