"""Answers questions about user code in a process of its own; see `gnomon.service.inspection`.

    python -P -m gnomon.parsing.inspection <question> <descriptor for the answer>

What the question is about comes as JSON on standard input. Whatever is imported may print: only the descriptor counts.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from gnomon.parsing import project


def main() -> None:
    """Answer one question."""
    question, descriptor = sys.argv[1], int(sys.argv[2])
    os.set_inheritable(descriptor, False)
    about = json.loads(sys.stdin.buffer.read() or b"null")
    logging.basicConfig(level=logging.ERROR)
    _prepare_path()
    answer = QUESTIONS[question](about)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(answer, file, default=str)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads and exit handlers of what was imported are of no interest


def _prepare_path() -> None:
    from gnomon.service.config import conf

    folder = os.path.expanduser(conf.get("core", "dags_folder", fallback="") or "")
    project.prepare_sys_path(folder, project.roots(folder))


# -------------------------------------------------------------------------------------------------- plugins


def _plugins(about: Any) -> dict[str, Any]:
    """Return what `airflow plugins` and the API list: plugins, and the errors of others."""
    from gnomon.parsing import surroundings
    from gnomon.sdk import plugins
    from gnomon.service.config import conf

    folder = os.path.expanduser(conf.get("core", "dags_folder", fallback="") or "")
    around = surroundings.prepare(project.roots(folder))
    loaded = plugins.loaded()
    return {
        "plugins": [plugins.described(plugin) for plugin in loaded.plugins],
        "errors": [{"source": source, "error": error} for source, error in loaded.errors.items()],
        "files": around.files,
    }


# ------------------------------------------------------------------------------------------------ providers


def _registry() -> Any:
    from gnomon.sdk.provider_registry import ProvidersManager

    return ProvidersManager()


def _providers(about: Any) -> list[dict[str, Any]]:
    """Return all providers, and all that the one says of itself that `about` names."""
    from gnomon.sdk.providers import provider_infos

    return [
        {
            "package_name": name,
            "description": _plain(info.get("description") or info.summary),
            "version": info.version,
            "documentation_url": info.documentation_url,
            "info": _said_by(info) if about == name else None,
        }
        for name, info in provider_infos().items()
    ]


def _said_by(info: Any) -> dict[str, Any]:
    """Return what a provider says of itself; where it is documented comes with its package."""
    said = {**info, "description": _plain(info.get("description") or info.summary)}
    return said | ({"documentation-url": info.documentation_url} if info.documentation_url else {})


def _plain(text: str) -> str:
    """Return a description without the marks of reStructuredText."""
    return text.strip(" \n.").translate(str.maketrans("", "", "`_<>"))


def _hooks(about: Any) -> list[dict[str, Any]]:
    broken = "Error when importing hook!"
    return [
        {
            "connection_type": conn_type,
            "class": hook.hook_class_name if hook else broken,
            "conn_id_attribute_name": hook.connection_id_attribute_name if hook else broken,
            "package_name": hook.package_name if hook else broken,
            "hook_name": hook.hook_name if hook else broken,
        }
        for conn_type, hook in _registry().hooks.items()
    ]


def _widgets(about: Any) -> list[dict[str, Any]]:
    from gnomon.sdk.connection_forms import declared_type

    return [
        {
            "connection_parameter_name": name,
            "class": widget.hook_class_name,
            "package_name": widget.package_name,
            "field_type": declared_type(widget.field),
        }
        for name, widget in sorted(_registry().connection_form_widgets.items())
    ]


def _triggers(about: Any) -> list[dict[str, Any]]:
    return [
        {"package_name": one.package_name, "class": one.trigger_class_name, "integration_name": one.integration_name}
        for one in _registry().trigger
    ]


def _notifications(about: Any) -> list[dict[str, Any]]:
    return [{"notification_class_name": one.notification_class_name} for one in _registry().notification]


def _configs(about: Any) -> list[dict[str, Any]]:
    return [{"provider_config": [name, config]} for name, config in _registry().provider_configs]


def _dialects(about: Any) -> list[dict[str, Any]]:
    return [{"dialect_name": one.name, "class": one.dialect_class_name} for one in _registry().dialects.values()]


def _listed(attribute: str, column: str) -> Callable[[Any], list[dict[str, Any]]]:
    """Return the answer to a question about a list of class names."""
    return lambda about: _rows(column, getattr(_registry(), attribute))


def _rows(column: str, values: Iterable[Any]) -> list[dict[str, Any]]:
    return [{column: value} for value in values]


def _hook_forms(about: Any) -> list[dict[str, Any]]:
    """Return, for each connection type, what its form looks like."""
    from gnomon.sdk.connection_forms import as_param
    from gnomon.sdk.providers import provider_infos

    registry = _registry()
    names = {
        entry["connection-type"]: entry.get("hook-name")
        for info in provider_infos().values()
        for entry in info.get("connection-types", ())
    }
    fields: dict[str, dict[str, Any]] = {}
    for key, widget in registry.connection_form_widgets.items():
        conn_type = key.removeprefix("extra__").removesuffix(f"__{widget.field_name}")
        fields.setdefault(conn_type, {})[widget.field_name] = as_param(widget.field)
    found = []
    for conn_type in sorted(registry.hooks):
        name = names.get(conn_type)
        hook = None if name else registry.hooks[conn_type]
        found.append(
            {
                "connection_type": conn_type,
                "hook_class_name": _hook_path(conn_type),
                "hook_name": name or (hook.hook_name if hook else conn_type),
                "behaviour": registry.field_behaviours.get(conn_type),
                "extra_fields": fields.get(conn_type),
            }
        )
    return found


def _hook_path(conn_type: str) -> str | None:
    from gnomon.sdk.providers import hook_paths

    return hook_paths().get(conn_type)


# ------------------------------------------------------------------------------------- connections and logs


def _test_connection(about: Any) -> dict[str, Any]:
    """Return whether a connection works; `about` has its fields."""
    from gnomon.sdk.connection import Connection
    from gnomon.sdk.secrets import CONN_ENV_PREFIX

    connection = Connection(**about)
    # Hooks look their connection up by its id, so it is put where they find it first in this process.
    os.environ[CONN_ENV_PREFIX + str(connection.conn_id).upper()] = connection.as_json()
    status, message = connection.test_connection()
    return {"status": status, "message": message}


def _stored_connection(about: Any) -> dict[str, Any] | None:
    """Return the fields of a connection that a secrets backend or the environment has."""
    from gnomon.sdk.secrets import look_up

    found = look_up(f"connection {about!r}", lambda backend: backend.get_connection(about))
    if found is None:
        return None
    names = ("conn_type", "host", "schema", "login", "password", "port", "extra", "description")
    return {"conn_id": about, **{name: getattr(found, name, None) for name in names}}


def _log_url(about: Any) -> dict[str, Any]:
    """Return where the log of a try can be read in a browser; `about` has the task instance."""
    from gnomon.sdk import remote_logging

    return {"url": remote_logging.url(about)}


def _read_log(about: Any) -> dict[str, Any]:
    """Return a log that is kept elsewhere; `about` has its path, its task instance, and the store's connection."""
    from gnomon.sdk import remote_logging
    from gnomon.sdk.connection import Connection
    from gnomon.sdk.secrets import CONN_ENV_PREFIX

    if given := about.get("connection"):
        os.environ[CONN_ENV_PREFIX + str(given["conn_id"]).upper()] = Connection(**given).as_json()
    sources, logs = remote_logging.read(about["path"], about["ti"])
    return {"sources": sources, "logs": logs}


QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "plugins": _plugins,
    "providers": _providers,
    "hooks": _hooks,
    "widgets": _widgets,
    "behaviours": lambda about: _rows("field_behaviours", sorted(_registry().field_behaviours)),
    "links": _listed("extra_links_class_names", "extra_link_class_name"),
    "logging": _listed("logging_class_names", "logging_class_name"),
    "secrets": _listed("secrets_backend_class_names", "secrets_backend_class_name"),
    "executors": _listed("executor_class_names", "executor_class_names"),
    "queues": _listed("queue_class_names", "queue_class_names"),
    "auth-managers": _listed("auth_managers", "auth_managers_module"),
    "auth": _listed("auth_backend_module_names", "api_auth_backend_module"),
    "notifications": _notifications,
    "triggers": _triggers,
    "configs": _configs,
    "dialects": _dialects,
    "hook-forms": _hook_forms,
    "test-connection": _test_connection,
    "stored-connection": _stored_connection,
    "read-log": _read_log,
    "log-url": _log_url,
}

if __name__ == "__main__":
    main()
