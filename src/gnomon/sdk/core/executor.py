"""The base class of Airflow's executors, as provider packages subclass it.

Gnomon's own executors are not of this kind (`gnomon.executors`); this one keeps the books of an executor that somebody
else drives: what is queued, what runs, what was heard of it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeAlias

from gnomon.sdk.configuration import conf
from gnomon.sdk.core import workloads
from gnomon.sdk.core.stats import Stats
from gnomon.sdk.core.workloads import WorkloadKey, state_class_for_key
from gnomon.sdk.legacy import prune_dict
from gnomon.sdk.log import LoggingMixin
from gnomon.sdk.runtime.task_instance import TaskInstanceKey
from gnomon.service import clock

EventBufferValueType: TypeAlias = tuple[str | None, Any]


def __getattr__(name: str) -> Any:
    """Return PARALLELISM, which is a setting."""
    if name == "PARALLELISM":
        return conf.getint("core", "parallelism")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_execution_api_server_url(conf_source: Any = conf) -> str:
    """Return where tasks reach the execution API: a setting, or below the address of the API server."""
    base = conf_source.get("api", "base_url", fallback="/") or "/"
    if base.startswith("/"):
        base = f"http://localhost:8080{base}"
    url: str = conf_source.get("core", "execution_api_server_url", fallback=None) or f"{base.rstrip('/')}/execution/"
    return url


@dataclass
class RunningRetryAttemptType:
    """How often, and since when, it was tried to queue a task again that still seemed to run."""

    MIN_SECONDS: ClassVar[int] = 10
    total_tries: int = field(default=0, init=False)
    tries_after_min: int = field(default=0, init=False)
    first_attempt_time: datetime = field(default_factory=clock.now, init=False)

    @property
    def elapsed(self) -> float:
        """Seconds since the first attempt."""
        return (clock.now() - self.first_attempt_time).total_seconds()

    def can_try_again(self) -> bool:
        """Tell whether no attempt was made yet after the shortest time."""
        if self.tries_after_min > 0:
            return False
        self.total_tries += 1
        if self.elapsed > self.MIN_SECONDS:
            self.tries_after_min += 1
        return True


class ExecutorConf:
    """The settings as one team's executor sees them: AIRFLOW__<TEAM>___<SECTION>__<OPTION> comes first."""

    def __init__(self, team_name: str | None = None) -> None:
        self.team_name = team_name

    def _section(self, section: str, key: str) -> str:
        own = f"{self.team_name}___{section}"
        return own if self.team_name and conf.lookup(own, key) is not None else section

    def get(self, section: str, key: str, **kwargs: Any) -> Any:
        """Return a setting as text."""
        return conf.get(self._section(section, key), key, **kwargs)

    def getboolean(self, section: str, key: str, **kwargs: Any) -> Any:
        """Return a setting as a bool."""
        return conf.getboolean(self._section(section, key), key, **kwargs)

    def getint(self, section: str, key: str, **kwargs: Any) -> Any:
        """Return a setting as a whole number."""
        return conf.getint(self._section(section, key), key, **kwargs)

    def getjson(self, section: str, key: str, **kwargs: Any) -> Any:
        """Return a setting that is JSON."""
        return conf.getjson(self._section(section, key), key, **kwargs)

    def get_mandatory_value(self, section: str, key: str, **kwargs: Any) -> Any:
        """Return a setting that must be there."""
        return conf.get_mandatory_value(self._section(section, key), key, **kwargs)

    def getsection(self, section: str) -> dict[str, Any] | None:
        """Return all settings of a section."""
        return conf.getsection(section)

    def has_option(self, section: str, key: str, **_: Any) -> bool:
        """Tell whether a setting is there."""
        return conf.has_option(self._section(section, key), key)


