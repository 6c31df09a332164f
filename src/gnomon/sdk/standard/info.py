"""What the standard provider, which is part of Gnomon, says of itself."""

from __future__ import annotations

from typing import Any

_PREFIX = "airflow.providers.standard"
#: Its modules, by kind.
_OPERATORS = "bash branch datetime empty hitl latest_only python smooth trigger_dagrun weekday"
_SENSORS = "bash date_time external_task filesystem python time time_delta weekday"
_HOOKS = "filesystem package_index subprocess"
_TRIGGERS = "external_task file temporal hitl"


def _modules(kind: str, names: str) -> list[dict[str, Any]]:
    modules = [f"{_PREFIX}.{kind}.{name}" for name in names.split()]
    return [{"integration-name": "Standard", "python-modules": modules}]


def get_provider_info() -> dict[str, Any]:
    """Return it in the form of all providers."""
    return {
        "package-name": "apache-airflow-providers-standard",
        "name": "Standard",
        "description": "Airflow's standard operators, sensors and hooks, built into Gnomon",
        "extra-links": [
            f"{_PREFIX}.operators.trigger_dagrun.TriggerDagRunLink",
            f"{_PREFIX}.sensors.external_task.ExternalDagLink",
        ],
        "operators": _modules("operators", _OPERATORS),
        "sensors": _modules("sensors", _SENSORS),
        "hooks": _modules("hooks", _HOOKS),
        "triggers": _modules("triggers", _TRIGGERS),
        "config": {
            "standard": {
                "description": "How the standard provider works.",
                "options": {
                    "venv_install_method": {
                        "description": "What makes the environments of virtualenv operators: uv, pip, or auto for uv"
                        " where it is installed and pip elsewhere.",
                        "version_added": None,
                        "type": "string",
                        "example": "uv",
                        "default": "auto",
                    }
                },
            }
        },
        "connection-types": [
            {
                "connection-type": "fs",
                "hook-class-name": f"{_PREFIX}.hooks.filesystem.FSHook",
                "hook-name": "File (path)",
                "conn-fields": {"path": {"label": "Path", "schema": {"type": ["string", "null"]}}},
                "ui-field-behaviour": {"hidden-fields": ["host", "schema", "port", "login", "password", "extra"]},
            },
            {
                "connection-type": "package_index",
                "hook-class-name": f"{_PREFIX}.hooks.package_index.PackageIndexHook",
                "hook-name": "Package Index (Python)",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {"host": "Package Index URL"},
                    "placeholders": {
                        "host": "https://packages.example.org/simple",
                        "login": "User of the index",
                        "password": "Its password, which is masked",
                    },
                },
            },
        ],
    }
