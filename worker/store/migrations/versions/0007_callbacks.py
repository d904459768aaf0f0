"""Callbacks remember which API key added them, and when a call named them last."""

import sqlalchemy as sa
from alembic import op

from worker.store.db.clock import Instant

revision = "0007"
down_revision = "0006"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add both columns; of callbacks from before nothing is known."""
    with op.batch_alter_table("xinshi_callback") as table:
        table.add_column(sa.Column("key_id", _ID, nullable=True))
        table.add_column(sa.Column("used_at", Instant(), nullable=True))
