"""Read and write delivery reports, and find the messages that they belong to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    or_,
    select,
    true,
    update,
)

from worker.domain.enums import SubmissionState
from worker.domain.transitions import MAYBE_TAKEN_SUBMISSION_STATES
from worker.store.db import capabilities
from worker.store.db.clock import later
from worker.store.db.dialects import any_of_in_parts, planned_by_index
from worker.store.db.pg_arrays import equals_any, literal_table
from worker.store.feedback import deduplication
from worker.store.schema.tables import message, message_gateway_id, report, submission
from worker.store.settlement.restored_backup import RESTORED

#: A report without a message is tried in every turn for so many seconds.
RECENT_SECONDS = 600.0
#: An older one is tried in one of so many turns.
TURNS = 120


def add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Store reports that are new, by account and digest; return their ids by digest."""
    return deduplication.add_new(connection, report, "received_at", rows)


def correct(
    connection: Connection, inbox_id: int, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    """Correct the stored reports of a page as `deduplication.correct_misread` does."""
    return deduplication.correct_misread(connection, report, inbox_id, rows)


def names_a_submission() -> ColumnElement[bool]:
    """Return the condition that a submission has a report's reference or the id that it bears."""
    states = [state.value for state in MAYBE_TAKEN_SUBMISSION_STATES]
    names = (
        submission.c.gateway_id == report.c.gateway_id,
        submission.c.reference == report.c.reference,
    )
    names_one_of_its_messages = exists().where(
        message_gateway_id.c.gateway_id == report.c.gateway_id
    )
    return or_(
        *(exists().where(is_named, submission.c.state.in_(states)) for is_named in names),
        names_one_of_its_messages,
    )


def named_since(
    connection: Connection, limit: int, seconds: float, after: int, turn: int
) -> list[Row[Any]]:
    """Return reports without a message whose submission has become known, with ids past `after`.

    Of those that came in the last `RECENT_SECONDS` all, of older ones, up to `seconds` ago, the
    share whose `turn` it is: each of them comes up once in `TURNS`.
    """
    is_recent = report.c.received_at >= later(-RECENT_SECONDS)
    rows = connection.execute(
        select(report)
        .where(
            report.c.request_id.is_(None),
            report.c.id > after,
            report.c.received_at >= later(-seconds),
            or_(is_recent, report.c.id % TURNS == turn % TURNS),
            names_a_submission(),
        )
        .order_by(report.c.id)
        .limit(limit)
    )
    return list(rows)


@dataclass(frozen=True, slots=True)
class Origin:
    """A submission that a report may belong to."""

    id: int
    fence: int
    account: str
    state: SubmissionState
    request_id: int
    lo: int | None
    hi: int | None
    segments: int
    reference: str | None
    gateway_id: str | None
    called_at: datetime | None
    #: Whether it stands for calls that a restored backup forgot: what is true of one of its
    #: messages need not be true of the others.
    restored: bool
    #: How many messages it carries.
    size: int
    #: Whether some of its messages have other segments than `segments`.
    segments_differ: bool = False
    #: The binding by which its template was rendered, if it had one.
    binding_id: int | None = None


def origins(
    connection: Connection,
    accounts: Collection[str],
    references: Collection[str],
    gateway_ids: Collection[str],
) -> list[Origin]:
    """Return the submissions of accounts with one of our references or of the gateway's ids."""
    rows = connection.execute(
        select(submission).where(
            submission.c.account.in_(list(accounts)),
            or_(
                submission.c.reference.in_(list(references)),
                submission.c.gateway_id.in_(list(gateway_ids)),
            ),
        )
    )
    return [origin_of(row) for row in rows]


class NamedMessage(NamedTuple):
    """A message to which its gateway gave an id, and the submission that carried it."""

    origin: "Origin"
    target: "ReportTarget"
    msisdn: str


def named_messages(
    connection: Connection, accounts: Collection[str], gateway_ids: Collection[str]
) -> dict[str, list[NamedMessage]]:
    """Return the messages of accounts to which gateways gave these ids, by the ids."""
    states = [state.value for state in MAYBE_TAKEN_SUBMISSION_STATES]
    named: dict[str, list[NamedMessage]] = {}
    for is_asked in any_of_in_parts(connection, message_gateway_id.c.gateway_id, list(gateway_ids)):
        rows = connection.execute(
            select(
                submission,
                message_gateway_id.c.gateway_id.label("message_gateway_id"),
                message_gateway_id.c.request_id.label("message_request_id"),
                message.c.n,
                message.c.msisdn,
            )
            .join_from(
                message_gateway_id,
                submission,
                submission.c.id == message_gateway_id.c.submission_id,
            )
            .join(
                message,
                and_(
                    message.c.request_id == message_gateway_id.c.request_id,
                    message.c.n == message_gateway_id.c.n,
                ),
            )
            .where(
                is_asked,
                submission.c.account.in_(list(accounts)),
                submission.c.state.in_(states),
            )
        )
        for row in rows:
            target = ReportTarget(row.message_request_id, row.n)
            named_message = NamedMessage(origin_of(row), target, row.msisdn)
            named.setdefault(row.message_gateway_id, []).append(named_message)
    return named


def origin_of(row: Any) -> Origin:
    """Return a submission's row as an origin."""
    return Origin(
        row.id,
        row.fence,
        row.account,
        SubmissionState(row.state),
        row.request_id,
        row.lo,
        row.hi,
        row.segments,
        row.reference,
        row.gateway_id,
        row.called_at,
        row.code == RESTORED,
        row.size,
        row.segment_sum is not None,
        row.binding_id,
    )


class ReportTarget(NamedTuple):
    """The message that a number of a submission means."""

    request_id: int
    n: int


def find_targets(
    connection: Connection, msisdns_by_origin: Mapping[Origin, Collection[str]]
) -> dict[tuple[int, str], ReportTarget]:
    """Return the messages that numbers mean in submissions, by submission id and number.

    They are looked up where they are stored, in two statements, as only PostgreSQL can.
    """
    ranges = [
        {
            "origin_id": origin.id,
            "origin_request_id": origin.request_id,
            "lo": origin.lo,
            "hi": origin.hi,
        }
        for origin in msisdns_by_origin
        if origin.lo is not None
    ]
    numbers = [
        {"origin_id": origin.id, "msisdn": msisdn}
        for origin, msisdns in msisdns_by_origin.items()
        for msisdn in msisdns
    ]
    with planned_by_index(connection):
        rows = list(connection.execute(_named_messages(msisdns_by_origin, numbers)))
    if ranges:
        rows += connection.execute(_messages_in_ranges(ranges, numbers))
    return {
        (origin_id, msisdn): ReportTarget(request_id, n)
        for origin_id, msisdn, request_id, n in rows
    }


def _messages_in_ranges(
    ranges: Sequence[Mapping[str, Any]], numbers: Sequence[Mapping[str, Any]]
) -> Select[Any]:
    """Select the messages of submissions that their ranges cover, as origin, number, key."""
    origin = literal_table(
        ranges,
        origin_id=submission.c.id,
        origin_request_id=submission.c.request_id,
        lo=submission.c.lo,
        hi=submission.c.hi,
    ).c
    number = literal_table(numbers, origin_id=submission.c.id, msisdn=message.c.msisdn).c
    # By its range alone: which numbers are in it is compared afterwards, for all of them at once.
    covered = (
        select(message.c.request_id, message.c.n, message.c.msisdn)
        .where(
            message.c.request_id == origin.origin_request_id,
            message.c.n >= origin.lo,
            message.c.n < origin.hi,
            message.c.submission_id.is_(None),
        )
        .offset(0)
        .lateral("covered")
    )
    is_meant = and_(number.origin_id == origin.origin_id, number.msisdn == covered.c.msisdn)
    return (
        select(origin.origin_id, covered.c.msisdn, covered.c.request_id, covered.c.n)
        .join_from(origin.origin_id.table, covered, true())
        .join(number.origin_id.table, is_meant)
    )


def _named_messages(
    origins: Collection[Origin], numbers: Sequence[Mapping[str, Any]]
) -> Select[Any]:
    """Select the messages that name submissions, or their resends, as origin, number, key."""
    origin_ids = [origin.id for origin in origins]
    # A message that was sent once more still belongs to the first submission's reports.
    firsts = select(submission.c.id, submission.c.id.label("origin_id")).where(
        equals_any(submission.c.id, origin_ids)
    )
    resends = select(submission.c.id, submission.c.resend_of).where(
        equals_any(submission.c.resend_of, origin_ids)
    )
    carriers = firsts.union_all(resends).subquery().c
    number = literal_table(numbers, origin_id=submission.c.id, msisdn=message.c.msisdn).c
    is_meant = and_(number.origin_id == carriers.origin_id, number.msisdn == message.c.msisdn)
    return (
        select(carriers.origin_id, message.c.msisdn, message.c.request_id, message.c.n)
        .join_from(carriers.id.table, message, message.c.submission_id == carriers.id)
        .join(number.origin_id.table, is_meant)
    )


def match(connection: Connection, targets: Mapping[int, ReportTarget]) -> None:
    """Store which messages reports belong to, by the reports' ids."""
    if not targets:
        return
    rows = [
        {"report_id": report_id, "of": target.request_id, "nth": target.n}
        for report_id, target in targets.items()
    ]
    if capabilities.takes_columns(connection):
        row = literal_table(rows, report_id=report.c.id, of=report.c.request_id, nth=report.c.n).c
        matching = update(report).where(report.c.id == row.report_id)
        connection.execute(matching.values(request_id=row.of, n=row.nth))
        return
    connection.execute(
        update(report)
        .where(report.c.id == bindparam("report_id"))
        .values(request_id=bindparam("of"), n=bindparam("nth")),
        rows,
    )


def of_message(connection: Connection, request_id: int, n: int) -> list[Row[Any]]:
    """Return all reports of a message, in the order in which they came."""
    query = select(report).where(report.c.request_id == request_id, report.c.n == n)
    return list(connection.execute(query.order_by(report.c.id)))
