"""Import errors, jobs, the audit log, settings, providers and plugins."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request
from fastapi.responses import PlainTextResponse

from gnomon.api.auth.roles import CONFIG, DAGS, VIEWS
from gnomon.api.context import Ctx, router
from gnomon.api.public import params
from gnomon.api.public.errors import not_found
from gnomon.api.public.models import admin as models
from gnomon.service import clock
from gnomon.service.config import SENSITIVE, conf
from gnomon.service.inspection import InspectionError, Remembered
from gnomon.service.masking import masker
from gnomon.store.reads import admin as reads
from gnomon.store.reads.listing import Query as Asked
from gnomon.store.reads.listing import fetch

import_errors = router("Import Error", VIEWS, "/importErrors")
jobs = router("Job", VIEWS, "/jobs")
event_logs = router("Event Log", DAGS, "/eventLogs")
config = router("Config", CONFIG, "/config")
providers = router("Provider", VIEWS, "/providers")
plugins = router("Plugin", VIEWS, "/plugins")

_user_side = Remembered()
_PLUGIN_FIELDS = (
    "name",
    "macros",
    "flask_blueprints",
    "fastapi_apps",
    "fastapi_root_middlewares",
    "external_views",
    "react_apps",
    "appbuilder_views",
    "appbuilder_menu_items",
    "global_operator_extra_links",
    "operator_extra_links",
    "source",
    "listeners",
    "timetables",
)
_import_errors = params.Reader(reads.IMPORT_ERRORS)
_jobs = params.Reader(reads.JOBS)
_events = params.Reader(reads.EVENTS)


@import_errors.get("", openapi_extra=_import_errors.openapi())
def get_import_errors(ctx: Ctx, query: Annotated[Asked, Depends(_import_errors)]) -> models.ImportErrorCollection:
    """Return a page of the files that could not be read, and why."""
    with ctx.snapshot() as conn:
        page = fetch(conn, reads.IMPORT_ERRORS, query)
    rows = [models.DagImportError.model_validate(row) for row in page.rows]
    return models.ImportErrorCollection(import_errors=rows, total_entries=page.total)


@import_errors.get("/{import_error_id}")
def get_import_error(ctx: Ctx, import_error_id: int) -> models.DagImportError:
    """Return one import error."""
    with ctx.read() as conn:
        row = reads.by_key(conn, reads.IMPORT_ERRORS, import_error_id)
    if row is None:
        raise not_found(f"The ImportError with import_error_id: `{import_error_id}` was not found")
    return models.DagImportError.model_validate(row)


@jobs.get("", openapi_extra=_jobs.openapi())
def get_jobs(ctx: Ctx, query: Annotated[Asked, Depends(_jobs)], is_alive: bool | None = None) -> models.JobCollection:
    """Return a page of processes."""
    oldest = clock.now() - timedelta(seconds=conf.getint("scheduler", "scheduler_health_check_threshold", fallback=30))
    where = [] if is_alive is None else [reads.alive_since(oldest, is_alive)]
    with ctx.snapshot() as conn:
        page = fetch(conn, reads.JOBS, query, *where)
    return models.JobCollection(jobs=[models.Job.model_validate(row) for row in page.rows], total_entries=page.total)


@event_logs.get("", openapi_extra=_events.openapi())
def get_event_logs(ctx: Ctx, query: Annotated[Asked, Depends(_events)]) -> models.EventLogCollection:
    """Return a page of the audit log."""
    with ctx.snapshot() as conn:
        page = fetch(conn, reads.EVENTS, query)
    rows = [models.EventLog.model_validate(row) for row in page.rows]
    return models.EventLogCollection(event_logs=rows, total_entries=page.total)


@event_logs.get("/{event_log_id}")
def get_event_log(ctx: Ctx, event_log_id: int) -> models.EventLog:
    """Return one entry of the audit log."""
    with ctx.read() as conn:
        row = reads.by_key(conn, reads.EVENTS, event_log_id)
    if row is None:
        raise not_found(f"The Event Log with id: `{event_log_id}` not found")
    return models.EventLog.model_validate(row)


@config.get("", response_model=models.Config)
def get_config(request: Request, section: str | None = None) -> Any:
    """Return the settings, if [api] expose_config says that they may be shown; secrets never are."""
    _check_exposed()
    names = conf.sections() if section is None else [section]
    if section is not None and not conf.has_section(section):
        raise not_found(f"Section {section} not found.")
    found: dict[str, list[models.ConfigOption]] = {name: [] for name in names}
    for name, key, setting in conf.items():
        if name in found:
            found[name].append(models.ConfigOption(key=key, value=_shown(name, key, setting.value)))
    sections = [models.ConfigSection(name=name, options=options) for name, options in found.items()]
    if request.headers.get("accept", "").startswith("text/plain"):
        return PlainTextResponse("\n".join(_text(one) for one in sections))
    return models.Config(sections=sections)


@config.get("/section/{section}/option/{option}", response_model=models.Config)
def get_config_value(request: Request, section: str, option: str) -> Any:
    """Return one setting."""
    _check_exposed()
    setting = conf.lookup(section, option)
    if setting is None or setting.value is None:
        raise not_found(f"Option [{section}/{option}] not found.")
    shown = models.ConfigOption(key=option, value=_shown(section, option, setting.value))
    one = models.ConfigSection(name=section, options=[shown])
    if request.headers.get("accept", "").startswith("text/plain"):
        return PlainTextResponse(_text(one))
    return models.Config(sections=[one])


@providers.get("")
def get_providers(limit: int = 50, offset: int = 0) -> models.ProviderCollection:
    """Return the provider packages that are installed for user code."""
    rows = [models.Provider.model_validate(one) for one in _inspected("providers")]
    page = rows[max(offset, 0) :][: min(max(limit, 0), params.page_limit())]
    return models.ProviderCollection(providers=page, total_entries=len(rows))


@plugins.get("")
def get_plugins(
    limit: Annotated[int, Query(ge=0)] = 50, offset: Annotated[int, Query(ge=0)] = 0
) -> models.PluginCollection:
    """Return the plugins, as a process of user code has loaded them."""
    found = [_plugin(one) for one in _inspected("plugins")["plugins"]]
    page = found[offset:][: min(limit, params.page_limit())]
    return models.PluginCollection(plugins=page, total_entries=len(found))


def _plugin(about: dict[str, Any]) -> dict[str, Any]:
    kept = {name: about[name] for name in _PLUGIN_FIELDS}
    return {**kept, "external_views": [*about["external_views"], *about["appbuilder_menu_items"]]}


def _inspected(question: str) -> Any:
    try:
        return _user_side.ask(question)
    except InspectionError as error:
        raise HTTPException(503, str(error)) from None


@plugins.get("/importErrors", operation_id="import_errors")
def get_plugin_import_errors() -> models.PluginImportErrorCollection:
    """Return the plugins that could not be loaded, and why."""
    found = _inspected("plugins")["errors"]
    return models.PluginImportErrorCollection(import_errors=found, total_entries=len(found))


def _check_exposed() -> None:
    setting = str(conf.get("api", "expose_config", fallback="False")).lower()
    if setting not in ("true", "1", "yes", "non-sensitive-only"):
        raise HTTPException(
            403, "Your Airflow administrator chose not to expose the configuration, most likely for security reasons."
        )


def _shown(section: str, key: str, value: Any) -> str:
    hidden = (section, key) in SENSITIVE or masker.is_sensitive(key)
    return "< hidden >" if hidden else str(masker.redact(value))


def _text(section: models.ConfigSection) -> str:
    lines = [f"{option.key} = {option.value}" for option in section.options]
    return "\n".join([f"[{section.name}]", *lines, ""])
