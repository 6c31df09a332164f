"""Writing `airflow_settings.yaml` into the database, and back."""

from __future__ import annotations

from gnomon.cli.connection_form import from_uri
from gnomon.cli.settings_file import ConnectionEntry, Settings
from gnomon.store.engine import Store
from gnomon.store.records import Connection, Pool, Variable


def apply(settings: Settings, store: Store) -> str:
    """Create or replace what the file says, pools first; return what was done, for people."""
    if settings.pools:
        present = {pool.name: pool for pool in store.pools.all()}
        store.pools.import_many(
            Pool(
                entry.name,
                entry.slots,
                # An empty description leaves the one that is there, so that default_pool keeps its own.
                entry.description or (present[entry.name].description if entry.name in present else None),
            )
            for entry in settings.pools
        )
    if settings.variables:
        store.variables.import_many(Variable(entry.key, entry.value) for entry in settings.variables)
    if settings.connections:
        store.connections.import_many(_connection(entry) for entry in settings.connections)
    counts = {
        "pool": len(settings.pools),
        "variable": len(settings.variables),
        "connection": len(settings.connections),
    }
    return ", ".join(f"{count} {noun}{'s' * (count != 1)}" for noun, count in counts.items() if count)


def _connection(entry: ConnectionEntry) -> Connection:
    if entry.uri:
        return from_uri(entry.conn_id, entry.uri)
    return Connection(
        conn_id=entry.conn_id,
        conn_type=entry.conn_type or "",
        host=entry.host,
        schema=entry.schema,
        login=entry.login,
        password=entry.password,
        port=entry.port,
        extra=entry.extra,
    )