class BaseExecutor(LoggingMixin):
    """What an executor of Airflow's kind inherits.

    Args:
        parallelism: how much may run at one time; [core] parallelism unless given.
        team_name: whose settings it reads.
    """

    supports_ad_hoc_ti_run = False
    supports_callbacks = False
    supports_multi_team = False
    supports_connection_test = False
    sentry_integration = ""
    is_local = False
    is_production = True
    pre_assigns_external_executor_id: ClassVar[bool] = False
    serve_logs = False

    job_id: int | str | None = None
    name: Any = None
    callback_sink: Any = None

    def __init__(self, parallelism: int | None = None, team_name: str | None = None) -> None:
        super().__init__()
        self.parallelism: int = conf.getint("core", "parallelism") if parallelism is None else parallelism
        if self.parallelism <= 0:
            raise ValueError(f"parallelism must be at least 1, not {self.parallelism}")
        self.team_name = team_name
        self.conf = ExecutorConf(team_name)
        self.queued_tasks: dict[TaskInstanceKey, workloads.ExecuteTask] = {}
        self.queued_callbacks: dict[workloads.CallbackKey, workloads.ExecuteCallback] = {}
        self.queued_connection_tests: dict[workloads.ConnectionTestKey, workloads.TestConnection] = {}
        self.running: set[WorkloadKey] = set()
        self.event_buffer: dict[WorkloadKey, EventBufferValueType] = {}
        self._task_event_logs: deque[Any] = deque()
        self.attempts: dict[WorkloadKey, RunningRetryAttemptType] = defaultdict(RunningRetryAttemptType)

    def __repr__(self) -> str:
        team = f", team_name={self.team_name!r}" if self.team_name else ""
        return f"{type(self).__name__}(parallelism={self.parallelism}{team})"

    # ------------------------------------------------------------------------------- what subclasses say

    def start(self) -> None:
        """Get ready; for subclasses."""

    def sync(self) -> None:
        """Find out how what runs is getting on; for subclasses."""

    def end(self) -> None:
        """Wait for what runs; for subclasses."""
        raise NotImplementedError

    def terminate(self) -> None:
        """Stop now; for subclasses."""
        raise NotImplementedError

    def revoke_task(self, *, ti: Any) -> None:
        """Take a task instance back; for subclasses."""
        raise NotImplementedError

    def _process_workloads(self, workload_items: Sequence[Any]) -> None:
        raise NotImplementedError(f"{type(self).__name__} must implement _process_workloads()")

    def try_adopt_task_instances(self, tis: Sequence[Any]) -> Sequence[Any]:
        """Take over what an earlier executor has started; return what could not be."""
        return tis

    def get_task_log(self, ti: Any, try_number: int) -> tuple[list[str], list[str]]:
        """Return (messages, logs) of a try that runs."""
        return [], []

    @staticmethod
    def get_cli_commands() -> list[Any]:
        """Return the commands that the executor adds to `airflow`."""
        return []

    # --------------------------------------------------------------------------------------- what comes in

    def queue_workload(self, workload: Any, session: Any = None) -> None:
        """Take a workload; it is started by a later heartbeat."""
        if isinstance(workload, workloads.ExecuteTask):
            self.queued_tasks[workload.ti.key] = workload
        elif isinstance(workload, workloads.ExecuteCallback):
            self._must_support(workload, self.supports_callbacks)
            self.queued_callbacks[workload.key] = workload
        elif isinstance(workload, workloads.TestConnection):
            self._must_support(workload, self.supports_connection_test)
            self.queued_connection_tests[workload.key] = workload
        else:
            raise ValueError(f"{type(self).__name__} cannot run a {type(workload).__name__}")

    def _must_support(self, workload: Any, supported: bool) -> None:
        if not supported:
            raise NotImplementedError(f"{type(self).__name__} does not support workloads of type {workload.type}")

    def heartbeat(self) -> None:
        """Start what there are slots for, and let `sync` look at what runs."""
        open_slots = self.parallelism - len(self.running)
        queued = len(self.queued_tasks) + len(self.queued_callbacks) + len(self.queued_connection_tests)
        self._emit_metrics(open_slots, len(self.running), queued)
        self.trigger_tasks(open_slots)
        self.trigger_connection_tests()
        self.sync()

    def trigger_tasks(self, open_slots: int) -> None:
        """Hand callbacks, then tasks by priority, to `_process_workloads`, as many as there are slots."""
        chosen = self._get_workloads_to_schedule(open_slots)
        for key, _ in chosen:
            self.attempts.pop(key, None)
        if chosen:
            self._process_workloads([workload for _, workload in chosen])

    def trigger_connection_tests(self) -> None:
        """Hand tests of connections to `_process_workloads`, as many as there are slots left."""
        if self.supports_connection_test and self.queued_connection_tests:
            free = max(0, self.parallelism - len(self.running))
            if chosen := list(self.queued_connection_tests.values())[:free]:
                self._process_workloads(chosen)

    def _get_workloads_to_schedule(self, open_slots: int) -> list[tuple[Any, Any]]:
        # Callbacks first: they end work that has been begun.
        waiting = [*self.queued_callbacks.items(), *self.order_queued_tasks_by_priority()]
        return waiting[: max(0, open_slots)]

    def order_queued_tasks_by_priority(self) -> list[tuple[TaskInstanceKey, workloads.ExecuteTask]]:
        """Return the queued tasks, highest priority weight first."""
        return sorted(self.queued_tasks.items(), key=lambda item: -item[1].ti.priority_weight)

    def _emit_metrics(self, open_slots: int, running: int, queued: int) -> None:
        for metric, status, value in (
            ("open_slots", "open", open_slots),
            ("queued_tasks", "queued", queued),
            ("running_tasks", "running", running),
        ):
            tags = {"status": status, "executor_class_name": type(self).__name__, "team_name": self.team_name}
            Stats.gauge(f"executor.{metric}", value, tags=prune_dict(tags))

    # -------------------------------------------------------------------------------------- what goes out

    def change_state(self, key: WorkloadKey, state: Any, info: Any = None, remove_running: bool = True) -> None:
        """Note the state of a workload for whoever asks with `get_event_buffer`."""
        if remove_running:
            self.running.discard(key)
        self.event_buffer[key] = state, info

    def fail(self, key: WorkloadKey, info: Any = None) -> None:
        """Note a failure."""
        self.change_state(key, state_class_for_key(key).FAILED, info)

    def success(self, key: WorkloadKey, info: Any = None) -> None:
        """Note a success."""
        self.change_state(key, state_class_for_key(key).SUCCESS, info)

    def queued(self, key: WorkloadKey, info: Any = None) -> None:
        """Note that it waits in the executor."""
        self.change_state(key, state_class_for_key(key).QUEUED, info)

    def running_state(self, key: WorkloadKey, info: Any = None) -> None:
        """Note that it has begun."""
        self.change_state(key, state_class_for_key(key).RUNNING, info, remove_running=False)

    def get_event_buffer(self, dag_ids: Any = None) -> dict[WorkloadKey, EventBufferValueType]:
        """Return what was noted, of these DAGs and of what belongs to none, and forget it."""
        taken = {
            key: event
            for key, event in self.event_buffer.items()
            if dag_ids is None or not isinstance(key, TaskInstanceKey) or key.dag_id in dag_ids
        }
        self.event_buffer = {key: event for key, event in self.event_buffer.items() if key not in taken}
        return taken

    def log_task_event(self, *, event: str, extra: str, ti_key: WorkloadKey) -> None:
        """Note something for the audit log."""
        if isinstance(ti_key, TaskInstanceKey):
            self._task_event_logs.append({"event": event, "extra": extra, "task_instance": ti_key})

    def send_callback(self, request: Any) -> None:
        """Hand a callback to the sink."""
        if self.callback_sink is None:
            raise ValueError("this executor has no callback_sink yet")
        self.callback_sink.send(request)

    # ------------------------------------------------------------------------------------------- questions

    def has_task(self, task_instance: Any) -> bool:
        """Tell whether a task instance is queued or runs here."""
        names = {task_instance.id, task_instance.key}
        return any(name in self.queued_tasks or name in self.running for name in names)

    @property
    def slots_occupied(self) -> int:
        """How many workloads are queued or run."""
        queued = len(self.queued_tasks) + len(self.queued_callbacks) + len(self.queued_connection_tests)
        return len(self.running) + queued

    @property
    def slots_available(self) -> int:
        """How many more can be taken."""
        return self.parallelism - self.slots_occupied

    def debug_dump(self) -> None:
        """Log all that is queued, runs or was noted."""
        for name in ("queued_tasks", "queued_callbacks", "running", "event_buffer"):
            held = getattr(self, name)
            self.log.info("executor.%s (%d)\n\t%s", name, len(held), "\n\t".join(map(repr, held)))

    @staticmethod
    def run_workload(workload: Any, **_: Any) -> int:
        """Refuse: a try is run by Gnomon's worker, over its own protocol."""
        from gnomon.sdk.exceptions import AirflowException

        raise AirflowException(
            f"the {type(workload).__name__} {workload.display_name} cannot be run in this process: Gnomon's workers run"
            " tasks, and start with `gnomon worker`"
        )

    @classmethod
    def _get_parser(cls) -> argparse.ArgumentParser:
        from gnomon.sdk.core.commands import parser_of

        return parser_of(cls.get_cli_commands())
