"""What tasks and triggers say about the values that task instances and assets keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gnomon.service import clock
from gnomon.store import errors
from gnomon.store.reads import execution as reads
from gnomon.store.state_store import TaskPlace
from gnomon.store.types import from_micros
from gnomon.wire import execution as wire
from gnomon.wire import state_store as state

if TYPE_CHECKING:
    from gnomon.api.execution.handlers import Handlers

    Caller = wire.TryKey | None
    NamesAsset = state.GetAssetState | state.SetAssetState | state.DeleteAssetState


def get_task_state(self: Handlers, key: Caller, ask: state.GetTaskState) -> wire.Reply:
    """A value of the calling task instance."""
    return wire.Found(self.store.task_states.get(_own(self, key), ask.key).value.encode())


def set_task_state(self: Handlers, key: Caller, ask: state.SetTaskState) -> wire.Reply:
    """Keep a value for the calling task instance."""
    expires = None if ask.expires_at is None else from_micros(ask.expires_at)
    self.store.task_states.set(_own(self, key), ask.key, ask.value.decode(), expires_at=expires, now=clock.now())
    return wire.Done()


def delete_task_state(self: Handlers, key: Caller, ask: state.DeleteTaskState) -> wire.Reply:
    """Forget what the calling task instance keeps."""
    self.store.task_states.delete(_own(self, key), ask.key)
    return wire.Done()


def get_asset_state(self: Handlers, key: Caller, ask: state.GetAssetState) -> wire.Reply:
    """A value of an asset."""
    return wire.Found(self.store.asset_states.get(_asset(self, ask), ask.key).value.encode())


def set_asset_state(self: Handlers, key: Caller, ask: state.SetAssetState) -> wire.Reply:
    """Keep a value for an asset."""
    writer = None if key is None else _own(self, key)
    kind = "watcher" if writer is None else "task"
    states = self.store.asset_states
    states.set(_asset(self, ask), ask.key, ask.value.decode(), kind=kind, now=clock.now(), writer=writer)
    return wire.Done()


def delete_asset_state(self: Handlers, key: Caller, ask: state.DeleteAssetState) -> wire.Reply:
    """Forget what an asset keeps."""
    self.store.asset_states.delete(_asset(self, ask), ask.key)
    return wire.Done()


def _own(self: Handlers, key: Caller) -> TaskPlace:
    if key is None:
        raise errors.Invalid("only a task has a state store of its own")
    with self.store.database.read() as conn:
        place = reads.place_of(conn, key.ti)
    if place is None or place.seq != key.seq:
        raise errors.Conflict("this try is over: it was cleared, marked or given to another worker")
    return TaskPlace(place.dag_id, place.run_id, place.task_id, place.map_index)


def _asset(self: Handlers, ask: NamesAsset) -> int:
    if ask.name is None and ask.uri is None:
        raise errors.Invalid("an asset is named by its name or its URI")
    return self.store.asset_states.asset_id(name=ask.name, uri=ask.uri)


#: Which function answers which message.
TABLE: dict[type, Callable[[Handlers, Caller, Any], wire.Reply]] = {
    state.GetTaskState: get_task_state,
    state.SetTaskState: set_task_state,
    state.DeleteTaskState: delete_task_state,
    state.GetAssetState: get_asset_state,
    state.SetAssetState: set_asset_state,
    state.DeleteAssetState: delete_asset_state,
}
