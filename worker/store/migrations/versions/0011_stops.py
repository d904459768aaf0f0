"""The classes that a person has stopped."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from worker.store.db.clock import Instant

revision = "0011"
down_revision = "0010"

_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the stops."""
    op.create_table(
        "xinshi_stop",
        sa.Column("class", sa.String(length=16), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("class", name=op.f("pk_xinshi_stop")),
        **_MYSQL,
    )
