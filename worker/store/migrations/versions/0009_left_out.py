"""The rows of a list that became no message, and what the recipients of a campaign will read."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the rows that were left out, and what is known of a campaign's texts."""
    with op.batch_alter_table("xinshi_campaign") as table:
        table.add_column(sa.Column("preview", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "xinshi_left_out_row",
        sa.Column("request_id", _ID, autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("problem", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("request_id", "n", name=op.f("pk_xinshi_left_out_row")),
        sqlite_with_rowid=False,
        **_MYSQL,
    )
