"""Numbers of campaigns' messages, in their order, so that a message is found by its number."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from worker.store.db.clock import Instant

revision = "0014"
down_revision = "0013"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the table, empty; workers fill it, the newest campaigns first."""
    op.create_table(
        "xinshi_number",
        sa.Column(
            "msisdn",
            sa.String(16).with_variant(sa.String(16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("request_id", _ID, autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("msisdn", "request_id", "n", name=op.f("pk_xinshi_number")),
        sqlite_with_rowid=False,
        **_MYSQL,
    )
    with op.batch_alter_table("xinshi_campaign") as table:
        table.add_column(sa.Column("searchable_at", Instant(), nullable=True))
    is_waiting = sa.text("searchable_at IS NULL")
    op.create_index(
        "ix_xinshi_campaign_unsearchable",
        "xinshi_campaign",
        ["searchable_at", "request_id"],
        sqlite_where=is_waiting,
        postgresql_where=is_waiting,
    )
