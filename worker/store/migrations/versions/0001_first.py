"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from worker.store.db.clock import Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "xinshi_account_state",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("held_since", Instant(), nullable=True),
        sa.Column("held_until", Instant(), nullable=True),
        sa.Column("held_code", sa.String(length=64), nullable=True),
        sa.Column("held_why", sa.String(length=200), nullable=True),
        sa.Column("doubts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("probe_at", Instant(), nullable=True),
        sa.Column("settle_until", Instant(), nullable=True),
        sa.Column("counter", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("balance", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("balance_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_xinshi_account_state")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "xinshi_event",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column(
            "request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("n", sa.Integer(), nullable=True),
        sa.Column(
            "submission_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_event")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_xinshi_event_message", "xinshi_event", ["request_id", "n"], unique=False)
    op.create_index("ix_xinshi_event_submission", "xinshi_event", ["submission_id"], unique=False)
    op.create_table(
        "xinshi_inbound_message",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("msisdn", sa.String(length=16), nullable=False),
        sa.Column(
            "text",
            sa.Text()
            .with_variant(mysql.MEDIUMTEXT(), "mariadb")
            .with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("extension", sa.String(length=20), nullable=True),
        sa.Column("service_number", sa.String(length=32), nullable=True),
        sa.Column("gateway_id", sa.String(length=64), nullable=True),
        sa.Column("received_at", Instant(), nullable=True),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("inbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stored_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_inbound_message")),
        sa.UniqueConstraint(
            "account", "digest", name=op.f("uq_xinshi_inbound_message_account_digest")
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(
        "ix_xinshi_inbound_message_msisdn",
        "xinshi_inbound_message",
        ["msisdn", "stored_at"],
        unique=False,
    )
    op.create_table(
        "xinshi_inbox",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column(
            "target",
            sa.Text()
            .with_variant(mysql.MEDIUMTEXT(), "mariadb")
            .with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=True,
        ),
        sa.Column("headers", sa.JSON(none_as_null=True), nullable=True),
        sa.Column(
            "body",
            sa.LargeBinary()
            .with_variant(mysql.LONGBLOB(), "mariadb")
            .with_variant(mysql.LONGBLOB(), "mysql"),
            nullable=False,
        ),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("parsed_at", Instant(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("damaged", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_inbox")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(
        "ix_xinshi_inbox_waiting",
        "xinshi_inbox",
        ["account", "id"],
        unique=False,
        sqlite_where=sa.text("parsed_at IS NULL"),
        postgresql_where=sa.text("parsed_at IS NULL"),
    )
    op.create_table(
        "xinshi_message",
        sa.Column(
            "request_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("msisdn", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column(
            "submission_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("single", sa.Boolean(), nullable=True),
        sa.Column("variables", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("request_id", "n", name=op.f("pk_xinshi_message")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_xinshi_message_apart",
        "xinshi_message",
        ["request_id", "n"],
        unique=False,
        sqlite_where=sa.text("submission_id IS NOT NULL"),
        postgresql_where=sa.text("submission_id IS NOT NULL"),
    )
    op.create_index(
        "ix_xinshi_message_msisdn",
        "xinshi_message",
        ["msisdn"],
        unique=False,
        sqlite_where=sa.text("single IS NOT NULL"),
        postgresql_where=sa.text("single IS NOT NULL"),
    )
    op.create_index(
        "ix_xinshi_message_own",
        "xinshi_message",
        ["request_id", "n", "state"],
        unique=False,
        sqlite_where=sa.text("state IS NOT NULL"),
        postgresql_where=sa.text("state IS NOT NULL"),
    )
    op.create_index(
        "ix_xinshi_message_submission",
        "xinshi_message",
        ["submission_id"],
        unique=False,
        sqlite_where=sa.text("submission_id IS NOT NULL"),
        postgresql_where=sa.text("submission_id IS NOT NULL"),
    )
    op.create_table(
        "xinshi_opt_out",
        sa.Column("msisdn", sa.String(length=16), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("msisdn", name=op.f("pk_xinshi_opt_out")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "xinshi_report",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("msisdn", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column("gateway_id", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("words", sa.String(length=200), nullable=True),
        sa.Column("reported_at", Instant(), nullable=True),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("inbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column(
            "request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("n", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_report")),
        sa.UniqueConstraint("account", "digest", name=op.f("uq_xinshi_report_account_digest")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_xinshi_report_message", "xinshi_report", ["request_id", "n"], unique=False)
    op.create_index(
        "ix_xinshi_report_waiting",
        "xinshi_report",
        ["account", "id"],
        unique=False,
        sqlite_where=sa.text("request_id IS NULL"),
        postgresql_where=sa.text("request_id IS NULL"),
    )
    op.create_table(
        "xinshi_request",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("class", sa.String(length=16), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column(
            "text",
            sa.Text()
            .with_variant(mysql.MEDIUMTEXT(), "mariadb")
            .with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("template", sa.String(length=64), nullable=True),
        sa.Column("extension", sa.String(length=20), nullable=True),
        sa.Column("variables", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("options", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("kinds", sa.String(length=40), nullable=False),
        sa.Column("not_before", Instant(), nullable=True),
        sa.Column("not_after", Instant(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("next_n", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("rest", sa.String(length=16), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_request")),
        sa.UniqueConstraint("sender", "key", name=op.f("uq_xinshi_request_sender_key")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(
        "ix_xinshi_request_due",
        "xinshi_request",
        ["class", "next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index(
        "ix_xinshi_request_validity",
        "xinshi_request",
        ["not_after"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_table(
        "xinshi_submission",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("class", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column(
            "request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("lo", sa.Integer(), nullable=True),
        sa.Column("hi", sa.Integer(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("segments", sa.SmallInteger(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("not_after", Instant(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=True),
        sa.Column("gateway_id", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("words", sa.String(length=200), nullable=True),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("resend_of", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("called_at", Instant(), nullable=True),
        sa.Column("answered_at", Instant(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xinshi_submission")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(
        "ix_xinshi_submission_due",
        "xinshi_submission",
        ["class", "next_at"],
        unique=False,
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(
        "ix_xinshi_submission_gateway_id",
        "xinshi_submission",
        ["gateway_id"],
        unique=False,
        sqlite_where=sa.text("gateway_id IS NOT NULL"),
        postgresql_where=sa.text("gateway_id IS NOT NULL"),
    )
    op.create_index(
        "ix_xinshi_submission_lease",
        "xinshi_submission",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("lease_until IS NOT NULL"),
        postgresql_where=sa.text("lease_until IS NOT NULL"),
    )
    op.create_index(
        "ix_xinshi_submission_planned",
        "xinshi_submission",
        ["request_id"],
        unique=False,
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(
        "ix_xinshi_submission_range", "xinshi_submission", ["request_id", "lo"], unique=False
    )
    op.create_index(
        "ix_xinshi_submission_reference",
        "xinshi_submission",
        ["reference"],
        unique=False,
        sqlite_where=sa.text("reference IS NOT NULL"),
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index(
        "ix_xinshi_submission_resend",
        "xinshi_submission",
        ["resend_of"],
        unique=False,
        sqlite_where=sa.text("resend_of IS NOT NULL"),
        postgresql_where=sa.text("resend_of IS NOT NULL"),
    )
    op.create_index(
        "ix_xinshi_submission_unknown",
        "xinshi_submission",
        ["account", "called_at"],
        unique=False,
        sqlite_where=sa.text("state = 'unknown'"),
        postgresql_where=sa.text("state = 'unknown'"),
    )
    op.create_index(
        "ix_xinshi_submission_validity",
        "xinshi_submission",
        ["not_after"],
        unique=False,
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_table(
        "xinshi_tick",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("cursor", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_xinshi_tick")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "xinshi_campaign",
        sa.Column(
            "request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("retry_of", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("left_out", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["xinshi_request.id"],
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_xinshi_campaign")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
