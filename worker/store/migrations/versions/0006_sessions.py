"""Sessions of the pages that were ended by signing out."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from worker.store.db.clock import Instant

revision = "0006"
down_revision = "0005"

_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the sessions that were ended."""
    op.create_table(
        "xinshi_ended_session",
        sa.Column("session", sa.String(length=32), nullable=False),
        sa.Column("forget_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_xinshi_ended_session")),
        **_MYSQL,
    )
