"""Count how the recent calls and reports of accounts turned out, in bounded reads by primary key.

This is a statistic, not a ledger: of too many rows only the newest are counted, and a row that
became visible late is left out.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from worker.domain import carriers
from worker.domain.enums import (
    Carrier,
    MessageState,
    Outcome,
    SubmissionState,
)
from worker.domain.transitions import OPEN_SUBMISSION_STATES, REPORTED_STATES
from worker.policy.account_health import Count
from worker.store.db.clock import later, now
from worker.store.schema.tables import message, submission

#: The most submissions that are counted at once, returned as open, and searched for a report.
MAX_COUNTED_CALLS = 20_000
MAX_OPEN_CALLS = 1_000
MAX_COUNTED_REPORTS = 2_000

#: Outcomes that count against an account.
FAILED_OUTCOMES = frozenset({Outcome.UNKNOWN, Outcome.DEFERRED, Outcome.NOT_SENT})
#: Outcomes that say nothing of how it does: it is paced, or held.
NEUTRAL_OUTCOMES = frozenset({Outcome.THROTTLED, Outcome.ACCOUNT_HELD})
#: Codes of ours for what was no account's fault: a killed process, a frozen one, a defect.
OWN_CODES = ("lease", "late", "fault", "unsayable")

_is_open: ColumnElement[bool] = submission.c.state.in_(
    [state.value for state in OPEN_SUBMISSION_STATES]
)


def newest_submission(connection: Connection) -> tuple[int, datetime]:
    """Return the highest submission id, 0 if there is none, and the database's time."""
    newest_id, at = connection.execute(select(func.max(submission.c.id), now())).one()
    return newest_id or 0, at


def count_calls(
    connection: Connection, after: int, upto: int
) -> tuple[dict[str, Count], list[int]]:
    """Count the calls of the submissions `after` < id <= `upto`, by account.

    Returns the ids of those that have no outcome yet, too, for `recount_calls` later.
    """
    first_id = max(after, upto - MAX_COUNTED_CALLS)
    is_sampled = and_(submission.c.id > first_id, submission.c.id <= upto)
    return _count_ended(connection, is_sampled), _open_ids(connection, is_sampled)


def recount_calls(connection: Connection, ids: Sequence[int]) -> tuple[dict[str, Count], list[int]]:
    """Count the calls of submissions that had no outcome before; return those still without one."""
    if not ids:
        return {}, []
    is_sampled = submission.c.id.in_(list(ids))
    return _count_ended(connection, is_sampled), _open_ids(connection, is_sampled)


def _count_ended(connection: Connection, is_sampled: ColumnElement[bool]) -> dict[str, Count]:
    failed = submission.c.outcome.in_([outcome.value for outcome in FAILED_OUTCOMES])
    rows = connection.execute(
        select(submission.c.account, func.count(), func.sum(case((failed, 1), else_=0)))
        .where(
            is_sampled,
            ~_is_open,
            submission.c.outcome.is_not(None),
            submission.c.outcome.not_in([outcome.value for outcome in NEUTRAL_OUTCOMES]),
            func.coalesce(submission.c.code, "").not_in(OWN_CODES),
        )
        .group_by(submission.c.account)
    )
    return {row[0]: Count(row[1], int(row[2])) for row in rows}


def _open_ids(connection: Connection, is_sampled: ColumnElement[bool]) -> list[int]:
    newest_first = (
        select(submission.c.id).where(is_sampled, _is_open).order_by(submission.c.id.desc())
    )
    return list(connection.execute(newest_first.limit(MAX_OPEN_CALLS)).scalars())


def count_reports(
    connection: Connection, accounts: Collection[str], after: int, upto: int, within: float
) -> dict[str, dict[Carrier | None, Count]]:
    """Count the reports on the submissions `after` < id <= `upto`, by account and carrier.

    The first message of each that was accepted stands for it. It counts against its account when it
    is undelivered, or has no report `within` so many seconds of its call.
    """
    number_prefix: ColumnElement[Any] = func.substr(message.c.msisdn, 1, carriers.PREFIX_DIGITS)
    reported_states = [state.value for state in REPORTED_STATES]
    rows = connection.execute(
        select(submission.c.account, number_prefix, message.c.state, func.count())
        .join(
            message,
            and_(message.c.request_id == submission.c.request_id, message.c.n == submission.c.lo),
        )
        .where(
            submission.c.id > max(after, upto - MAX_COUNTED_REPORTS),
            submission.c.id <= upto,
            submission.c.state == SubmissionState.ACCEPTED.value,
            submission.c.account.in_(list(accounts)),
            submission.c.called_at <= later(-within),
            message.c.submission_id.is_(None),
            or_(message.c.state.is_(None), message.c.state.in_(reported_states)),
        )
        .group_by(submission.c.account, number_prefix, message.c.state)
    )
    counts: dict[str, dict[Carrier | None, Count]] = defaultdict(dict)
    for account_name, prefix, state, count in rows:
        counts_by_carrier, carrier = counts[account_name], carriers.carrier(prefix)
        bad = 0 if state == MessageState.DELIVERED.value else count
        counts_by_carrier[carrier] = counts_by_carrier.get(carrier, Count()) + Count(count, bad)
    return dict(counts)
