"""What gateways say, kept in bounds: put-aside pages, failing ticks, compared reports, opt-outs."""

import sqlalchemy as sa
from alembic import op

from worker.store.db.clock import Instant

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns, and the indexes by which their few rows are found."""
    with op.batch_alter_table("xinshi_inbox") as table:
        table.add_column(sa.Column("problem", sa.String(length=200), nullable=True))
    _partial_index("xinshi_inbox", "aside", ["problem"], "problem IS NOT NULL")
    with op.batch_alter_table("xinshi_tick") as table:
        table.add_column(sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
        table.add_column(sa.Column("problem", sa.String(length=200), nullable=True))
    with op.batch_alter_table("xinshi_report") as table:
        table.add_column(sa.Column("compared_at", Instant(), nullable=True))
    _partial_index("xinshi_report", "unnamed", ["gateway_id"], "request_id IS NULL")
    _partial_index(
        "xinshi_report",
        "uncompared",
        ["request_id", "compared_at", "id"],
        "request_id IS NULL AND compared_at IS NULL",
    )
    _partial_index(
        "xinshi_submission",
        "unnamed",
        ["account", "id"],
        "gateway_id IS NULL AND state IN ('unknown', 'accepted')",
    )
    with op.batch_alter_table("xinshi_opt_out") as table:
        table.add_column(sa.Column("account", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("known", sa.Boolean(), nullable=True))
    op.create_index("ix_xinshi_opt_out_account", "xinshi_opt_out", ["account", "known", "since"])


def _partial_index(table: str, name: str, columns: list[str], where: str) -> None:
    """Add an index of the rows that fit `where`; MySQL has no partial indexes and indexes all."""
    condition = sa.text(where)
    op.create_index(
        f"ix_{table}_{name}",
        table,
        columns,
        sqlite_where=condition,
        postgresql_where=condition,
    )
