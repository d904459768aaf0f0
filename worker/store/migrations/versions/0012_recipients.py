"""What a gateway says of each recipient of a submission, and the templates that it takes."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from worker.store.db.clock import Instant

revision = "0012"
down_revision = "0011"

_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Add the columns and the tables; what is stored stays as it is."""
    with op.batch_alter_table("xinshi_request") as table:
        table.add_column(sa.Column("template_version", sa.Integer(), nullable=True))
    with op.batch_alter_table("xinshi_submission") as table:
        table.add_column(sa.Column("segment_sum", sa.Integer(), nullable=True))
        table.add_column(sa.Column("binding_id", _ID, nullable=True))
        table.add_column(sa.Column("barred", _JSON, nullable=True))
    _create_details()
    _create_templates()


def _create_details() -> None:
    op.create_table(
        "xinshi_submission_detail",
        sa.Column("submission_id", _ID, autoincrement=False, nullable=False),
        sa.Column("segments", _JSON, nullable=True),
        sa.Column("gateway_ids", _JSON, nullable=True),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_xinshi_submission_detail")),
        **_MYSQL,
    )
    op.create_table(
        "xinshi_message_gateway_id",
        sa.Column("submission_id", _ID, autoincrement=False, nullable=False),
        sa.Column("request_id", _ID, autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("gateway_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint(
            "submission_id", "request_id", "n", name=op.f("pk_xinshi_message_gateway_id")
        ),
        **_MYSQL,
    )
    op.create_index(
        "ix_xinshi_message_gateway_id_gateway_id", "xinshi_message_gateway_id", ["gateway_id"]
    )


def _create_templates() -> None:
    op.create_table(
        "xinshi_template",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("class", sa.String(length=16), nullable=False),
        sa.Column("body", _LONG, nullable=False),
        sa.Column("limits", _JSON, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_template")),
        sa.UniqueConstraint("key", "version", name=op.f("uq_xinshi_template_key_version")),
        **_MYSQL,
    )
    op.create_table(
        "xinshi_signature",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("vendor_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_signature")),
        sa.UniqueConstraint(
            "account", "name", "vendor_id", name=op.f("uq_xinshi_signature_account_name_vendor_id")
        ),
        **_MYSQL,
    )
    op.create_table(
        "xinshi_binding",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("template_id", _ID, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("vendor_id", sa.String(length=64), nullable=True),
        sa.Column("plan", _JSON, nullable=False),
        sa.Column("signature_id", _ID, nullable=True),
        sa.Column("limits", _JSON, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=True),
        sa.Column("refusals", _JSON, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_binding")),
        **_MYSQL,
    )
    op.create_index("ix_xinshi_binding_template_id", "xinshi_binding", ["template_id"])
