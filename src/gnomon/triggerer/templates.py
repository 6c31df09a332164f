"""Render the arguments of a trigger whose task was deferred before it had a process that could have done so.

The DAG file is not imported here: templates see the run, the params and what can be asked for, but no macros and
filters of the DAG's own.
"""

from __future__ import annotations

from typing import Any

from gnomon.wire import execution as wire
from gnomon.wire import triggering

_decode_run = wire.decoder(wire.RunInfo).decode


def render(trigger: Any, owner: triggering.TriggerOwner, templates: triggering.TriggerTemplates) -> None:
    """Render those attributes of a trigger that its task has as template fields; blocks."""
    import jinja2

    from gnomon.sdk.runtime import values
    from gnomon.sdk.templating import environment
    from gnomon.service.masking import masker

    fields = [name for name in templates.fields if hasattr(trigger, name)]
    if not fields:
        return
    ti = _task_instance(owner, templates, values)
    env = environment(undefined=jinja2.Undefined)
    try:
        ti.task._do_render_template_fields(trigger, fields, ti.get_template_context(), env, set())
    except Exception as error:
        raise RuntimeError(
            f"an argument of {type(trigger).__name__} cannot be rendered: {masker.redact(str(error))}"
        ) from error


def _task_instance(owner: triggering.TriggerOwner, templates: triggering.TriggerTemplates, values: Any) -> Any:
    from msgspec import Raw

    from gnomon.sdk.dag import DAG
    from gnomon.sdk.operator import BaseOperator
    from gnomon.sdk.runtime.dag_run import DagRun
    from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance
    from gnomon.service.config import profile

    run = _decode_run(templates.run)
    dag = DAG(owner.dag_id, schedule=None, params=_params(templates.dag_params, values))
    task = BaseOperator(task_id=owner.task_id, dag=dag, params=_params(templates.task_params, values))
    workload = wire.Workload(
        key=wire.TryKey(owner.id, 0),
        task_id=owner.task_id,
        map_index=owner.map_index,
        try_number=owner.try_number,
        max_tries=templates.max_tries,
        file=wire.FileRef(bundle="", path="", relative_path="", source_hash=""),
        run=Raw(templates.run),
    )
    return RuntimeTaskInstance(workload, task, DagRun(run), start_date=run.start_date or 0, profile=profile())


def _params(given: dict[str, dict[str, Any]], values: Any) -> dict[str, Any]:
    from gnomon.sdk.params import Param

    return {name: Param.deserialize(values.from_plain(data), 1) for name, data in given.items()}
