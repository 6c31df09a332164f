"""What listeners of plugins are told in a process of their own: dag-processor ↔ listener host. Times as in `execution`."""

from __future__ import annotations

from typing import Any

import msgspec

from gnomon.wire import execution

#: Which functions of listeners an announcement of a kind is for.
HOOKS: dict[str, tuple[str, ...]] = {
    "starting": ("on_starting",),
    "stopping": ("before_stopping",),
    "asset_created": ("on_asset_created", "on_dataset_created"),
    "alias_created": ("on_asset_alias_created",),
    "asset_event": ("on_asset_changed", "on_dataset_changed", "on_asset_event_emitted"),
    "run_success": ("on_dag_run_success",),
    "run_failed": ("on_dag_run_failed",),
    "task_success": ("on_task_instance_success",),
    "task_failed": ("on_task_instance_failed",),
    "task_skipped": ("on_task_instance_skipped",),
}


class Announcement(msgspec.Struct, frozen=True, tag="announcement"):
    """dag-processor → host: tell listeners."""

    id: int
    kind: str
    data: dict[str, Any]
    #: of the DAG that it is about
    file: execution.FileRef | None = None


class AnnouncementMade(msgspec.Struct, frozen=True, tag="announced"):
    """Host → dag-processor: they have been told."""

    id: int
    #: why that was not possible
    error: str | None = None


FromHost = AnnouncementMade | execution.Ask | execution.Tell
ToHost = Announcement | execution.Reply
