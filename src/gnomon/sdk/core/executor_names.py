"""Which executors the settings name, as `ExecutorLoader` tells it."""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar

from gnomon.sdk.configuration import conf
from gnomon.sdk.exceptions import AirflowConfigException, UnknownExecutorException

LOCAL_EXECUTOR = "LocalExecutor"
CELERY_EXECUTOR = "CeleryExecutor"
KUBERNETES_EXECUTOR = "KubernetesExecutor"
MOCK_EXECUTOR = "MockExecutor"
CORE_EXECUTOR_NAMES = {LOCAL_EXECUTOR, CELERY_EXECUTOR, KUBERNETES_EXECUTOR, MOCK_EXECUTOR}


class ConnectorSource(Enum):
    """Where an executor comes from."""

    CORE = "core"
    CUSTOM_PATH = "custom path"


class ExecutorName:
    """An executor as the settings name it.

    Args:
        module_path: the path of its class.
        alias: the name that DAGs use.
        team_name: whose it is.
    """

    def __init__(self, module_path: str, alias: str | None = None, team_name: str | None = None) -> None:
        self.module_path, self.alias, self.team_name = module_path, alias, team_name
        self.connector_source = ConnectorSource.CORE if alias in CORE_EXECUTOR_NAMES else ConnectorSource.CUSTOM_PATH

    def _identity(self) -> tuple[str | None, str | None, str]:
        return self.team_name, self.alias, self.module_path

    def __repr__(self) -> str:
        path = "" if self.connector_source is ConnectorSource.CORE else self.module_path
        return f"{self.team_name or ''}:{self.alias or ''}:{path}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExecutorName) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())


class ExecutorLoader:
    """Reads [core] executor: names of Airflow's, paths of classes, or `alias:either`, with commas between."""

    executors: ClassVar[dict[str, str]] = {
        LOCAL_EXECUTOR: "airflow.executors.local_executor.LocalExecutor",
        CELERY_EXECUTOR: "airflow.providers.celery.executors.celery_executor.CeleryExecutor",
        KUBERNETES_EXECUTOR: ("airflow.providers.cncf.kubernetes.executors.kubernetes_executor.KubernetesExecutor"),
    }

    @classmethod
    def get_executor_names(cls, validate_teams: bool = True) -> list[ExecutorName]:
        """Return the executors of the settings, the default one first."""
        text = conf.get_mandatory_value("core", "executor")
        names = [name for part in text.split(";") for name in cls._of_team(part)]
        if not names:
            raise AirflowConfigException("[core] executor names no executor")
        return names

    @classmethod
    def _of_team(cls, text: str) -> list[ExecutorName]:
        team, equals, listed = text.partition("=")
        found = [
            cls._named(part.strip(), team.strip() if equals else None)
            for part in (listed if equals else text).split(",")
            if part.strip()
        ]
        if len({name.module_path for name in found}) < len(found):
            raise AirflowConfigException(f"[core] executor names an executor twice: {text.strip()}")
        return found

    @classmethod
    def _named(cls, text: str, team: str | None) -> ExecutorName:
        first, colon, second = text.partition(":")
        if colon and (not second or ":" in second):
            raise AirflowConfigException(f"[core] executor: {text!r} is not of the form alias:executor")
        name = second or first
        path = cls.executors.get(name, name)
        if "." not in path:
            raise AirflowConfigException(f"[core] executor: {name!r} is neither an executor of Airflow nor a path")
        alias = first if colon or name in cls.executors else None
        return ExecutorName(path, alias=alias, team_name=team)

    @classmethod
    def get_default_executor_name(cls, team_name: str | None = None) -> ExecutorName:
        """Return the first executor of a team, or of all."""
        names = cls.get_executor_names()
        return next((name for name in names if name.team_name == team_name), names[0])

    @classmethod
    def lookup_executor_name_by_str(
        cls, executor_name_str: str, team_name: str | None = None, validate_teams: bool = True
    ) -> ExecutorName:
        """Return the executor that an alias, a class or a path names.

        Raises:
            UnknownExecutorException: the settings name none so.
        """
        for name in cls.get_executor_names():
            if name.team_name == team_name and executor_name_str in (
                name.alias,
                name.module_path,
                name.module_path.rpartition(".")[2],
            ):
                return name
        raise UnknownExecutorException(f"[core] executor has no executor {executor_name_str!r}")

    @classmethod
    def import_executor_cls(cls, executor_name: ExecutorName) -> tuple[type[Any], ConnectorSource]:
        """Return the class of an executor, and where it comes from."""
        from gnomon.sdk.runtime.values import import_string

        return import_string(executor_name.module_path), executor_name.connector_source

    @classmethod
    def import_default_executor_cls(cls) -> tuple[type[Any], ConnectorSource]:
        """Return the class of the default executor, and where it comes from."""
        return cls.import_executor_cls(cls.get_default_executor_name())

    @classmethod
    def load_executor(cls, executor_name: ExecutorName | str | None) -> Any:
        """Return an executor: the one named, or the default one."""
        if executor_name is None:
            executor_name = cls.get_default_executor_name()
        elif isinstance(executor_name, str):
            executor_name = cls.lookup_executor_name_by_str(executor_name)
        kind, _ = cls.import_executor_cls(executor_name)
        executor = kind(team_name=executor_name.team_name) if executor_name.team_name else kind()
        executor.name = executor_name
        return executor

    @classmethod
    def get_default_executor(cls) -> Any:
        """Return the default executor."""
        return cls.load_executor(None)

    @classmethod
    def init_executors(cls) -> list[Any]:
        """Return all executors of the settings."""
        return [cls.load_executor(name) for name in cls.get_executor_names()]
