"""Run by Alembic: works on the connection that `gnomon.store.schema` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from gnomon.store import (  # noqa: F401 - their tables belong to the metadata
    asset_tables,
    backfill_tables,
    connection_test_tables,
    deadline_tables,
    human_input_tables,
    state_tables,
)
from gnomon.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=False,
)
context.run_migrations()
