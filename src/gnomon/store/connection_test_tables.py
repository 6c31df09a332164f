"""The table of connection tests that somebody has asked for and comes back for; part of `gnomon.store.tables`."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text, text

from gnomon.store.tables import metadata
from gnomon.store.types import Instant

#: What is tested is not kept here: it has secrets in it.
connection_test = Table(
    "connection_test",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("connection_id", String(250), nullable=False),
    #: pending, running, success or failed
    Column("state", String(20), nullable=False),
    Column("result_message", Text),
    Column("created_at", Instant, nullable=False),
    #: by then the server that runs the test has said how it went, or is gone
    Column("until", Instant, nullable=False),
)
#: One test of a connection goes at a time.
Index(
    "ix_connection_test_active",
    connection_test.c.connection_id,
    unique=True,
    sqlite_where=text("state IN ('pending', 'running')"),
    postgresql_where=text("state IN ('pending', 'running')"),
)
