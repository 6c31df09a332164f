"""The names of resources and actions that roles are made of."""

from __future__ import annotations

from typing import TypedDict

#: what the constant is called, and the resource
_RESOURCES = {
    "ACTION": "Permissions", "ADMIN_MENU": "Admin", "AUDIT_LOG": "Audit Logs", "BACKFILL": "Backfills",
    "BROWSE_MENU": "Browse", "CONFIG": "Configurations", "CONNECTION": "Connections", "DAG": "DAGs",
    "DAG_CODE": "DAG Code", "DAG_DEPENDENCIES": "DAG Dependencies", "DAG_RUN": "DAG Runs",
    "DAG_VERSION": "DAG Versions", "DAG_WARNING": "DAG Warnings", "CLUSTER_ACTIVITY": "Cluster Activity",
    "ASSET": "Assets", "ASSET_ALIAS": "Asset Aliases", "DATASET": "Datasets", "DOCS": "Documentation",
    "DOCS_MENU": "Docs", "HITL_DETAIL": "HITL Detail", "IMPORT_ERROR": "ImportError", "JOB": "Jobs",
    "MY_PASSWORD": "My Password", "MY_PROFILE": "My Profile", "PASSWORD": "Passwords",
    "PERMISSION": "Permission Views", "PLUGIN": "Plugins", "POOL": "Pools", "PROVIDER": "Providers",
    "RESOURCE": "View Menus", "ROLE": "Roles", "SLA_MISS": "SLA Misses", "TASK_INSTANCE": "Task Instances",
    "TASK_LOG": "Task Logs", "TASK_RESCHEDULE": "Task Reschedules", "TRIGGER": "Triggers", "USER": "Users",
    "USER_STATS_CHART": "User Stats Chart", "VARIABLE": "Variables", "WEBSITE": "Website", "XCOM": "XComs",
}  # fmt: skip
globals().update({f"RESOURCE_{name}": resource for name, resource in _RESOURCES.items()})

RESOURCE_DAG = "DAGs"
RESOURCE_DAG_PREFIX = "DAG:"
RESOURCE_DAG_RUN = "DAG Runs"
RESOURCE_DAG_RUN_PREFIX = "DAG Run:"

ACTION_CAN_CREATE = "can_create"
ACTION_CAN_READ = "can_read"
ACTION_CAN_EDIT = "can_edit"
ACTION_CAN_DELETE = "can_delete"
ACTION_CAN_ACCESS_MENU = "menu_access"
DEPRECATED_ACTION_CAN_DAG_READ = "can_dag_read"
DEPRECATED_ACTION_CAN_DAG_EDIT = "can_dag_edit"


class ResourceDetails(TypedDict):
    """What can be done with a resource, and how the names of single ones begin."""

    actions: set[str]
    prefix: str


DAG_ACTIONS = {ACTION_CAN_READ, ACTION_CAN_EDIT, ACTION_CAN_DELETE}
RESOURCE_DETAILS_MAP: dict[str, ResourceDetails] = {
    RESOURCE_DAG: {"actions": DAG_ACTIONS, "prefix": RESOURCE_DAG_PREFIX},
    RESOURCE_DAG_RUN: {
        "actions": {ACTION_CAN_READ, ACTION_CAN_CREATE, ACTION_CAN_DELETE, ACTION_CAN_ACCESS_MENU},
        "prefix": RESOURCE_DAG_RUN_PREFIX,
    },
}
PREFIX_LIST = [details["prefix"] for details in RESOURCE_DETAILS_MAP.values()]
PREFIX_RESOURCES_MAP = {details["prefix"]: resource for resource, details in RESOURCE_DETAILS_MAP.items()}


def resource_name(dag_id: str, resource: str) -> str:
    """Return the name of one DAG's resource."""
    if dag_id in RESOURCE_DETAILS_MAP or dag_id.startswith(tuple(PREFIX_LIST)):
        return dag_id
    return f"{RESOURCE_DETAILS_MAP[resource]['prefix']}{dag_id}"


def resource_name_for_dag(dag_id: str) -> str:
    """Return the name of one DAG as a resource."""
    return resource_name(dag_id, RESOURCE_DAG)
