"""Check the invariants that the database alone can show, also while it is in use.

The names are those of `docs/guarantees.md`: I1 conservation, I4 the write-ahead comes first, I5
nothing hangs, I9 the money. `worker.settlement.ledger` checks those that need a ledger.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from worker.config.settings import Settings
from worker.domain.enums import CampaignState, SubmissionState
from worker.store.db.clock import later
from worker.store.delivery.submission_details import SubmissionSize
from worker.store.schema.tables import (
    campaign,
    message,
    request,
    submission,
    submission_detail,
)

#: The most broken rows that a finding names.
MAX_SHOWN_ROWS = 20

_carries_range = (
    submission.c.lo.is_not(None),
    submission.c.state != SubmissionState.NOT_SENT.value,
)
#: A message that has no state of its own and names no submission.
_is_plain = (message.c.state.is_(None), message.c.submission_id.is_(None))


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant that was checked: `rows` names what breaks it, and is empty when it holds."""

    name: str
    law: str
    broken: int = 0
    rows: tuple[str, ...] = ()


def check_database(connection: Connection, settings: Settings) -> list[Finding]:
    """Check the invariants that the database alone can show; it may be in use."""
    return [
        _check_conservation(connection),
        _check_ranges(connection),
        _check_handed_out(connection),
        _check_write_ahead(connection),
        _check_leases(connection, settings),
        _check_segments(connection),
    ]


def _check_conservation(connection: Connection) -> Finding:
    counted = (
        select(message.c.request_id, func.count().label("there"))
        .group_by(message.c.request_id)
        .subquery()
    )
    loading = select(campaign.c.request_id).where(
        campaign.c.state.in_([CampaignState.LOADING.value, CampaignState.CANCELLED.value])
    )
    rows = connection.execute(
        select(request.c.id, request.c.total, func.coalesce(counted.c.there, 0))
        .outerjoin(counted, counted.c.request_id == request.c.id)
        .where(request.c.total != func.coalesce(counted.c.there, 0), request.c.id.not_in(loading))
    )
    return finding(
        "I1",
        "each request has the messages that were accepted",
        (f"request {row[0]}: {row[1]} accepted, {row[2]} there" for row in rows),
    )


def _check_ranges(connection: Connection) -> Finding:
    """Check that the ranges of a request's submissions follow each other and never overlap."""
    request_id = submission.c.request_id
    ranges = (
        select(
            request_id,
            submission.c.lo,
            submission.c.hi,
            # Not by a third argument of LAG, which MariaDB does not know.
            func.coalesce(
                func.lag(submission.c.hi).over(partition_by=request_id, order_by=submission.c.lo),
                0,
            ).label("before"),
        )
        .where(*_carries_range)
        .subquery()
    )
    rows = connection.execute(
        select(ranges.c.request_id, ranges.c.lo, ranges.c.hi).where(ranges.c.lo < ranges.c.before)
    )
    return finding(
        "I1",
        "no message is carried by two submissions",
        (f"request {row[0]}: messages {row[1]} to {row[2]}" for row in rows),
    )


def _check_handed_out(connection: Connection) -> Finding:
    """Check that what was handed out is carried by a submission, or has an end of its own."""
    not_sent = (
        select(message.c.request_id, message.c.n)
        .join(submission, submission.c.id == message.c.submission_id)
        .where(message.c.state.is_(None), submission.c.state == SubmissionState.NOT_SENT.value)
    )
    broken = [
        f"message {row[0]}-{row[1]}"
        for query in (_plain_between_ranges(), _plain_above_ranges(), not_sent)
        for row in connection.execute(query)
    ]
    return finding("I1", "whatever was handed out is carried by somebody, or has ended", broken)


def _plain_between_ranges() -> Select[Any]:
    """Select the plain messages that lie in a gap below a submission's range."""
    before = func.lag(submission.c.hi).over(
        partition_by=submission.c.request_id, order_by=submission.c.lo
    )
    ranges = (
        select(
            submission.c.request_id,
            func.coalesce(before, 0).label("gap"),
            submission.c.lo.label("until"),
        )
        .where(*_carries_range)
        .subquery()
    )
    return (
        select(message.c.request_id, message.c.n)
        .join(ranges, ranges.c.request_id == message.c.request_id)
        .where(message.c.n >= ranges.c.gap, message.c.n < ranges.c.until, *_is_plain)
        .where(ranges.c.until > ranges.c.gap)
    )


def _plain_above_ranges() -> Select[Any]:
    """Select the plain messages between the highest range and what was handed out."""
    highest_ranges = (
        select(submission.c.request_id, func.max(submission.c.hi).label("highest"))
        .where(*_carries_range)
        .group_by(submission.c.request_id)
        .subquery()
    )
    highest = func.coalesce(highest_ranges.c.highest, 0)
    return (
        select(message.c.request_id, message.c.n)
        .join(request, request.c.id == message.c.request_id)
        .outerjoin(highest_ranges, highest_ranges.c.request_id == request.c.id)
        .where(message.c.n >= highest, message.c.n < request.c.next_n, *_is_plain)
        .where(request.c.next_n > highest)
    )


def _check_write_ahead(connection: Connection) -> Finding:
    called_states = [
        SubmissionState.IN_FLIGHT.value,
        SubmissionState.ACCEPTED.value,
        SubmissionState.REJECTED.value,
        SubmissionState.UNKNOWN.value,
    ]
    rows = connection.execute(
        select(submission.c.id, submission.c.state).where(
            submission.c.state.in_(called_states),
            or_(
                submission.c.called_at.is_(None),
                submission.c.answered_at < submission.c.called_at,
            ),
        )
    )
    return finding(
        "I4",
        "whatever was called was written ahead before",
        (f"submission {row[0]} ({row[1]})" for row in rows),
    )


def _check_leases(connection: Connection, settings: Settings) -> Finding:
    late_seconds = 2 * settings.top.sweep_every + 1.0
    rows = connection.execute(
        select(submission.c.id, submission.c.state).where(
            submission.c.lease_until <= later(-late_seconds)
        )
    )
    return finding(
        "I5",
        "no lease is over for longer than two sweeps",
        (f"submission {row[0]} ({row[1]})" for row in rows),
    )


def _check_segments(connection: Connection) -> Finding:
    """Check that the segments of a submission are those of its messages, where these differ."""
    rows = connection.execute(
        select(
            submission.c.id,
            submission.c.size,
            submission.c.segments,
            submission.c.segment_sum,
            submission_detail.c.segments.label("others"),
        )
        .outerjoin(submission_detail, submission_detail.c.submission_id == submission.c.id)
        .where(submission.c.segment_sum.is_not(None))
        .execution_options(yield_per=1000)
    )
    broken = (
        f"submission {row.id}: {row.segment_sum} counted"
        for row in rows
        if SubmissionSize(row.size, row.segments, row.others or {}).segment_sum != row.segment_sum
    )
    return finding("I9", "a submission's segments are those of its messages", broken)


def finding(name: str, law: str, rows: Iterable[str]) -> Finding:
    """Return a finding that names the first of its broken rows."""
    broken = list(rows)
    return Finding(name, law, len(broken), tuple(broken[:MAX_SHOWN_ROWS]))
