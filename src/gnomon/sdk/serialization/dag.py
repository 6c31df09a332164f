"""The DAG as data: what the scheduler plans on, and what screens show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from gnomon.sdk import listeners, operator_link, plugins, policies
from gnomon.sdk.assets import assets_as_data
from gnomon.sdk.dag import DAG
from gnomon.sdk.exceptions import SerializationError
from gnomon.sdk.expand_input import to_wire
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.runtime import values
from gnomon.sdk.serialization import start_triggers
from gnomon.sdk.settings import profile, setting
from gnomon.sdk.task_group import MappedTaskGroup, TaskGroup
from gnomon.sdk.weight import PriorityWeightStrategy, weights_of
from gnomon.wire import dag as wire


def serialize(dag: DAG) -> wire.SerializedDag:
    """Return the data of a DAG, tasks in topological order."""
    from gnomon.sdk.timezone import name_of

    timetable = dag.timetable
    tasks = [_task(task) for task in dag.topological_sort()]
    made: wire.SerializedDag = _make(
        wire.SerializedDag,
        dag_id=dag.dag_id,
        tasks=tasks,
        groups=[_group(group) for group in dag.task_group_dict.values()],
        timetable=timetable.to_spec(),
        timetable_summary=timetable.summary,
        timetable_description=timetable.description or "",
        timezone="UTC" if dag._zone is None and not _has_default_zone() else name_of(dag.timezone),
        start_date=_moment(dag.start_date),
        end_date=_moment(dag.end_date),
        catchup=dag.catchup,
        max_active_tasks=dag.max_active_tasks,
        max_active_tasks_scope="dag" if profile() == 2 else "run",
        max_active_runs=dag.max_active_runs,
        max_consecutive_failed_dag_runs=dag.max_consecutive_failed_dag_runs,
        dagrun_timeout=_seconds(dag.dagrun_timeout),
        fail_fast=dag.fail_fast,
        is_paused_upon_creation=dag.is_paused_upon_creation,
        has_success_callback=dag.has_on_success_callback or listeners.is_heard("on_dag_run_success"),
        has_failure_callback=dag.has_on_failure_callback or listeners.is_heard("on_dag_run_failed"),
        has_running_listener=listeners.is_heard("on_dag_run_running"),
        params=_params(dag._params, f"DAG {dag.dag_id!r}"),
        dag_run_conf_overrides_params=setting("core", "dag_run_conf_overrides_params", True),
        render_template_as_native_obj=dag.render_template_as_native_obj,
        allowed_run_types=sorted(dag.allowed_run_types) if dag.allowed_run_types else None,
        deadline=[alert.as_data() for alert in dag.deadline],
        dag_display_name=dag.dag_display_name if dag.dag_display_name != dag.dag_id else None,
        description=dag.description,
        doc_md=dag.doc_md,
        tags=sorted(dag.tags),
        owners=list({task.owner: None for task in tasks}),
        owner_links=dag.owner_links,
        fileloc=dag.fileloc,
        relative_fileloc=dag.relative_fileloc or "",
        access_control=_shown(dag.access_control or {}),
        default_args=_shown(dag.default_args),
        edge_labels=_edge_labels(dag),
        rerun_with_latest_version=dag.rerun_with_latest_version,
    )
    return made


def _make(kind: Any, **fields: Any) -> Any:
    """Return a struct; a field that equals its default is left to it, so that it stays out of the JSON."""
    defaults = _DEFAULTS[kind]
    return kind(**{name: value for name, value in fields.items() if name not in defaults or value != defaults[name]})


_DEFAULTS: dict[Any, dict[str, Any]] = {
    kind: {
        field.name: field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        for field in msgspec.structs.fields(kind)
        if field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
    }
    for kind in (wire.SerializedTask, wire.SerializedDag, wire.SerializedGroup)
}


def _has_default_zone() -> bool:
    return str(setting("core", "default_timezone", "utc")).lower() != "utc"


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _seconds(value: timedelta | None) -> float | None:
    return None if value is None else value.total_seconds()


def _edge_labels(dag: DAG) -> dict[str, dict[str, str]]:
    labels: dict[str, dict[str, str]] = {}
    for before, edges in dag.edge_info.items():
        named = {after: info["label"] for after, info in edges.items() if info.get("label")}
        if named:
            labels[before] = named
    return labels


def _shown(value: Any) -> Any:
    """Return a value in terms of JSON, for screens; what has no JSON form is named."""
    if isinstance(value, Mapping):
        return {str(key): _shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_shown(item) for item in value]
        return sorted(items, key=repr) if isinstance(value, (set, frozenset)) else items
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return str(value)
    # A repr may hold an address, which would make each parse a new version.
    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    return f"<{name}>"


def _params(params: Any, owner: str) -> dict[str, dict[str, Any]]:
    if not params:
        return {}
    from gnomon.sdk.params import Param, ParamsDict

    found = {}
    for name, param in (params if isinstance(params, ParamsDict) else ParamsDict(params)).items():
        data = (param if isinstance(param, Param) else Param(param)).serialize()
        try:
            found[name] = values.to_plain(data)
        except values.NotSerializableError as error:
            raise SerializationError(f"{owner}: param {name!r}: {error}") from None
    return found


# ---------------------------------------------------------------------------------------------------- tasks


def _task(task: Any) -> wire.SerializedTask:
    weight_rule = task.weight_rule
    expand = to_wire(task.expand_input) if task.is_mapped else None
    backoff = task.retry_exponential_backoff
    cls = task.operator_class
    group = task.task_group
    made = _make(
        wire.SerializedTask,
        task_id=task.task_id,
        upstream=sorted(task.upstream_task_ids),
        trigger_rule=str(task.trigger_rule),
        retries=task.retries,
        retry_delay=task.retry_delay.total_seconds(),
        retry_exponential_backoff=2.0 if backoff is True else float(backoff or 0.0),
        max_retry_delay=_seconds(task.max_retry_delay),
        depends_on_past=bool(task.depends_on_past),
        ignore_first_depends_on_past=bool(task.ignore_first_depends_on_past),
        wait_for_downstream=bool(task.wait_for_downstream),
        wait_for_past_depends_before_skipping=bool(task.wait_for_past_depends_before_skipping),
        pool=task.pool or "default_pool",
        pool_slots=task.pool_slots,
        priority_weight=task.priority_weight,
        weight_rule=_weight_rule(weight_rule),
        queue=task.queue,
        executor=task.executor,
        max_active_tis_per_dag=task.max_active_tis_per_dag,
        max_active_tis_per_dagrun=task.max_active_tis_per_dagrun,
        execution_timeout=_seconds(task.execution_timeout),
        start_date=_own_date(task, "start_date"),
        end_date=_own_date(task, "end_date"),
        is_setup=task.is_setup,
        is_teardown=task.is_teardown,
        on_failure_fail_dagrun=task.on_failure_fail_dagrun,
        inline=_is_inline(task),
        isolation=_isolation(task),
        expand=expand,
        group=group.group_id if group is not None else None,
        has_failure_callback=task.has_on_failure_callback or _calls_about_failures(task, "email_on_failure"),
        has_retry_callback=task.has_on_retry_callback or _calls_about_failures(task, "email_on_retry"),
        task_type=task.task_type,
        task_module=cls.__module__,
        operator_name=task.operator_name if task.operator_name != task.task_type else "",
        task_display_name=task.task_display_name if task.task_display_name != task.task_id else None,
        owner=task.owner,
        doc_md=task.doc_md,
        template_fields=list(task.template_fields),
        template_fields_renderers=dict(cls.template_fields_renderers),
        ui_color=task.ui_color,
        ui_fgcolor=task.ui_fgcolor,
    )
    if isinstance(weight_rule, PriorityWeightStrategy):
        made.weights, made.is_asked = weights_of(task, each_try=profile() == 2)
    made.is_asked = (made.is_asked or policies.mutates_instances()) and not made.inline
    _add_what_is_rare(task, made)
    return made


def _weight_rule(rule: Any) -> str:
    if isinstance(rule, PriorityWeightStrategy):
        return f"{type(rule).__module__}.{type(rule).__qualname__}"
    return str(rule)


def _calls_about_failures(task: Any, emails: str) -> bool:
    """Tell whether a listener, or an email, wants to hear of a try that has no process left to tell of it."""
    if listeners.is_heard("on_task_instance_failed"):
        return True
    return bool(_given(task, "email")) and bool(getattr(task, emails))


def _own_date(task: Any, name: str) -> str | None:
    own = task.partial_kwargs.get(name) if task.is_mapped else task.__dict__.get(name)
    return _moment(own)


def _given(task: Any, name: str) -> Any:
    """Return an argument without making the empty list or dict that reading the attribute would make."""
    return (task.partial_kwargs if task.is_mapped else task.__dict__).get(name)


def _is_inline(task: Any) -> bool:
    """Tell whether the task would do nothing in its process, so that it needs none."""
    return (
        task.inherits_from_empty_operator
        and task.operator_class.execute is _empty_execute()
        and task.operator_class.pre_execute is BaseOperator.pre_execute
        and not any(
            _given(task, name)
            for name in ("inlets", "outlets", "on_execute_callback", "on_success_callback", "on_skipped_callback")
        )
        and task._pre_execute_hook is None
        and task._post_execute_hook is None
        and not task.start_from_trigger
    )


def _empty_execute() -> Any:
    from gnomon.sdk.standard.empty import EmptyOperator

    return EmptyOperator.execute


def _isolation(task: Any) -> str:
    config = _given(task, "executor_config")
    chosen = config.get("isolation", "fork") if isinstance(config, Mapping) else "fork"
    if chosen not in ("fork", "reuse"):
        raise SerializationError(
            f"task {task.task_id!r}: executor_config['isolation'] has to be 'fork' or 'reuse', not {chosen!r}"
        )
    if chosen == "reuse" and _given(task, "run_as_user"):
        raise SerializationError(
            f"task {task.task_id!r}: a process that runs many tries cannot become the run_as_user of one of them;"
            " leave executor_config['isolation'] at 'fork'"
        )
    return str(chosen)


def _add_what_is_rare(task: Any, made: wire.SerializedTask) -> None:
    if not task.is_mapped and task._params:
        made.params = _params(task._params, f"task {task.task_id!r}")
    elif task.is_mapped and task._own_params:
        made.params = _params(task._own_params, f"task {task.task_id!r}")
    if email := _given(task, "email"):
        made.email = [email] if isinstance(email, str) else list(email)
    if inlets := _given(task, "inlets"):
        made.inlets = assets_as_data(inlets)
    if outlets := _given(task, "outlets"):
        made.outlets = assets_as_data(outlets)
    if links := [*task.operator_extra_links, *plugins.links_of(task)]:
        own = task.extra_links if task.operator_extra_links else []
        made.extra_links = list(dict.fromkeys([*own, *(link.name for link in links)]))
        made.link_keys = {link.name: operator_link.xcom_key_of(link) for link in links}
    if config := _given(task, "executor_config"):
        made.executor_config = _shown(config)
    if task.is_mapped:
        made.start_triggers = start_triggers.of_mapped(task)
    elif task.start_from_trigger:
        made.start_trigger = start_triggers.of_task(task)
    _add_extra(task, made)


def _add_extra(task: Any, made: wire.SerializedTask) -> None:
    for name in ("doc", "doc_json", "doc_yaml", "doc_rst", "run_as_user", "map_index_template"):
        if value := _given(task, name):
            made.extra[name] = value
    if task.inherits_from_skipmixin:
        made.extra["can_skip_downstream"] = True
    if task._is_sensor:
        made.extra["is_sensor"] = True
        if getattr(task, "mode", "poke") == "reschedule":
            made.extra["reschedule"] = True
    if task.returns_dag_result:
        made.extra["returns_dag_result"] = True
    kind, argument = getattr(task.operator_class, "dag_dependency", None) or (None, "")
    other = task.partial_kwargs.get(argument) if task.is_mapped else getattr(task, argument, None)
    if kind and isinstance(other, str):
        made.extra["dag_dependency"] = [kind, other]
    if (resources := _given(task, "resources")) is not None:
        made.extra["resources"] = _shown(resources.to_dict() if hasattr(resources, "to_dict") else resources)


# --------------------------------------------------------------------------------------------------- groups


def _group(group: TaskGroup) -> wire.SerializedGroup:
    made: wire.SerializedGroup = _make(
        wire.SerializedGroup,
        group_id=group.node_id,
        parent=group.parent_group.group_id if group.parent_group is not None else None,
        tooltip=group.tooltip,
        display_name=group.group_display_name or None,
        ui_color=group.ui_color,
        ui_fgcolor=group.ui_fgcolor,
        expand=to_wire(group.expand_input) if isinstance(group, MappedTaskGroup) else None,
        upstream_groups=_sorted(group.upstream_group_ids),
        downstream_groups=_sorted(group.downstream_group_ids),
        upstream_tasks=_sorted(group.upstream_task_ids),
        downstream_tasks=_sorted(group.downstream_task_ids),
    )
    return made


def _sorted(ids: Iterable[str | None]) -> list[str]:
    return sorted(one for one in ids if one is not None)
