"""The base class of auth managers, as providers subclass it, and what they are asked about.

Gnomon's API has its own users and roles (`gnomon.api.auth`) and takes no other auth manager; these names let the
packages that bring one be imported and their decisions be tried.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Literal, NoReturn, TypeAlias, TypedDict, TypeVar
from urllib.parse import urlsplit

from gnomon.sdk.configuration import conf

ResourceMethod: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]
ExtendedResourceMethod: TypeAlias = Literal["GET", "POST", "PUT", "DELETE", "MENU"]
COOKIE_NAME_JWT_TOKEN = "_token"  # noqa: S105 - the name of a cookie


@dataclass
class ConfigurationDetails:
    """A section of the settings."""

    section: str | None = None


@dataclass
class ConnectionDetails:
    """A connection."""

    conn_id: str | None = None
    team_name: str | None = None


@dataclass
class DagDetails:
    """A DAG."""

    id: str | None = None
    team_name: str | None = None


@dataclass
class BackfillDetails:
    """A backfill."""

    id: int | None = None


@dataclass
class AssetDetails:
    """An asset."""

    id: str | None = None


@dataclass
class DatasetDetails:
    """A dataset; Airflow 2 named it by its URI."""

    uri: str | None = None


@dataclass
class AssetAliasDetails:
    """An alias of assets."""

    id: str | None = None


@dataclass
class PoolDetails:
    """A pool."""

    name: str | None = None
    team_name: str | None = None


@dataclass
class TeamDetails:
    """A team."""

    name: str | None = None


@dataclass
class VariableDetails:
    """A variable."""

    key: str | None = None
    team_name: str | None = None


def _names(kind: str, *names: str) -> Any:
    return Enum(kind, {name: name for name in names}, module=__name__)


AccessView = _names(
    "AccessView", "CLUSTER_ACTIVITY", "DOCS", "IMPORT_ERRORS", "JOBS", "PLUGINS", "PROVIDERS", "TRIGGERS", "WEBSITE"
)
DagAccessEntity = _names(
    "DagAccessEntity", "AUDIT_LOG", "CODE", "DEPENDENCIES", "HITL_DETAIL", "RUN", "TASK", "TASK_INSTANCE", "TASK_LOGS",
    "VERSION", "WARNING", "XCOM",
)  # fmt: skip


class MenuItem(Enum):
    """The entries of the menu."""

    REQUIRED_ACTIONS = "Required Actions"
    ASSETS = "Assets"
    AUDIT_LOG = "Audit Log"
    CONFIG = "Config"
    CONNECTIONS = "Connections"
    DAGS = "Dags"
    DEADLINES = "Deadlines"
    DOCS = "Docs"
    JOBS = "Jobs"
    PLUGINS = "Plugins"
    POOLS = "Pools"
    PROVIDERS = "Providers"
    VARIABLES = "Variables"
    XCOMS = "XComs"


@dataclass
class ExtraMenuItem:
    """An entry that an auth manager adds to the menu."""

    text: str
    href: str


class IsAuthorizedConnectionRequest(TypedDict, total=False):
    """One question about a connection."""

    method: ResourceMethod
    details: ConnectionDetails | None


class IsAuthorizedDagRequest(TypedDict, total=False):
    """One question about a DAG."""

    method: ResourceMethod
    access_entity: Any
    details: DagDetails | None


class IsAuthorizedPoolRequest(TypedDict, total=False):
    """One question about a pool."""

    method: ResourceMethod
    details: PoolDetails | None


class IsAuthorizedVariableRequest(TypedDict, total=False):
    """One question about a variable."""

    method: ResourceMethod
    details: VariableDetails | None


class BaseUser:
    """A user; subclasses say who."""

    def get_id(self) -> str:
        """Return the id."""
        raise NotImplementedError

    def get_name(self) -> str:
        """Return the name."""
        raise NotImplementedError


T = TypeVar("T", bound=BaseUser)


class BaseAuthManager(ABC, Generic[T]):
    """Says who a user is and what they may do."""

    def __init__(self, context: Any = None) -> None:
        super().__init__()

    def init(self) -> None:
        """Get ready; for subclasses."""

    @abstractmethod
    def deserialize_user(self, token: dict[str, Any]) -> T:
        """Return the user of a token."""

    @abstractmethod
    def serialize_user(self, user: T) -> dict[str, Any]:
        """Return what a token says of a user."""

    @abstractmethod
    def get_url_login(self, **kwargs: Any) -> str:
        """Return where users log in."""

    def get_url_logout(self) -> str | None:
        """Return where users log out, if that is elsewhere."""
        return None

    def refresh_user(self, *, user: T) -> T | None:
        """Return the user anew, or None if there is nothing new."""
        return None

    def revoke_token(self, token: str) -> None:
        """Refuse: the tokens are Gnomon's."""
        _refuse()

    def generate_jwt(self, user: T, *, expiration_time_in_seconds: int = 0) -> str:
        """Refuse: the tokens are Gnomon's."""
        _refuse()

    def get_fastapi_app(self) -> Any:
        """Return an application with the auth manager's own pages."""
        return None

    def get_fastapi_middlewares(self) -> list[tuple[Any, dict[str, Any]]]:
        """Return what requests go through."""
        return []

    @staticmethod
    def get_cli_commands() -> list[Any]:
        """Return the commands that it adds to `airflow`."""
        return []

    @staticmethod
    def get_db_manager() -> str | None:
        """Return what manages its tables."""
        return None

    # ------------------------------------------------------------------------------------------ questions

    @abstractmethod
    def is_authorized_configuration(
        self, *, method: ResourceMethod, user: T, details: ConfigurationDetails | None = None
    ) -> bool:
        """Tell whether a user may do this with settings."""

    @abstractmethod
    def is_authorized_connection(
        self, *, method: ResourceMethod, user: T, details: ConnectionDetails | None = None
    ) -> bool:
        """Tell whether a user may do this with a connection."""

    @abstractmethod
    def is_authorized_dag(
        self, *, method: ResourceMethod, user: T, access_entity: Any = None, details: DagDetails | None = None
    ) -> bool:
        """Tell whether a user may do this with a DAG, or with this part of it."""

    @abstractmethod
    def is_authorized_asset(self, *, method: ResourceMethod, user: T, details: AssetDetails | None = None) -> bool:
        """Tell whether a user may do this with an asset."""

    @abstractmethod
    def is_authorized_asset_alias(
        self, *, method: ResourceMethod, user: T, details: AssetAliasDetails | None = None
    ) -> bool:
        """Tell whether a user may do this with an alias of assets."""

    @abstractmethod
    def is_authorized_pool(self, *, method: ResourceMethod, user: T, details: PoolDetails | None = None) -> bool:
        """Tell whether a user may do this with a pool."""

    @abstractmethod
    def is_authorized_variable(
        self, *, method: ResourceMethod, user: T, details: VariableDetails | None = None
    ) -> bool:
        """Tell whether a user may do this with a variable."""

    @abstractmethod
    def is_authorized_view(self, *, access_view: Any, user: T) -> bool:
        """Tell whether a user may see this."""

    @abstractmethod
    def is_authorized_custom_view(self, *, method: ResourceMethod, resource_name: str, user: T) -> bool:
        """Tell whether a user may do this with something of a plugin's."""

    @abstractmethod
    def filter_authorized_menu_items(self, menu_items: list[MenuItem], *, user: T) -> list[MenuItem]:
        """Return the entries that a user sees."""

    def is_authorized_team(self, *, method: ResourceMethod, user: T, details: TeamDetails | None = None) -> bool:
        """Tell whether a user may do this with a team."""
        raise NotImplementedError(f"{type(self).__name__} knows no teams")

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: T) -> bool:
        """Tell whether a user may answer a question that was put to these users."""
        return not assigned_users or user.get_id() in assigned_users

    # --------------------------------------------------------------------------------- several at a time

    def batch_is_authorized_connection(self, requests: Sequence[IsAuthorizedConnectionRequest], *, user: T) -> bool:
        """Tell whether all of it is allowed."""
        return all(
            self.is_authorized_connection(method=one["method"], details=one.get("details"), user=user)
            for one in requests
        )

    def batch_is_authorized_dag(self, requests: Sequence[IsAuthorizedDagRequest], *, user: T) -> bool:
        """Tell whether all of it is allowed."""
        return all(
            self.is_authorized_dag(
                method=one["method"], access_entity=one.get("access_entity"), details=one.get("details"), user=user
            )
            for one in requests
        )

    def batch_is_authorized_pool(self, requests: Sequence[IsAuthorizedPoolRequest], *, user: T) -> bool:
        """Tell whether all of it is allowed."""
        return all(
            self.is_authorized_pool(method=one["method"], details=one.get("details"), user=user) for one in requests
        )

    def batch_is_authorized_variable(self, requests: Sequence[IsAuthorizedVariableRequest], *, user: T) -> bool:
        """Tell whether all of it is allowed."""
        return all(
            self.is_authorized_variable(method=one["method"], details=one.get("details"), user=user) for one in requests
        )

    def filter_authorized_connections(
        self, *, conn_ids: Iterable[str], user: T, method: ResourceMethod = "GET", team_name: str | None = None
    ) -> set[str]:
        """Return those of these connections that a user may do this with."""
        return {
            name
            for name in conn_ids
            if self.is_authorized_connection(method=method, details=ConnectionDetails(name, team_name), user=user)
        }

    def filter_authorized_dag_ids(
        self, *, dag_ids: Iterable[str], user: T, method: ResourceMethod = "GET", team_name: str | None = None
    ) -> set[str]:
        """Return those of these DAGs that a user may do this with."""
        return {
            name
            for name in dag_ids
            if self.is_authorized_dag(method=method, details=DagDetails(name, team_name), user=user)
        }

    def filter_authorized_pools(
        self, *, pool_names: Iterable[str], user: T, method: ResourceMethod = "GET", team_name: str | None = None
    ) -> set[str]:
        """Return those of these pools that a user may do this with."""
        return {
            name
            for name in pool_names
            if self.is_authorized_pool(method=method, details=PoolDetails(name, team_name), user=user)
        }

    def filter_authorized_variables(
        self, *, variable_keys: Iterable[str], user: T, method: ResourceMethod = "GET", team_name: str | None = None
    ) -> set[str]:
        """Return those of these variables that a user may do this with."""
        return {
            name
            for name in variable_keys
            if self.is_authorized_variable(method=method, details=VariableDetails(name, team_name), user=user)
        }

    def get_authorized_menu_items(self, *, user: T) -> list[MenuItem]:
        """Return the entries of the menu that a user sees."""
        return self.filter_authorized_menu_items(list(MenuItem), user=user)

    def get_extra_menu_items(self, *, user: T) -> list[ExtraMenuItem]:
        """Return further entries of the menu."""
        return []


def _refuse() -> NoReturn:
    from gnomon.sdk.exceptions import AirflowException

    raise AirflowException("Gnomon makes and checks the tokens of its API itself; [core] auth_manager takes no other")


def get_auth_manager() -> NoReturn:
    """Refuse: Gnomon's API has its own users and roles."""
    _refuse()


def get_cookie_path() -> str:
    """Return the path that cookies are for, which is that of [api] base_url."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/") or "/"


def __getattr__(name: str) -> Any:
    """Return AUTH_MANAGER_FASTAPI_APP_PREFIX, which depends on a setting."""
    if name == "AUTH_MANAGER_FASTAPI_APP_PREFIX":
        return f"{get_cookie_path().rstrip('/')}/auth"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
