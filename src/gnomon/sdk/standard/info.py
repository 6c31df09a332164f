"""What the standard provider, which is part of Gnomon, says of itself."""

from __future__ import annotations

from typing import Any

_PREFIX = "airflow.providers.standard"


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
        "triggers": [
            {
                "integration-name": "Standard",
                "python-modules": [f"{_PREFIX}.triggers.{name}" for name in ("external_task", "file", "temporal")],
            }
        ],
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
