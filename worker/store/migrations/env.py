"""Configure Alembic, which runs this file, on the connection that `migrate` handed over."""

from alembic import context

from worker.store.migrations import VERSION_TABLE
from worker.store.schema.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_name=lambda name, kind, _parents: kind != "table" or (name or "").startswith("xinshi_"),
)
with context.begin_transaction():
    context.run_migrations()
