"""Cluster policies: what the owner of an installation demands of DAGs, in `airflow_local_settings.py` or in a package.

Without any of them `rules` is None, and that is all that anybody looks at.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from gnomon.sdk import exceptions as errors
from gnomon.service.entry_points import entry_points

log = logging.getLogger(__name__)

#: The module with the policies of an installation.
LOCAL_SETTINGS = "airflow_local_settings"
#: None as long as there is no policy; else pluggy's manager
rules: Any = None
_is_loaded = False

#: Functions of local settings may call their arguments what they like, and leave out those at the end.
_WITH_OUR_NAMES: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "task_policy": lambda given: lambda task: _call(given, task),
    "dag_policy": lambda given: lambda dag: _call(given, dag),
    "task_instance_mutation_hook": lambda given: lambda task_instance, dag_run: _call(given, task_instance, dag_run),
    "pod_mutation_hook": lambda given: lambda pod: _call(given, pod),
    "get_airflow_context_vars": lambda given: lambda context: _call(given, context),
    "get_dagbag_import_timeout": lambda given: lambda dag_file_path: _call(given, dag_file_path),
}


def __getattr__(name: str) -> Any:
    if name == "hookimpl":
        import pluggy

        return pluggy.HookimplMarker("airflow.policy")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _call(given: Callable[..., Any], *args: Any) -> Any:
    import inspect

    parameters = inspect.signature(given).parameters.values()
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return given(*args)
    return given(*args[: len(parameters)])


# ------------------------------------------------------------------------------------------------------ loading


def load() -> None:
    """Load the policies, once for this process.

    Raises:
        AirflowClusterPolicyError: they cannot be loaded; without them no DAG may be run.
    """
    global rules, _is_loaded
    if _is_loaded:
        return
    points = entry_points("airflow.policy")
    module = _local_settings()
    given = _functions_of(module)
    if points or given:
        rules = _manager()
        for point in points:
            try:
                rules.register(point.load(), name=point.name)
            except Exception as error:
                rules = None
                raise errors.AirflowClusterPolicyError(
                    f"the policy {point} of {point.distribution.name} cannot be loaded: {_said(error)}"
                ) from error
        if given:
            rules.register(_as_plugin(given))  # last, so that the installation's own have the last word
    _is_loaded = True


def forget() -> None:
    """Drop the policies, so that they are loaded anew."""
    global rules, _is_loaded
    rules, _is_loaded = None, False
    sys.modules.pop(LOCAL_SETTINGS, None)


def _local_settings() -> Any:
    import importlib

    try:
        return importlib.import_module(LOCAL_SETTINGS)
    except ModuleNotFoundError as error:
        if error.name == LOCAL_SETTINGS:
            return None
        raise errors.AirflowClusterPolicyError(f"{LOCAL_SETTINGS}.py cannot be imported: {_said(error)}") from error
    except Exception as error:
        raise errors.AirflowClusterPolicyError(f"{LOCAL_SETTINGS}.py cannot be imported: {_said(error)}") from error


def _functions_of(module: Any) -> dict[str, Callable[..., Any]]:
    if module is None:
        return {}
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("__")]
    return {name: getattr(module, name) for name in names if name in _WITH_OUR_NAMES and callable(vars(module)[name])}


def _manager() -> Any:
    import importlib

    from pluggy import PluginManager

    made = PluginManager("airflow.policy")
    made.add_hookspecs(importlib.import_module("gnomon.sdk.policy_specs"))
    return made


def _as_plugin(given: dict[str, Callable[..., Any]]) -> Any:
    import pluggy

    mark = pluggy.HookimplMarker("airflow.policy")
    functions = {
        name: staticmethod(mark(_WITH_OUR_NAMES[name](function), specname=name)) for name, function in given.items()
    }
    return type("LocalSettings", (), functions)()


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


# ------------------------------------------------------------------------------------------------------- use


def judge(dags: dict[str, Any]) -> dict[str, str]:
    """Let the policies change and judge the DAGs of a file; DAGs that they refuse are taken out.

    Args:
        dags: the DAGs by id.

    Returns:
        Why, for each DAG that was refused; a DAG that is only to be skipped is gone without a word.
    """
    refused = {}
    for dag_id, dag in list(dags.items()):
        try:
            _apply(dag)
        except errors.AirflowClusterPolicySkipDag as skip:
            log.info("DAG %r is skipped by a policy: %s", dag_id, skip)
            del dags[dag_id]
        except Exception as error:
            violation = error
            if not isinstance(error, errors.AirflowClusterPolicyViolation | errors.AirflowClusterPolicyError):
                violation = errors.AirflowClusterPolicyError(f"a policy failed for DAG {dag_id!r}: {_said(error)}")
            refused[dag_id] = _said(violation)
            del dags[dag_id]
    return refused


def _apply(dag: Any) -> None:
    rules.hook.dag_policy(dag=dag)
    for task in dag.tasks:
        rules.hook.task_policy(task=task)
    if mutates_instances():
        for task in dag.tasks:
            _mutate_instances_of(task)


def mutates_instances() -> bool:
    """Tell whether a policy wants to decide on each task instance."""
    return rules is not None and bool(rules.hook.task_instance_mutation_hook.get_hookimpls())


class FutureInstance:
    """A task instance before there is one, as `task_instance_mutation_hook` sees it when a DAG file is parsed."""

    def __init__(self, task: Any, *, run: Any = None) -> None:
        self.task = task
        self.dag_id = task.dag_id
        self.task_id = task.task_id
        self.run_id = None if run is None else run.run_id
        self.dag_run = run
        self.map_index = -1
        self.try_number = 0
        self.max_tries = task.retries
        self.state = None
        self.operator = task.task_type
        self.custom_operator_name = task.operator_name
        self.run_as_user = task.run_as_user
        self.queue = task.queue
        self.pool = task.pool or "default_pool"
        self.pool_slots = task.pool_slots
        self.priority_weight = task.priority_weight
        self.executor = task.executor
        self.executor_config = task.executor_config

    @property
    def logical_date(self) -> Any:
        """The logical date of the run, if there is one."""
        return None if self.dag_run is None else self.dag_run.logical_date

    def get_dagrun(self, session: Any = None) -> Any:
        """Return the run; None while the DAG file is parsed."""
        return self.dag_run

    def __repr__(self) -> str:
        run = "" if self.run_id is None else f" {self.run_id}"
        return f"<TaskInstance: {self.dag_id}.{self.task_id}{run}>"


#: What a mutation hook decides on while the DAG file is parsed: what is the same for all instances of a task here.
_MUTABLE = ("executor", "executor_config")


def _mutate_instances_of(task: Any) -> None:
    """Apply the hook to a task, without a run and a try; it is asked again about each instance before each try."""
    instance = FutureInstance(task)
    before = {name: getattr(instance, name) for name in _MUTABLE}
    rules.hook.task_instance_mutation_hook(task_instance=instance, dag_run=None)
    for name, value in before.items():
        changed = getattr(instance, name)
        if changed == value:
            continue
        if task.is_mapped:
            task.partial_kwargs[name] = changed
        else:
            setattr(task, name, changed)


def context_variables(context: Any) -> dict[str, str]:
    """Return what the policies add to the environment of a task, under the names that it has there.

    Raises:
        TypeError: a name or value is not a string.
    """
    found = rules.hook.get_airflow_context_vars(context=context) if rules is not None else None
    for name, value in (found or {}).items():
        if not isinstance(name, str):
            raise TypeError(f"get_airflow_context_vars: the name {name!r} must be a string")
        if not isinstance(value, str):
            raise TypeError(f"get_airflow_context_vars: the value of {name} must be a string, not {value!r}")
    return dict(found or {})


def import_timeout(path: str, default: float) -> float:
    """Return how many seconds the import of a DAG file may take; 0 for any."""
    if rules is None:
        return default
    found = rules.hook.get_dagbag_import_timeout(dag_file_path=path)
    if found is None:
        return default
    if not isinstance(found, int | float):
        raise errors.AirflowClusterPolicyError(
            f"get_dagbag_import_timeout returned {found!r} for {path}; it has to be a number of seconds"
        )
    return max(0.0, float(found))


# ------------------------------------------------------------------------------- the names of airflow.settings


def get_policy_plugin_manager() -> Any:
    """Return pluggy's manager of the policies."""
    load()
    return rules if rules is not None else _manager()


def task_policy(task: Any) -> Any:
    """Apply the policies to a task."""
    return get_policy_plugin_manager().hook.task_policy(task=task)


def dag_policy(dag: Any) -> Any:
    """Apply the policies to a DAG."""
    return get_policy_plugin_manager().hook.dag_policy(dag=dag)


def task_instance_mutation_hook(task_instance: Any, dag_run: Any = None) -> Any:
    """Apply the policies to a task instance."""
    return get_policy_plugin_manager().hook.task_instance_mutation_hook(task_instance=task_instance, dag_run=dag_run)


def pod_mutation_hook(pod: Any) -> Any:
    """Apply the policies to a pod of Kubernetes."""
    return get_policy_plugin_manager().hook.pod_mutation_hook(pod=pod)


def get_airflow_context_vars(context: Any) -> dict[str, str]:
    """Return what the policies add to a task's environment."""
    load()
    return context_variables(context)


def get_dagbag_import_timeout(dag_file_path: str) -> float:
    """Return how many seconds the import of a DAG file may take."""
    from gnomon.service.config import conf

    load()
    return import_timeout(dag_file_path, conf.getfloat("core", "dagbag_import_timeout", fallback=30.0))
