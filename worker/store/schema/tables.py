"""Define the tables, all prefixed `xinshi_`, as documented in `docs/tables.md`.

A request is one call of `enqueue` or one campaign: it holds what its messages share, and how far
they have been handed out (`next_n`). Its messages are numbered `n`. A submission is one request to
a gateway; it carries the messages `lo <= n < hi` of one request, or those that name it in
`submission_id`. A fact about all messages of a submission stands once, in the submission's row: a
message has a `state` of its own only where it differs.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql

from worker.store.db.clock import Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Bytes compare as bytes: a key in capitals is another key.
_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_ID = BigInteger().with_variant(Integer, "sqlite")
_LONG = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_RAW = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _id() -> Column[int]:
    return Column("id", _ID, primary_key=True, autoincrement=True)


def _partial_index(name: str, table: Table, *columns: str, where: Any) -> None:
    """Add an index of the rows that fit `where`; MySQL has no partial indexes and indexes all."""
    indexed = [table.c[column] for column in columns]
    Index(name, *indexed, sqlite_where=where, postgresql_where=where)


request = Table(
    "xinshi_request",
    metadata,
    _id(),
    #: The name of an API key, or "" for local callers.
    Column("sender", String(64), nullable=False, default=""),
    #: The idempotency key, unique for its sender; NULL when none was given.
    Column("key", String(200)),
    #: SHA-256 of the normalised request: the same key with another one is refused.
    Column("fingerprint", String(64)),
    Column("class", String(16), nullable=False, key="message_class"),
    #: The account that the sender named; NULL leaves the choice to the routing.
    Column("account", String(64)),
    Column("text", _LONG, nullable=False),
    Column("template", String(64)),
    Column("extension", String(20)),
    Column("variables", JSON(none_as_null=True)),
    Column("options", JSON(none_as_null=True)),
    #: True when its messages have variables of their own.
    Column("personal", Boolean, nullable=False, default=False),
    #: The kinds of its numbers, sorted, with commas: an account has to take all of them.
    Column("kinds", String(40), nullable=False),
    Column("not_before", Instant()),
    #: After this nothing of it is submitted any more.
    Column("not_after", Instant()),
    #: How many messages were accepted, written when they were.
    Column("total", Integer, nullable=False),
    #: Messages from here on have not been handed to a submission yet.
    Column("next_n", Integer, nullable=False, default=0),
    #: When there is something to hand out; NULL when there is nothing, or not now.
    Column("next_at", Instant()),
    #: The state of the messages from `next_n` on: queued, cancelled or expired.
    Column("rest", String(16), nullable=False, default="queued"),
    Column("created_at", Instant(), nullable=False),
    #: The callback that is told what becomes of its messages.
    Column("callback_id", _ID),
    #: What its application wants to find again: {name: value}, both texts.
    Column("metadata", JSON(none_as_null=True)),
    #: The version of the registered template that it was accepted with; NULL: `template` is a
    #: gateway's own, or there is none.
    Column("template_version", Integer),
    UniqueConstraint("sender", "key"),
    **_MYSQL,
)
_partial_index(
    "ix_xinshi_request_due",
    request,
    "message_class",
    "next_at",
    where=request.c.next_at.is_not(None),
)
_partial_index(
    "ix_xinshi_request_validity",
    request,
    "not_after",
    where=request.c.next_at.is_not(None),
)
Index("ix_xinshi_request_sender", request.c.sender, request.c.id)

campaign = Table(
    "xinshi_campaign",
    metadata,
    Column("request_id", _ID, ForeignKey("xinshi_request.id"), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    #: The campaign whose failed messages this one sends again.
    Column("retry_of", _ID),
    #: What was left out while loading: {"invalid": …, "repeated": …, "suppressed": …}.
    Column("left_out", JSON(none_as_null=True)),
    Column("started_at", Instant()),
    Column("finished_at", Instant()),
    #: What its recipients read: {"segments": {"1": …}, "samples": [{"row": …, "text": …}]}.
    Column("preview", JSON(none_as_null=True)),
    #: When all of its numbers were in `xinshi_number`; NULL: its messages are not found by number.
    Column("searchable_at", Instant()),
    **_MYSQL,
)
_partial_index(
    "ix_xinshi_campaign_unsearchable",
    campaign,
    "searchable_at",
    "request_id",
    where=campaign.c.searchable_at.is_(None),
)

message = Table(
    "xinshi_message",
    metadata,
    Column("request_id", _ID, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("msisdn", String(16), nullable=False),
    #: NULL: as its submission says, or, where none covers it, as its request's `rest`.
    Column("state", String(16)),
    #: The submission that carries it, when that is not the one whose range covers it.
    Column("submission_id", _ID),
    #: True for messages of `enqueue`, indexed by number; those of campaigns: `xinshi_number`.
    Column("single", Boolean),
    Column("variables", JSON(none_as_null=True)),
    #: The literal status of its report, or the code of its own refusal.
    Column("code", String(64)),
    Column("finished_at", Instant()),
    # A million of them are loaded in their order: the key is the table.
    sqlite_with_rowid=False,
    **_MYSQL,
)
_partial_index("ix_xinshi_message_msisdn", message, "msisdn", where=message.c.single.is_not(None))
_partial_index(
    "ix_xinshi_message_own",
    message,
    "request_id",
    "n",
    "state",
    where=message.c.state.is_not(None),
)
_partial_index(
    "ix_xinshi_message_submission",
    message,
    "submission_id",
    where=message.c.submission_id.is_not(None),
)
_partial_index(
    "ix_xinshi_message_apart",
    message,
    "request_id",
    "n",
    where=message.c.submission_id.is_not(None),
)

#: The numbers of campaigns' messages, in their order: filled after a campaign is loaded.
number = Table(
    "xinshi_number",
    metadata,
    # Bytes are compared, in which order the rows are inserted.
    Column(
        "msisdn",
        String(16).with_variant(String(16, collation="C"), "postgresql"),
        primary_key=True,
    ),
    Column("request_id", _ID, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
    **_MYSQL,
)

#: The rows of a campaign's list that became no message, numbered in the order of the list.
left_out_row = Table(
    "xinshi_left_out_row",
    metadata,
    Column("request_id", _ID, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("line", Integer, nullable=False),
    #: Of a bad row as it stood, else as it is stored.
    Column("number", String(100), nullable=False),
    Column("reason", String(16), nullable=False),
    #: What is wrong with a bad row.
    Column("problem", String(200)),
    sqlite_with_rowid=False,
    **_MYSQL,
)

submission = Table(
    "xinshi_submission",
    metadata,
    _id(),
    Column("account", String(64), nullable=False),
    Column("class", String(16), nullable=False, key="message_class"),
    Column("state", String(16), nullable=False),
    #: The request whose content it carries, and, with `lo` and `hi`, whose messages.
    Column("request_id", _ID, nullable=False),
    Column("lo", Integer),
    Column("hi", Integer),
    #: How many messages it carries; fixed by the write-ahead.
    Column("size", Integer, nullable=False),
    #: Billed parts of each of its messages that has no others in its detail.
    Column("segments", SmallInteger, nullable=False, default=1),
    #: Grows with each lease; the holder of an older lease may not write.
    Column("fence", Integer, nullable=False, default=0),
    Column("lease_until", Instant()),
    #: Which process holds the lease.
    Column("owner", String(64)),
    Column("next_at", Instant()),
    #: Its request's, repeated here so that what waits can be swept.
    Column("not_after", Instant()),
    #: Tries that count, this one included once it is in flight.
    Column("attempts", Integer, nullable=False, default=0),
    #: Ours, given to gateways that take one.
    Column("reference", String(32)),
    #: The gateway's own id, kept as text.
    Column("gateway_id", String(64)),
    Column("outcome", String(16)),
    Column("code", String(64)),
    Column("words", String(200)),
    #: The submission that this one continues.
    Column("parent_id", _ID),
    #: The unknown submission whose messages this one sends once more.
    Column("resend_of", _ID),
    Column("created_at", Instant(), nullable=False),
    #: When the write-ahead was committed: it is never called before.
    Column("called_at", Instant()),
    Column("answered_at", Instant()),
    #: When we stopped to wait for the reports of its messages; says nothing of their fate.
    Column("closed_at", Instant()),
    #: Billed parts of all of its messages, where they differ; NULL: `size` times `segments`.
    Column("segment_sum", Integer),
    #: The binding by which its template is rendered; NULL: its text goes as it is.
    Column("binding_id", _ID),
    #: What cannot carry its messages in the form that it has: bindings by id, accounts by name.
    Column("barred", JSON(none_as_null=True)),
    **_MYSQL,
)
Index("ix_xinshi_submission_range", submission.c.request_id, submission.c.lo)
_partial_index(
    "ix_xinshi_submission_due",
    submission,
    "message_class",
    "next_at",
    where=submission.c.state == "planned",
)
_partial_index(
    "ix_xinshi_submission_planned",
    submission,
    "request_id",
    where=submission.c.state == "planned",
)
_partial_index(
    "ix_xinshi_submission_validity",
    submission,
    "not_after",
    where=submission.c.state == "planned",
)
_partial_index(
    "ix_xinshi_submission_lease",
    submission,
    "lease_until",
    where=submission.c.lease_until.is_not(None),
)
_partial_index(
    "ix_xinshi_submission_reference",
    submission,
    "reference",
    where=submission.c.reference.is_not(None),
)
_partial_index(
    "ix_xinshi_submission_gateway_id",
    submission,
    "gateway_id",
    where=submission.c.gateway_id.is_not(None),
)
_partial_index(
    "ix_xinshi_submission_resend",
    submission,
    "resend_of",
    where=submission.c.resend_of.is_not(None),
)
_partial_index(
    "ix_xinshi_submission_unknown",
    submission,
    "account",
    "called_at",
    where=submission.c.state == "unknown",
)

_partial_index(
    "ix_xinshi_submission_unnamed",
    submission,
    "account",
    "id",
    where=submission.c.gateway_id.is_(None) & submission.c.state.in_(["unknown", "accepted"]),
)

#: What differs among the messages of one submission, in one row.
submission_detail = Table(
    "xinshi_submission_detail",
    metadata,
    Column("submission_id", _ID, primary_key=True, autoincrement=False),
    #: {message id: segments}, of the messages that have others than the submission's `segments`.
    Column("segments", JSON(none_as_null=True)),
    #: The gateway's ids of its messages, packed: {"of": ranges of messages, "ids": […]}.
    Column("gateway_ids", JSON(none_as_null=True)),
    **_MYSQL,
)

#: The gateway's ids of single messages, where its reports name nothing else.
message_gateway_id = Table(
    "xinshi_message_gateway_id",
    metadata,
    Column("submission_id", _ID, primary_key=True, autoincrement=False),
    Column("request_id", _ID, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("gateway_id", String(64), nullable=False),
    Index("ix_xinshi_message_gateway_id_gateway_id", "gateway_id"),
    **_MYSQL,
)

#: A text with named values that senders call by its key. A version never changes.
template = Table(
    "xinshi_template",
    metadata,
    _id(),
    Column("key", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("class", String(16), nullable=False, key="message_class"),
    #: The text without its signature, with `{name}` for each value.
    Column("body", _LONG, nullable=False),
    #: What each value may be: {name: {"max_length": …, "digits": …, "links": …}}.
    Column("limits", JSON(none_as_null=True)),
    Column("created_at", Instant(), nullable=False),
    Column("who", String(64), nullable=False),
    UniqueConstraint("key", "version"),
    **_MYSQL,
)

signature = Table(
    "xinshi_signature",
    metadata,
    _id(),
    Column("account", String(64), nullable=False),
    #: The brand, without 【】.
    Column("name", String(64), nullable=False),
    #: What the vendor calls it in its API, where that is not the name; "" where it is.
    Column("vendor_id", String(64), nullable=False, default="", server_default=""),
    #: draft, approved, refused or paused.
    Column("state", String(16), nullable=False),
    #: Since when it is in that state, by whom and why.
    Column("since", Instant(), nullable=False),
    Column("who", String(64), nullable=False),
    Column("why", String(200)),
    UniqueConstraint("account", "name", "vendor_id"),
    **_MYSQL,
)

#: How an account sends a version of a template. Nothing of it changes but its state.
binding = Table(
    "xinshi_binding",
    metadata,
    _id(),
    Column("template_id", _ID, nullable=False),
    Column("account", String(64), nullable=False),
    #: The vendor's id of its template; NULL where the account takes whole texts.
    Column("vendor_id", String(64)),
    #: The plan of its parameters: {"kind": …, "names": [[the vendor's, the template's], …]}.
    Column("plan", JSON(none_as_null=True), nullable=False),
    Column("signature_id", _ID),
    #: What the vendor takes as each value, beyond the template's own limits.
    Column("limits", JSON(none_as_null=True)),
    #: draft, approved, refused or paused; since when, by whom and why.
    Column("state", String(16), nullable=False),
    Column("since", Instant(), nullable=False),
    Column("who", String(64), nullable=False),
    Column("why", String(200)),
    #: When the last reports came that call it unregistered, in milliseconds since 1970.
    Column("refusals", JSON(none_as_null=True)),
    Index("ix_xinshi_binding_template_id", "template_id"),
    **_MYSQL,
)

inbox = Table(
    "xinshi_inbox",
    metadata,
    _id(),
    Column("account", String(64), nullable=False),
    #: reports, inbound or push.
    Column("kind", String(16), nullable=False),
    #: The answer's status; NULL for a push.
    Column("status", SmallInteger),
    #: The push's method and query; NULL for a page that was collected.
    Column("target", _LONG),
    Column("headers", JSON(none_as_null=True)),
    #: The bytes; of a page in pieces the first one.
    Column("body", _RAW, nullable=False),
    Column("received_at", Instant(), nullable=False),
    #: NULL until it was read without an error; of a page in pieces only once all of them are there.
    Column("parsed_at", Instant()),
    Column("rows", Integer),
    Column("damaged", Integer),
    #: Why it was put aside: it cannot be read until its reader is mended.
    Column("problem", String(200)),
    #: How many bytes a page in pieces has; NULL where `body` has all of them.
    Column("size", Integer),
    **_MYSQL,
)
_partial_index("ix_xinshi_inbox_waiting", inbox, "account", "id", where=inbox.c.parsed_at.is_(None))
_partial_index("ix_xinshi_inbox_aside", inbox, "problem", where=inbox.c.problem.is_not(None))

inbox_piece = Table(
    "xinshi_inbox_piece",
    metadata,
    Column("inbox_id", _ID, ForeignKey("xinshi_inbox.id", ondelete="CASCADE"), primary_key=True),
    #: From 1 on: the first piece is the page's own `body`.
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("body", _RAW, nullable=False),
    **_MYSQL,
)

report = Table(
    "xinshi_report",
    metadata,
    _id(),
    Column("account", String(64), nullable=False),
    #: As the gateway printed it: it may be masked.
    Column("msisdn", String(16), nullable=False),
    Column("reference", String(64)),
    Column("gateway_id", String(64)),
    Column("status", String(16), nullable=False),
    #: The gateway's literal status.
    Column("code", String(64), nullable=False),
    Column("words", String(200)),
    Column("reported_at", Instant()),
    #: A hash of all that the gateway said: the same report twice is one row.
    Column("digest", String(32), nullable=False),
    Column("inbox_id", _ID, nullable=False),
    Column("received_at", Instant(), nullable=False),
    #: The message it belongs to; NULL until that is found.
    Column("request_id", _ID),
    Column("n", Integer),
    #: When it was compared with the submissions whose ids are not known; NULL: not yet.
    Column("compared_at", Instant()),
    UniqueConstraint("account", "digest"),
    **_MYSQL,
)
_partial_index(
    "ix_xinshi_report_waiting", report, "account", "id", where=report.c.request_id.is_(None)
)
_partial_index(
    "ix_xinshi_report_unnamed", report, "gateway_id", where=report.c.request_id.is_(None)
)
_partial_index(
    "ix_xinshi_report_uncompared",
    report,
    "request_id",
    "compared_at",
    "id",
    where=report.c.request_id.is_(None) & report.c.compared_at.is_(None),
)
Index("ix_xinshi_report_message", report.c.request_id, report.c.n)

inbound_message = Table(
    "xinshi_inbound_message",
    metadata,
    _id(),
    Column("account", String(64), nullable=False),
    Column("msisdn", String(16), nullable=False),
    Column("text", _LONG, nullable=False),
    Column("extension", String(20)),
    Column("service_number", String(32)),
    Column("gateway_id", String(64)),
    #: When the gateway says that it came.
    Column("received_at", Instant()),
    Column("digest", String(32), nullable=False),
    Column("inbox_id", _ID, nullable=False),
    Column("stored_at", Instant(), nullable=False),
    #: What it asks for: out, in or near; NULL: nothing of the kind.
    Column("meaning", String(8)),
    UniqueConstraint("account", "digest"),
    Index("ix_xinshi_inbound_message_msisdn", "msisdn", "stored_at"),
    **_MYSQL,
)
_partial_index(
    "ix_xinshi_inbound_message_meaning",
    inbound_message,
    "meaning",
    "id",
    where=inbound_message.c.meaning.is_not(None),
)

opt_out = Table(
    "xinshi_opt_out",
    metadata,
    Column("msisdn", String(16), primary_key=True),
    Column("since", Instant(), nullable=False),
    Column("why", String(200), nullable=False),
    #: The account that the number replied to; NULL: a person's doing.
    Column("account", String(64)),
    #: Whether the account is known to have written to the number; NULL: not looked up yet.
    Column("known", Boolean),
    #: The reply by which it came; several numbers have one where a masked number fits all of them.
    Column("inbound_id", _ID),
    #: What it stops: marketing (and notices, where that is set), or all, codes too.
    Column("scope", String(16), nullable=False, default="marketing", server_default="marketing"),
    #: reply, person, api, import, complaint or vendor.
    Column("source", String(16), nullable=False, default="person", server_default="person"),
    #: What proves it: a ticket, a file, a letter.
    Column("evidence", String(200)),
    Index("ix_xinshi_opt_out_account", "account", "known", "since"),
    **_MYSQL,
)
_partial_index(
    "ix_xinshi_opt_out_inbound", opt_out, "inbound_id", where=opt_out.c.inbound_id.is_not(None)
)
_partial_index("ix_xinshi_opt_out_all", opt_out, "scope", where=opt_out.c.scope == "all")

#: What became of opt-outs, each change in its turn; rows stay when an opt-out is taken back.
opt_out_history = Table(
    "xinshi_opt_out_history",
    metadata,
    _id(),
    Column("msisdn", String(16), nullable=False),
    Column("at", Instant(), nullable=False),
    #: added, changed, removed or suggested.
    Column("act", String(16), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("source", String(16), nullable=False),
    #: A person's, a key's or a process's name.
    Column("who", String(64), nullable=False),
    Column("why", String(200), nullable=False),
    Column("account", String(64)),
    Column("inbound_id", _ID),
    Column("evidence", String(200)),
    Index("ix_xinshi_opt_out_history_msisdn", "msisdn", "id"),
    **_MYSQL,
)
_partial_index(
    "ix_xinshi_opt_out_history_suggested",
    opt_out_history,
    "act",
    "id",
    where=opt_out_history.c.act == "suggested",
)

account_state = Table(
    "xinshi_account_state",
    metadata,
    Column("account", String(64), primary_key=True),
    #: While set, the account takes nothing.
    Column("held_since", Instant()),
    #: When it comes back by itself; NULL while held means: when a person releases it.
    Column("held_until", Instant()),
    Column("held_code", String(64)),
    Column("held_why", String(200)),
    #: Calls in a row without a known outcome, and probes, in one number (`DoubtCounts`): a probe
    #: counts eight, all calls that end between two probes seven at the most. A known outcome sets
    #: it to 0.
    Column("doubts", Integer, nullable=False, default=0, server_default="0"),
    #: When the one smallest submission may go that asks whether a doubtful account works again.
    Column("probe_at", Instant()),
    #: Until then it takes nothing: its sent counter, or its balance, is to tell how it stands.
    Column("settle_until", Instant()),
    #: The sent counter at a quiet moment: {"sent": …, "called": when the last call was, …}.
    Column("counter", JSON(none_as_null=True)),
    #: {"pools": […], "sent": …} as last read, and when.
    Column("balance", JSON(none_as_null=True)),
    Column("balance_at", Instant()),
    #: The limiter that stands in while Redis is gone; NULL while Redis paces the account.
    Column("pace", JSON(none_as_null=True)),
    #: The rate that the gateway refused last, and when: {"refused": per second, "at": …}.
    Column("learned", JSON(none_as_null=True)),
    #: Until then equal texts of single messages are gathered into few submissions.
    Column("gather_until", Instant()),
    #: A fingerprint of the login that the gateway accepted last.
    Column("proven", String(64)),
    #: A fingerprint of the login that the account was held with.
    Column("held_login", String(64)),
    #: Its share of the traffic that it could take, and why: {"share": 0 to 1, …}.
    Column("health", JSON(none_as_null=True)),
    **_MYSQL,
)

recipient = Table(
    "xinshi_recipient",
    metadata,
    #: The account whose limits count these calls; "" for the limits over all accounts.
    Column("account", String(64), primary_key=True),
    Column("msisdn", String(16), primary_key=True),
    #: The calls to the number that may still count: [[submission, began, ended], …], in ms.
    Column("calls", JSON(none_as_null=True), nullable=False),
    #: When no call of it counts any more.
    Column("forget_at", Instant(), nullable=False),
    Index("ix_xinshi_recipient_forget_at", "forget_at"),
    **_MYSQL,
)

callback = Table(
    "xinshi_callback",
    metadata,
    _id(),
    #: Whose messages it may be told of.
    Column("sender", String(64), nullable=False),
    Column("url", _LONG, nullable=False),
    #: True when it is told of all that its sender enqueues, not only where a call names it.
    Column("standing", Boolean, nullable=False),
    #: True when it is told of inbound messages.
    Column("inbound", Boolean, nullable=False),
    Column("created_at", Instant(), nullable=False),
    #: After this it is told nothing more.
    Column("removed_at", Instant()),
    #: The API key that added it; NULL: a person on the command line, a local caller, or unknown.
    Column("key_id", _ID),
    #: When a call named it last, to the day; NULL: when it was added.
    Column("used_at", Instant()),
    Index("ix_xinshi_callback_sender", "sender"),
    **_MYSQL,
)

callback_event = Table(
    "xinshi_callback_event",
    metadata,
    _id(),
    Column("callback_id", _ID, nullable=False),
    #: The messages `lo <= n < hi` of a request changed; or an inbound message came.
    Column("request_id", _ID),
    Column("lo", Integer),
    Column("hi", Integer),
    Column("inbound_id", _ID),
    Column("created_at", Instant(), nullable=False),
    #: When it is told, again if need be; NULL when it was given up until somebody replays it.
    Column("next_at", Instant()),
    Column("attempts", Integer, nullable=False, default=0, server_default="0"),
    #: The status or error that the last try ended with.
    Column("problem", String(200)),
    Index("ix_xinshi_callback_event_due", "callback_id", "next_at"),
    # An id is never used again: an application that was told of it ignores a second event of it.
    sqlite_autoincrement=True,
    **_MYSQL,
)

api_key = Table(
    "xinshi_api_key",
    metadata,
    _id(),
    #: The sender of what is sent with it; keys of one name see the same messages.
    Column("name", String(64), nullable=False),
    #: SHA-256 of the key; the key itself is kept nowhere.
    Column("digest", String(64), nullable=False),
    #: What it may do, with commas.
    Column("scopes", String(200), nullable=False),
    #: True when all that is sent with it goes to `web.test_account`.
    Column("test", Boolean, nullable=False),
    #: Its calls in a second; NULL: `web.key_rate`.
    Column("rate", Float),
    Column("created_at", Instant(), nullable=False),
    #: When it was used last, to the hour.
    Column("used_at", Instant()),
    Column("revoked_at", Instant()),
    UniqueConstraint("digest"),
    Index("ix_xinshi_api_key_name", "name"),
    **_MYSQL,
)

allowance = Table(
    "xinshi_allowance",
    metadata,
    #: What is counted, as `otp_recipient` or `otp_client`; with `test_` before it for test keys.
    Column("what", String(32), primary_key=True),
    #: For whom: a number, a client's address or name.
    Column("who", String(128), primary_key=True),
    #: When each that may still count was taken, in milliseconds since 1970.
    Column("taken", JSON(none_as_null=True), nullable=False),
    #: When none of them counts any more.
    Column("forget_at", Instant(), nullable=False),
    Index("ix_xinshi_allowance_forget_at", "forget_at"),
    **_MYSQL,
)

ended_session = Table(
    "xinshi_ended_session",
    metadata,
    #: The random part of a sign-in's cookie; without its signature it opens nothing.
    Column("session", String(32), primary_key=True),
    #: When the session would have ended by itself.
    Column("forget_at", Instant(), nullable=False),
    **_MYSQL,
)

stop = Table(
    "xinshi_stop",
    metadata,
    #: The class of which nothing is handed out.
    Column("class", String(16), primary_key=True, key="message_class"),
    Column("since", Instant(), nullable=False),
    Column("who", String(64), nullable=False),
    Column("why", String(200)),
    **_MYSQL,
)

tick = Table(
    "xinshi_tick",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("next_at", Instant(), nullable=False),
    #: While set and not over, one process is at it.
    Column("lease_until", Instant()),
    Column("owner", String(64)),
    #: Where it goes on.
    Column("cursor", JSON(none_as_null=True)),
    #: How many of its runs failed since the last one that did not, and why the last one failed.
    Column("failures", Integer, nullable=False, default=0, server_default="0"),
    Column("problem", String(200)),
    **_MYSQL,
)

event = Table(
    "xinshi_event",
    metadata,
    _id(),
    Column("at", Instant(), nullable=False),
    #: What happened, as `submission.unknown` or `account.held`.
    Column("name", String(64), nullable=False),
    #: A person's or a process's name.
    Column("who", String(64), nullable=False),
    Column("account", String(64)),
    Column("request_id", _ID),
    Column("n", Integer),
    Column("submission_id", _ID),
    Column("detail", JSON(none_as_null=True)),
    Index("ix_xinshi_event_message", "request_id", "n"),
    Index("ix_xinshi_event_submission", "submission_id"),
    **_MYSQL,
)
