"""DAG: tasks, how they depend on each other, and when they run."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from gnomon.model.states import TriggerRule
from gnomon.sdk.authoring import DagContext
from gnomon.sdk.dag_arguments import (
    checked_owner_links,
    checked_tags,
    default_schedule,
    file_of_author,
    limit,
    run_types,
    text_of,
    translated,
    typed,
    warn,
)
from gnomon.sdk.dag_tasks import DagTasks
from gnomon.sdk.exceptions import FailFastDagInvalidTriggerRule
from gnomon.sdk.node import validate_key
from gnomon.sdk.settings import profile, setting
from gnomon.sdk.task_group import TaskGroup
from gnomon.sdk.types import NOTSET

if TYPE_CHECKING:
    import jinja2

    from gnomon.sdk.abstract_operator import AbstractOperator
    from gnomon.sdk.timetable import Timetable

#: What `dag.test()` does; set by the command line, which alone can put scheduler, store and worker together.
test_runner: Callable[..., Any] | None = None


class DAG(DagTasks):
    """A DAG: tasks with directed dependencies, and a schedule.

    Args:
        dag_id: unique; letters, digits, dashes, dots and underscores.
        description: one line to show.
        schedule: None, a cron expression or preset, a timedelta, assets, or a Timetable.
        start_date: the first date it may be scheduled for.
        end_date: the last.
        default_args: arguments for its tasks that leave them out.
        template_searchpath: folders with template files, besides that of the DAG file.
        template_undefined: what an unknown name in a template is; jinja2.StrictUndefined unless given.
        user_defined_macros: further names for templates.
        user_defined_filters: further filters for templates.
        max_active_tasks: how many of its tasks may run at once: in one run (in all runs, with the profile 2).
        max_active_runs: how many of its runs may be active.
        max_consecutive_failed_dag_runs: pause it after so many failed runs in a row; 0 is never.
        dagrun_timeout: fail a run that takes longer.
        deadline: alerts about runs that take too long.
        sla_miss_callback: ignored; see deadline.
        catchup: also make the runs between start_date and now.
        on_success_callback: called with the context when a run has succeeded.
        on_failure_callback: called with the context when a run has failed.
        doc_md: documentation, or the name of a Markdown file.
        params: what a run may set: defaults and schemas.
        access_control: who may do what with it.
        is_paused_upon_creation: whether it starts out paused.
        jinja_environment_kwargs: further arguments of the Jinja environment.
        render_template_as_native_obj: templates give Python objects rather than strings.
        tags: for lists.
        owner_links: owner → where to reach them.
        auto_register: it is found when its `with` block ends, without being assigned to a name.
        fail_fast: end the run's other tasks when one fails.
        allowed_run_types: which kinds of run there may be.
        dag_display_name: the name to show.
        task_group: the root group; made unless given.
        disable_bundle_versioning: run the newest code always.
        rerun_with_latest_version: cleared tasks run the newest code.

    Raises:
        TypeError: an argument is unknown or of the wrong type; the message names it.
        ValueError: an argument has no possible value.
    """

    def __init__(
        self,
        dag_id: str,
        description: str | None = None,
        schedule: Any = NOTSET,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        template_searchpath: str | Iterable[str] | None = None,
        template_undefined: Any = None,
        user_defined_macros: dict[str, Any] | None = None,
        user_defined_filters: dict[str, Any] | None = None,
        default_args: Mapping[str, Any] | None = None,
        max_active_tasks: int | None = None,
        max_active_runs: int | None = None,
        max_consecutive_failed_dag_runs: int | None = None,
        dagrun_timeout: timedelta | None = None,
        deadline: Any = None,
        sla_miss_callback: Any = None,
        catchup: bool | None = None,
        on_success_callback: Any = None,
        on_failure_callback: Any = None,
        doc_md: str | None = None,
        params: Mapping[str, Any] | None = None,
        access_control: dict[str, Any] | None = None,
        is_paused_upon_creation: bool | None = None,
        jinja_environment_kwargs: dict[str, Any] | None = None,
        render_template_as_native_obj: bool = False,
        tags: Collection[str] | None = None,
        owner_links: dict[str, str] | None = None,
        auto_register: bool = True,
        fail_fast: bool = False,
        allowed_run_types: Any = None,
        dag_display_name: str | None = None,
        task_group: TaskGroup | None = None,
        disable_bundle_versioning: bool | None = None,
        rerun_with_latest_version: bool | None = None,
        **old_arguments: Any,
    ) -> None:
        validate_key(dag_id, name="dag_id")
        if old_arguments:
            given = translated(dag_id, old_arguments)
            schedule = given.get("schedule", schedule)
            max_active_tasks = given.get("max_active_tasks", max_active_tasks)
            fail_fast = given.get("fail_fast", fail_fast)
        self.dag_id = dag_id
        self.description = typed("description", description, str)
        self.task_dict: dict[str, AbstractOperator] = {}
        self.edge_info: dict[str, dict[str, Any]] = {}
        self._set_dates(start_date, end_date, typed("default_args", default_args, Mapping))
        self.schedule = default_schedule() if schedule is NOTSET else schedule
        self._timetable: Timetable | None = None
        self.template_searchpath = (
            (template_searchpath,) if isinstance(template_searchpath, str) else template_searchpath
        )
        self.template_undefined = template_undefined
        self.user_defined_macros = user_defined_macros
        self.user_defined_filters = user_defined_filters
        self.jinja_environment_kwargs = jinja_environment_kwargs
        self.render_template_as_native_obj = bool(render_template_as_native_obj)
        self.max_active_tasks: int = limit("max_active_tasks", max_active_tasks, 16, "max_active_tasks_per_dag")
        self.max_active_runs: int = limit("max_active_runs", max_active_runs, 16, "max_active_runs_per_dag")
        self.max_consecutive_failed_dag_runs: int = limit(
            "max_consecutive_failed_dag_runs",
            max_consecutive_failed_dag_runs,
            0,
            "max_consecutive_failed_dag_runs_per_dag",
        )
        self.dagrun_timeout = typed("dagrun_timeout", dagrun_timeout, timedelta)
        self.deadline = list(deadline) if isinstance(deadline, (list, tuple)) else [deadline] if deadline else []
        self.catchup = (
            setting("scheduler", "catchup_by_default", profile() == 2)
            if catchup is None
            else bool(typed("catchup", catchup, bool))
        )
        self.on_success_callback = on_success_callback
        self.on_failure_callback = on_failure_callback
        self.doc_md = text_of(typed("doc_md", doc_md, str))
        self.access_control = access_control
        self.is_paused_upon_creation = is_paused_upon_creation
        self.tags = checked_tags(dag_id, tags)
        self.owner_links = checked_owner_links(owner_links)
        self.auto_register = bool(auto_register)
        self.fail_fast = bool(fail_fast)
        self.allowed_run_types = run_types(allowed_run_types)
        self.dag_display_name = typed("dag_display_name", dag_display_name, str) or dag_id
        self.disable_bundle_versioning = bool(disable_bundle_versioning)
        self.rerun_with_latest_version = rerun_with_latest_version
        self.fileloc = file_of_author()
        self.relative_fileloc: str | None = None
        self.bundle_name: str | None = None
        self.partial = False
        self.last_loaded: datetime | None = None
        self._set_params(params)
        self.task_group = task_group if task_group is not None else TaskGroup.create_root(dag=self)
        if sla_miss_callback is not None:
            warn("sla_miss_callback is ignored since Airflow 3; use deadline=DeadlineAlert(…) instead")
        if access_control is not None and profile() == 3:
            warn("the airflow.security.permissions of Airflow 2 are deprecated; access_control may go")
        self._check_schedule()

    # ------------------------------------------------------------------------------------- arguments, in parts

    def _set_dates(self, start_date: Any, end_date: Any, default_args: Any) -> None:
        from gnomon.sdk import timezone

        self.default_args: dict[str, Any] = dict(default_args or {})
        for name in ("start_date", "end_date"):
            if isinstance(date := self.default_args.get(name), str):
                date = timezone.parse(date)
            if date is not None:
                self.default_args[name] = date
        first = start_date if start_date is not None else self.default_args.get("start_date")
        if isinstance(first, str):
            first = timezone.parse(first)
        typed("start_date", first, datetime)
        typed("end_date", end_date, datetime)
        self._zone = first.tzinfo if first is not None else None
        self.start_date = timezone.convert_to_utc(first)
        # Other than the first one, the last one in default_args is that of each task, which may have its own.
        self.end_date = timezone.convert_to_utc(end_date)
        for name in ("start_date", "end_date"):
            if name in self.default_args:
                self.default_args[name] = timezone.convert_to_utc(self.default_args[name])

    def _set_params(self, params: Mapping[str, Any] | None) -> None:
        # Most DAGs have none, so the class is imported when there are, or when somebody asks.
        extra = self.default_args.pop("params", None) or {}
        self._params: Any = None
        if params or extra:
            from gnomon.sdk.params import ParamsDict

            self.params = ParamsDict(params)
            self.params.update(ParamsDict(extra))
            self.params._fill_missing_param_source("dag")

    @property
    def params(self) -> Any:
        """The DAG's params."""
        if self._params is None:
            from gnomon.sdk.params import ParamsDict

            self._params = ParamsDict()
        return self._params

    @params.setter
    def params(self, params: Any) -> None:
        self._params = params

    def _check_schedule(self) -> None:
        from gnomon.sdk.exceptions import ParamValidationError

        if self.schedule is None and not self.allowed_run_types:
            return
        timetable = self.timetable
        most = timetable.active_runs_limit
        if most is not None and most < self.max_active_runs:
            raise ValueError(
                f"Invalid max_active_runs: {type(timetable).__name__} requires max_active_runs <= {most}"
                f" (DAG {self.dag_id!r})"
            )
        if timetable.can_be_scheduled:
            if self._params:
                try:
                    self.params.validate()
                except ParamValidationError as error:
                    raise ValueError(
                        f"DAG {self.dag_id!r} is not allowed to define a Schedule, as there are required params without"
                        f" default values, or the default values are not valid: {error}"
                    ) from error
            if self.catchup and self.start_date is None and profile() == 3:
                raise ValueError(f"start_date is required when catchup=True (DAG {self.dag_id!r})")
        if self.allowed_run_types:
            from gnomon.sdk.timetables import AssetTriggeredTimetable

            needed = (
                "asset_triggered"
                if isinstance(timetable, AssetTriggeredTimetable)
                else "scheduled"
                if timetable.can_be_scheduled
                else "manual"
            )
            if needed not in self.allowed_run_types:
                raise ValueError(f"allowed_run_types must include {needed.upper()} for the schedule of {self.dag_id!r}")

    # ----------------------------------------------------------------------------------------------- schedule

    @property
    def timezone(self) -> Any:
        """The time zone of the start date, or the default one."""
        from gnomon.sdk import timezone

        if self._zone is None:
            return timezone.default_timezone()
        return timezone.parse_timezone(timezone.name_of(self._zone))

    @property
    def timetable(self) -> Timetable:
        """What `schedule` means."""
        if self._timetable is None:
            from gnomon.sdk.timetables import interpret

            self._timetable = interpret(self.schedule, lambda: self.timezone)
        return self._timetable

    @timetable.setter
    def timetable(self, timetable: Timetable) -> None:
        self._timetable = timetable

    @property
    def schedule_interval(self) -> Any:
        """Airflow 2's name of `schedule`."""
        return self.schedule

    @property
    def timetable_summary(self) -> str:
        """The schedule in a few characters."""
        return self.timetable.summary

    # ----------------------------------------------------------------------------------------------- identity

    def __repr__(self) -> str:
        return f"<DAG: {self.dag_id}>"

    def __lt__(self, other: DAG) -> bool:
        return self.dag_id < other.dag_id

    def __enter__(self) -> Self:
        DagContext.push(self)
        return self

    def __exit__(self, *exc: object) -> None:
        DagContext.pop()

    @property
    def folder(self) -> str:
        """The folder of the DAG file."""
        return os.path.dirname(self.fileloc)

    @property
    def filepath(self) -> str:
        """The DAG file, relative to its bundle."""
        return self.relative_fileloc or self.fileloc

    @property
    def owner(self) -> str:
        """The owners of its tasks."""
        return ", ".join({str(task.owner): None for task in self.tasks})

    @property
    def safe_dag_id(self) -> str:
        """The dag_id without dots."""
        return self.dag_id.replace(".", "__dot__")

    @property
    def display_name(self) -> str:
        """The name to show."""
        return self.dag_display_name

    @property
    def has_on_success_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.on_success_callback)

    @property
    def has_on_failure_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.on_failure_callback)

    # --------------------------------------------------------------------------------------------------- edges

    def get_edge_info(self, upstream_task_id: str, downstream_task_id: str) -> dict[str, Any]:
        """Return what is known of an edge, such as its label."""
        found: dict[str, Any] = self.edge_info.get(upstream_task_id, {}).get(downstream_task_id, {})
        return found

    def set_edge_info(self, upstream_task_id: str, downstream_task_id: str, info: dict[str, Any]) -> None:
        """Store what is known of an edge."""
        self.edge_info.setdefault(upstream_task_id, {})[downstream_task_id] = info

    # -------------------------------------------------------------------------------------------------- checks

    def check_cycle(self) -> None:
        """Check that no task waits for itself.

        Raises:
            AirflowDagCycleException: one does.
        """
        self._flat_order()

    def validate(self) -> None:
        """Check what can only be told once the DAG is whole: the schedule, setups and teardowns, circles.

        Raises:
            AirflowException: something does not fit; the message names it.
        """
        for task in self.task_dict.values():
            wire = getattr(task, "_wire_xcomargs", None)
            if wire is not None:
                wire()
        self.timetable.validate()
        self.validate_setup_teardown()
        self.check_cycle()

    def validate_setup_teardown(self) -> None:
        """Check that what directly follows a setup has the trigger rule all_success.

        Raises:
            ValueError: something has not.
        """
        for task in self.task_dict.values():
            if task.is_setup:
                for after in task.downstream_list:
                    if not after.is_teardown and after.trigger_rule != TriggerRule.ALL_SUCCESS:
                        raise ValueError("Setup tasks must be followed with trigger rule ALL_SUCCESS.")
            FailFastDagInvalidTriggerRule.check(fail_fast=self.fail_fast, trigger_rule=task.trigger_rule)

    # ---------------------------------------------------------------------------------------------- templates

    def get_template_env(self, *, force_sandboxed: bool = False, native: bool | None = None) -> jinja2.Environment:
        """Return the Jinja environment of the DAG's templates."""
        from gnomon.sdk.templating import environment

        if native is None:
            native = self.render_template_as_native_obj
        return environment(
            native=native and not force_sandboxed,
            searchpath=[self.folder, *(self.template_searchpath or ())],
            undefined=self.template_undefined,
            options=self.jinja_environment_kwargs,
            macros=self.user_defined_macros,
            filters=self.user_defined_filters,
        )

    def resolve_template_files(self) -> None:
        """Replace names of template files with their content, in all tasks."""
        for task in self.tasks:
            task.resolve_template_files()

    def param(self, name: str, default: Any = NOTSET) -> Any:
        """Return a reference to a param, for use as an argument."""
        from gnomon.sdk.params import DagParam

        return DagParam(self, name, default)

    @property
    def task(self) -> Any:
        """`@dag.task`: as @task, for this DAG."""
        import functools

        from gnomon.sdk.task_decorators import task

        return functools.partial(task, dag=self)

    # -------------------------------------------------------------------------------------------------- copies

    def partial_subset(
        self,
        task_ids: str | Iterable[str],
        include_downstream: bool = False,
        include_upstream: bool = True,
        include_direct_upstream: bool = False,
        exclude_task_ids: Collection[str] | None = None,
        exclude_task_group_ids: Collection[str] | None = None,
        depth: int | None = None,
    ) -> DAG:
        """Return a copy with some of the tasks.

        Args:
            task_ids: ids, or a regular expression or part of one.
            include_downstream: also what is after them.
            include_upstream: also what is before them.
            include_direct_upstream: also what is directly before any of these.
            exclude_task_ids: not these.
            exclude_task_group_ids: nothing in these groups.
            depth: at most so many edges away.
        """
        from gnomon.sdk.subset import subset

        return subset(
            self,
            task_ids,
            downstream=include_downstream,
            upstream=include_upstream,
            direct_upstream=include_direct_upstream,
            exclude=frozenset(exclude_task_ids or ()),
            exclude_groups=frozenset(exclude_task_group_ids or ()),
            depth=depth,
        )

    # ------------------------------------------------------------------------------------------------ running

    def test(self, **kwargs: Any) -> Any:
        """Run the DAG once, in this process, and return the run; for `if __name__ == "__main__":`.

        Args:
            kwargs: logical_date, run_conf, conn_file_path, variable_file_path, use_executor, mark_success_pattern.
        """
        if test_runner is None:
            from importlib import import_module

            import_module("gnomon.cli.dag_test")
        if test_runner is None:
            raise RuntimeError("dag.test() needs the command line of Gnomon, which is not installed here")
        return test_runner(self, **kwargs)

    def cli(self) -> None:
        """Say what replaced it.

        Raises:
            SystemExit: always.
        """
        raise SystemExit(f"use `airflow dags test {self.dag_id}` or dag.test()")
