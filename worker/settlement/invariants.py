"""Checking the promise: what the database says of itself, also while it is in use.

The names are those of `docs/guarantees.md`: I1 conservation, I4 the write-ahead comes first, I5
nothing hangs. `worker.settlement.ledger` checks those that need a ledger.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from worker.config.settings import Settings
from worker.domain.enums import CampaignState, SubmissionState
from worker.store.db.clock import later
from worker.store.schema.tables import (
    campaign,
    message,
    request,
    submission,
)

#: How many broken rows a finding names.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant that was checked: `rows` names what breaks it, and is empty when it holds."""

    name: str
    law: str
    broken: int = 0
    rows: tuple[str, ...] = ()


def database(connection: Connection, settings: Settings) -> list[Finding]:
    """Check what the database says of itself; it may be in use."""
    return [
        _conservation(connection),
        _ranges(connection),
        _nobody_s(connection),
        _write_ahead(connection),
        _nothing_hangs(connection, settings),
    ]


def _conservation(connection: Connection) -> Finding:
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


def _ranges(connection: Connection) -> Finding:
    """The ranges of a request's submissions follow each other and never overlap."""
    of = submission.c.request_id
    each = (
        select(
            of,
            submission.c.lo,
            submission.c.hi,
            # Not by a third argument of LAG, which MariaDB does not know.
            func.coalesce(
                func.lag(submission.c.hi).over(partition_by=of, order_by=submission.c.lo), 0
            ).label("before"),
        )
        .where(submission.c.lo.is_not(None), submission.c.state != SubmissionState.NOT_SENT.value)
        .subquery()
    )
    rows = connection.execute(
        select(each.c.request_id, each.c.lo, each.c.hi).where(each.c.lo < each.c.before)
    )
    return finding(
        "I1",
        "no message is carried by two submissions",
        (f"request {row[0]}: messages {row[1]} to {row[2]}" for row in rows),
    )


def _nobody_s(connection: Connection) -> Finding:
    """What was handed out is carried by a submission, or has an end of its own."""
    before = func.lag(submission.c.hi).over(
        partition_by=submission.c.request_id, order_by=submission.c.lo
    )
    ranges = (
        select(
            submission.c.request_id,
            func.coalesce(before, 0).label("gap"),
            submission.c.lo.label("until"),
        )
        .where(submission.c.lo.is_not(None), submission.c.state != SubmissionState.NOT_SENT.value)
        .subquery()
    )
    last = (
        select(submission.c.request_id, func.max(submission.c.hi).label("highest"))
        .where(submission.c.lo.is_not(None), submission.c.state != SubmissionState.NOT_SENT.value)
        .group_by(submission.c.request_id)
        .subquery()
    )
    plain = (message.c.state.is_(None), message.c.submission_id.is_(None))
    between = (
        select(message.c.request_id, message.c.n)
        .join(ranges, ranges.c.request_id == message.c.request_id)
        .where(message.c.n >= ranges.c.gap, message.c.n < ranges.c.until, *plain)
        .where(ranges.c.until > ranges.c.gap)
    )
    highest = func.coalesce(last.c.highest, 0)
    above = (
        select(message.c.request_id, message.c.n)
        .join(request, request.c.id == message.c.request_id)
        .outerjoin(last, last.c.request_id == request.c.id)
        .where(message.c.n >= highest, message.c.n < request.c.next_n, *plain)
        .where(request.c.next_n > highest)
    )
    broken = [
        f"message {row[0]}-{row[1]}"
        for query in (between, above)
        for row in connection.execute(query)
    ]
    left = connection.execute(
        select(message.c.request_id, message.c.n)
        .join(submission, submission.c.id == message.c.submission_id)
        .where(message.c.state.is_(None), submission.c.state == SubmissionState.NOT_SENT.value)
    )
    broken += [f"message {row[0]}-{row[1]}" for row in left]
    return finding("I1", "whatever was handed out is carried by somebody, or has ended", broken)


def _write_ahead(connection: Connection) -> Finding:
    called = [
        SubmissionState.IN_FLIGHT.value,
        SubmissionState.ACCEPTED.value,
        SubmissionState.REJECTED.value,
        SubmissionState.UNKNOWN.value,
    ]
    rows = connection.execute(
        select(submission.c.id, submission.c.state).where(
            submission.c.state.in_(called),
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


def _nothing_hangs(connection: Connection, settings: Settings) -> Finding:
    late = 2 * settings.top.sweep_every + 1.0
    rows = connection.execute(
        select(submission.c.id, submission.c.state).where(submission.c.lease_until <= later(-late))
    )
    return finding(
        "I5",
        "no lease is over for longer than two sweeps",
        (f"submission {row[0]} ({row[1]})" for row in rows),
    )


def finding(name: str, law: str, rows: Iterable[str]) -> Finding:
    """Return a finding that names the first of its broken rows."""
    broken = list(rows)
    return Finding(name, law, len(broken), tuple(broken[:SHOWN]))
