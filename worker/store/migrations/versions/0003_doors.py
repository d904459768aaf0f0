"""The doors: what applications are told, and where; keys are added by the same step."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from worker.store.db.clock import Instant

revision = "0003"
down_revision = "0002"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Add callbacks and their outbox."""
    with op.batch_alter_table("xinshi_request") as table:
        table.add_column(sa.Column("callback_id", _ID, nullable=True))
    op.create_table(
        "xinshi_callback",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("url", _LONG, nullable=False),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("inbound", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("removed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_callback")),
        **_MYSQL,
    )
    op.create_index("ix_xinshi_callback_sender", "xinshi_callback", ["sender"])
    op.create_table(
        "xinshi_callback_event",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("callback_id", _ID, nullable=False),
        sa.Column("request_id", _ID, nullable=True),
        sa.Column("lo", sa.Integer(), nullable=True),
        sa.Column("hi", sa.Integer(), nullable=True),
        sa.Column("inbound_id", _ID, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("problem", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_callback_event")),
        sqlite_autoincrement=True,
        **_MYSQL,
    )
    op.create_index(
        "ix_xinshi_callback_event_due", "xinshi_callback_event", ["callback_id", "next_at"]
    )
    _keys()


def _keys() -> None:
    """Add the API keys, what is counted against text bombing, and the order of a sender's own."""
    op.create_index("ix_xinshi_request_sender", "xinshi_request", ["sender", "id"])
    op.create_table(
        "xinshi_api_key",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_xinshi_api_key_digest")),
        **_MYSQL,
    )
    op.create_index("ix_xinshi_api_key_name", "xinshi_api_key", ["name"])
    op.create_table(
        "xinshi_allowance",
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("who", sa.String(length=128), nullable=False),
        sa.Column("taken", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("forget_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("what", "who", name=op.f("pk_xinshi_allowance")),
        **_MYSQL,
    )
    op.create_index("ix_xinshi_allowance_forget_at", "xinshi_allowance", ["forget_at"])
