"""Run by Alembic: works on the connection that `gnomon.store.schema` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from gnomon.store import deadline_tables, human_input_tables  # noqa: F401 - its tables belong to the metadata
from gnomon.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=False,
)
context.run_migrations()
