"""What replies ask for, and the reply by which a number opted out."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the two columns, and the indexes by which their few rows are found."""
    with op.batch_alter_table("xinshi_inbound_message") as table:
        table.add_column(sa.Column("meaning", sa.String(length=8), nullable=True))
    _partial_index("xinshi_inbound_message", "meaning", ["meaning", "id"])
    with op.batch_alter_table("xinshi_opt_out") as table:
        table.add_column(sa.Column("inbound_id", _ID, nullable=True))
    _partial_index("xinshi_opt_out", "inbound", ["inbound_id"])


def _partial_index(table: str, name: str, columns: list[str]) -> None:
    """Add an index of the rows that have its first column; MySQL indexes all."""
    condition = sa.text(f"{columns[0]} IS NOT NULL")
    op.create_index(
        f"ix_{table}_{name}",
        table,
        columns,
        sqlite_where=condition,
        postgresql_where=condition,
    )
