"""Long raw pages in pieces, so that none of them holds up who writes beside."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_RAW = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add the pieces; pages that are stored already stay whole where they are."""
    with op.batch_alter_table("xinshi_inbox") as table:
        table.add_column(sa.Column("size", sa.Integer(), nullable=True))
    op.create_table(
        "xinshi_inbox_piece",
        sa.Column("inbox_id", _ID, autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", _RAW, nullable=False),
        sa.ForeignKeyConstraint(
            ["inbox_id"],
            ["xinshi_inbox.id"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("inbox_id", "n", name=op.f("pk_xinshi_inbox_piece")),
        **_MYSQL,
    )
