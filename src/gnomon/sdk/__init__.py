"""What authors of DAGs import: DAG, task, operators, sensors, assets, timetables.

Each name is imported from its module when it is first used, so that a DAG file pays for what it needs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "1.3.2"

#: module → the names that `gnomon.sdk` (and `airflow.sdk`) export from it
_HOMES = {
    "gnomon.model.states": "DagRunState TaskInstanceState TriggerRule WeightRule",
    "gnomon.sdk.asset_decorator": "asset",
    "gnomon.sdk.assets": ("Asset AssetAccessControl AssetAlias AssetAll AssetAny AssetWatcher Metadata Dataset Model"),
    "gnomon.sdk.branch": "BaseBranchOperator BranchMixIn",
    "gnomon.sdk.callbacks": "AsyncCallback SyncCallback",
    "gnomon.sdk.connection": "Connection",
    "gnomon.sdk.dag": "DAG",
    "gnomon.sdk.dag_function": "dag",
    "gnomon.sdk.deadline": "BaseDeadlineReference DeadlineAlert DeadlineReference deadline_reference",
    "gnomon.sdk.edges": "EdgeModifier Label chain chain_linear cross_downstream",
    "gnomon.sdk.hook": "BaseHook",
    "gnomon.sdk.notifier": "BaseNotifier",
    "gnomon.sdk.operator": "BaseOperator",
    "gnomon.sdk.async_operator": "BaseAsyncOperator",
    "gnomon.sdk.operator_link": "BaseOperatorLink",
    "gnomon.sdk.params": "Param ParamsDict",
    "gnomon.sdk.partitions": (
        "AllowedKeyMapper ChainMapper DayWindow FanOutMapper FixedKeyMapper HourWindow IdentityMapper MinimumCount"
        " MonthWindow PartitionMapper ProductMapper QuarterWindow RollupMapper SegmentWindow StartOfDayMapper"
        " StartOfHourMapper StartOfMonthMapper StartOfQuarterMapper StartOfWeekMapper StartOfYearMapper WaitForAll"
        " WeekWindow Window YearWindow"
    ),
    "gnomon.sdk.resumable": "ResumableJobMixin",
    "gnomon.sdk.retry_policy": "ExceptionRetryPolicy RetryAction RetryDecision RetryPolicy RetryRule",
    "gnomon.sdk.runtime.context": "Context",
    "gnomon.sdk.runtime.current": "get_current_context get_parsing_context",
    "gnomon.sdk.runtime.xcom": "BaseXCom",
    "gnomon.sdk.sensor": "BaseSensorOperator PokeReturnValue",
    "gnomon.sdk.skip": "SkipMixin",
    "gnomon.sdk.task_group": "TaskGroup",
    "gnomon.sdk.task_group_function": "task_group",
    "gnomon.sdk.task_decorators": "result setup task teardown",
    "gnomon.sdk.templating": "literal",
    "gnomon.sdk.timetables": (
        "AssetOrTimeSchedule CronDataIntervalTimetable CronPartitionTimetable CronTriggerTimetable"
        " DeltaDataIntervalTimetable DeltaTriggerTimetable EventsTimetable MultipleCronTriggerTimetable"
        " PartitionedAssetTimetable PartitionedAtRuntime"
    ),
    "gnomon.sdk.types": "NEVER_EXPIRE",
    "gnomon.sdk.variable": "Variable",
    "gnomon.sdk.xcomarg": "XComArg",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(  # noqa: PLE0605 - it is a list of strings
    {*_HOME_OF, "TaskInstance", "__version__", "conf", "lineage", "macros"} - {"Dataset", "Model"}
)


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    elif name == "TaskInstance":
        value = import_module("gnomon.sdk.runtime.task_instance").RuntimeTaskInstance
    elif name == "conf":
        value = import_module("gnomon.sdk.configuration").conf
    elif name in ("macros", "lineage"):
        value = import_module(f"gnomon.sdk.{name}")
    elif name == "ObjectStoragePath":  # not in __all__: what it needs is an extra, and `import *` must do without
        value = import_module("gnomon.sdk.object_storage").ObjectStoragePath
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Keeps `dag` and `task_group` the decorators, although modules of these names are imported below the package."""

    @property
    def dag(self) -> Any:
        """The decorator."""
        return import_module("gnomon.sdk.dag_function").dag

    @dag.setter
    def dag(self, module: ModuleType) -> None:
        """Leave it: the import system wants to put the module here."""

    @property
    def task_group(self) -> Any:
        """The decorator."""
        return import_module("gnomon.sdk.task_group_function").task_group

    @task_group.setter
    def task_group(self, module: ModuleType) -> None:
        """Leave it: the import system wants to put the module here."""


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
