"""What an opt-out stops and where it came from, and the history of each number's opt-outs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from worker.store.db.clock import Instant

revision = "0015"
down_revision = "0014"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the columns and the history; who replied, or was entered by a person, is told apart."""
    with op.batch_alter_table("xinshi_opt_out") as table:
        table.add_column(
            sa.Column("scope", sa.String(16), nullable=False, server_default="marketing")
        )
        table.add_column(
            sa.Column("source", sa.String(16), nullable=False, server_default="person")
        )
        table.add_column(sa.Column("evidence", sa.String(200), nullable=True))
    op.execute("UPDATE xinshi_opt_out SET source = 'reply' WHERE account IS NOT NULL")
    stops_all = sa.text("scope = 'all'")
    op.create_index(
        "ix_xinshi_opt_out_all",
        "xinshi_opt_out",
        ["scope"],
        sqlite_where=stops_all,
        postgresql_where=stops_all,
    )
    op.create_table(
        "xinshi_opt_out_history",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("msisdn", sa.String(16), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("why", sa.String(200), nullable=False),
        sa.Column("account", sa.String(64), nullable=True),
        sa.Column("inbound_id", _ID, nullable=True),
        sa.Column("evidence", sa.String(200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_opt_out_history")),
        **_MYSQL,
    )
    op.create_index("ix_xinshi_opt_out_history_msisdn", "xinshi_opt_out_history", ["msisdn", "id"])
    is_suggestion = sa.text("act = 'suggested'")
    op.create_index(
        "ix_xinshi_opt_out_history_suggested",
        "xinshi_opt_out_history",
        ["act", "id"],
        sqlite_where=is_suggestion,
        postgresql_where=is_suggestion,
    )
