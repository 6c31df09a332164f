"""The application: REST v2, logins, the execution protocol, and later the pages of the UI.

Building eighty routes and their validators takes longer than everything else together when a server starts, and most
installations never use most of them. So a module of routes is loaded when a request comes for it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from gnomon import __version__
from gnomon.api.auth import users
from gnomon.api.auth.tokens import Tokens, secret
from gnomon.api.context import Context
from gnomon.api.execution import http as execution_http
from gnomon.api.public import errors
from gnomon.service.config import conf
from gnomon.service.inspection import plugins_may_be_there
from gnomon.store.engine import Store

if TYPE_CHECKING:
    from gnomon.api.execution import Handlers

API = "/api/v2"
_RUN = "dags/[^/]+/dagRuns/[^/]+"
_TASKS = f"{_RUN}/task(Group)?Instances(/.*)?|dags/[^/]+/clearTaskInstances"
#: Each module with routers: where it is mounted, the paths that need it, its routers. An operation that comes later
#: gets its line here.
MODULES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "gnomon.api.auth.routes": ("", "/auth/.*|/api/v2/auth/.*", ("login", "logins")),
    "gnomon.api.public.routes.monitor": (API, "(monitor/.*|version)", ("monitor", "version")),
    "gnomon.api.public.routes.dags": (API, "dags(/[^/]+(/(details|favorite|unfavorite))?)?", ("dags",)),
    "gnomon.api.public.routes.dag_facts": (
        API,
        "dags/[^/]+/(tasks|dagVersions)(/.*)?|dag(Sources|Tags|Stats|Warnings)(/.*)?",
        ("tasks", "versions", "sources", "tags", "stats", "warnings"),
    ),
    "gnomon.api.public.routes.runs": (
        API,
        f"dags/[^/]+/(dagRuns|clearDagRuns|clearPartitions)|{_RUN}(/(clear|wait))?",
        ("runs", "clears"),
    ),
    "gnomon.api.public.routes.human_input": (
        API,
        f"{_RUN}/(taskInstances/.+/)?hitlDetails(/.*)?",
        ("listed", "details"),
    ),
    # Always together, and in this order: of …/{task_id}/xcomEntries and …/{task_id}/{map_index} the first one counts.
    "gnomon.api.public.routes.state_store": (API, _TASKS, ("tasks",)),
    "gnomon.api.public.routes.xcoms": (API, _TASKS, ("xcoms",)),
    "gnomon.api.public.routes.logs": (API, _TASKS, ("logs",)),
    "gnomon.api.public.routes.links": (API, _TASKS, ("links", "log_urls")),
    "gnomon.api.public.routes.task_instances": (API, _TASKS, ("listed",)),
    "gnomon.api.public.routes.task_instance_changes": (API, _TASKS, ("marks", "clears", "groups")),
    "gnomon.api.public.routes.variables": (API, "variables(/.*)?", ("variables",)),
    # Both together, and in this order: of …/enqueue-test and …/{connection_id} the first one counts.
    "gnomon.api.public.routes.connection_tests": (API, "connections(/.*)?", ("tests",)),
    "gnomon.api.public.routes.connections": (API, "connections(/.*)?", ("connections",)),
    "gnomon.api.public.routes.connection_forms": ("/ui", "connections/hook_meta", ("forms",)),
    "gnomon.api.public.routes.deadlines": ("/ui", f"{_RUN}/deadlines|dags/[^/]+/deadlineAlerts", ("deadlines",)),
    "gnomon.api.public.routes.asset_state_store": (API, "assets/[^/]+/state-store(/.*)?", ("assets",)),
    "gnomon.api.public.routes.assets": (
        API,
        f"assets(/(?!.*state-store).*)?|dags/[^/]+/assets/.*|{_RUN}/upstreamAssetEvents",
        ("assets", "queues", "upstream"),
    ),
    "gnomon.api.public.routes.dag_parsing": (API, "parseDagFile/.*", ("parsing",)),
    "gnomon.api.public.routes.backfills": (API, "backfills(/.*)?", ("backfills",)),
    "gnomon.api.public.routes.pools": (API, "pools(/.*)?", ("pools",)),
    "gnomon.api.public.routes.admin": (
        API,
        "(importErrors|jobs|eventLogs|config|providers|plugins)(/.*)?",
        ("import_errors", "jobs", "event_logs", "config", "providers", "plugins"),
    ),
}


def create_app(store: Store, *, handlers: Handlers | None = None) -> FastAPI:
    """Return the application of one store.

    Args:
        store: the database.
        handlers: the answers to remote workers; made for the store when the first one asks, unless given.
    """
    tokens = Tokens(secret())
    swagger = conf.getboolean("api", "enable_swagger_ui", fallback=True)
    app = Application(
        title="Airflow API",
        description="The REST API v2 of Airflow, served by Gnomon.",
        version=__version__,
        openapi_url="/openapi.json",
        docs_url="/docs" if swagger else None,
        redoc_url="/redoc" if swagger else None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.context = Context(store, None if users.everybody_is_admin() else tokens)
    errors.add_handlers(app)
    app.router.routes.append(execution_http.route(store, tokens, handlers))
    app.add_middleware(_OnDemand, loads=app.load_for)
    if plugins_may_be_there():
        from gnomon.api.plugin_apps import PluginApps

        app.add_middleware(PluginApps, context=app.state.context)
    return app


class Application(FastAPI):
    """FastAPI with routes that are loaded when they are needed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._waiting = {
            module: re.compile(f"{prefix}/(?:{paths})" if prefix else paths)
            for module, (prefix, paths, _) in MODULES.items()
        }

    def load_for(self, path: str) -> None:
        """Add the routes that a path may be for."""
        for module in [module for module, paths in self._waiting.items() if paths.fullmatch(path)]:
            self._load(module)

    def load_all(self) -> None:
        """Add all routes."""
        for module in list(self._waiting):
            self._load(module)

    def openapi(self) -> dict[str, Any]:
        """Return the description of the whole API."""
        self.load_all()
        return super().openapi()

    def _load(self, module: str) -> None:
        for router in routers(module):
            self.include_router(router, prefix=MODULES[module][0])
        del self._waiting[module]


class _OnDemand:
    """Loads what a request needs before it is routed."""

    def __init__(self, app: ASGIApp, loads: Any) -> None:
        self._app = app
        self._loads = loads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._loads(scope["path"])
        await self._app(scope, receive, send)


def routers(module: str) -> Iterable[APIRouter]:
    """Yield the routers of a module."""
    loaded = importlib.import_module(module)
    for name in MODULES[module][2]:
        yield getattr(loaded, name)
