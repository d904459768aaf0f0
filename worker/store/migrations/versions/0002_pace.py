"""Pace, holds, health: what is learned of accounts, and how often each number was called."""

import sqlalchemy as sa
from alembic import op

from worker.store.db.clock import Instant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the account's pace, proof, health and gathering, and the recipients' calls."""
    with op.batch_alter_table("xinshi_account_state") as table:
        table.add_column(sa.Column("pace", sa.JSON(none_as_null=True), nullable=True))
        table.add_column(sa.Column("learned", sa.JSON(none_as_null=True), nullable=True))
        table.add_column(sa.Column("gather_until", Instant(), nullable=True))
        table.add_column(sa.Column("proven", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("held_login", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("health", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "xinshi_recipient",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("msisdn", sa.String(length=16), nullable=False),
        sa.Column("calls", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("forget_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("account", "msisdn", name=op.f("pk_xinshi_recipient")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_xinshi_recipient_forget_at", "xinshi_recipient", ["forget_at"])
