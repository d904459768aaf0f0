"""What accounts did lately, counted: bounded reads by primary key, never of history.

A statistic, not a ledger: where there is too much it takes the newest, and a row that became
visible late is left out.
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
from worker.policy.account_health import Count
from worker.store.db.clock import later, now
from worker.store.schema.tables import message, submission

#: At most so many submissions are counted at once, remembered as open, looked at for a report.
MOST_CALLS = 20_000
MOST_OPEN = 1_000
MOST_REPORTS = 2_000

#: Outcomes that count against an account.
FAILED = frozenset({Outcome.UNKNOWN, Outcome.DEFERRED, Outcome.NOT_SENT})
#: Outcomes that say nothing of how it does: it is paced, or held.
NO_WORD = frozenset({Outcome.THROTTLED, Outcome.ACCOUNT_HELD})
#: Codes of ours, for what was no account's fault: a killed process, a frozen one, a defect.
OURS = ("lease", "late", "fault", "unsayable")

_OPEN = (SubmissionState.PLANNED, SubmissionState.IN_FLIGHT)
_open: ColumnElement[bool] = submission.c.state.in_([one.value for one in _OPEN])


def newest(connection: Connection) -> tuple[int, datetime]:
    """Return the last submission's id, 0 if there is none, and the database's time."""
    found = connection.execute(select(func.max(submission.c.id), now())).one()
    return found[0] or 0, found[1]


def calls(connection: Connection, after: int, upto: int) -> tuple[dict[str, Count], list[int]]:
    """Count the calls of the submissions `after` < id <= `upto`, by account.

    Returns the ids of those that have no outcome yet, too, for `calls_of` to look at later.
    """
    here = and_(submission.c.id > max(after, upto - MOST_CALLS), submission.c.id <= upto)
    return _counted(connection, here), _still_open(connection, here)


def calls_of(connection: Connection, ids: Sequence[int]) -> tuple[dict[str, Count], list[int]]:
    """Count the calls of submissions that had no outcome before, and return those without one."""
    here = submission.c.id.in_(list(ids))
    return (_counted(connection, here), _still_open(connection, here)) if ids else ({}, [])


def _counted(connection: Connection, here: ColumnElement[bool]) -> dict[str, Count]:
    failed = submission.c.outcome.in_([one.value for one in FAILED])
    rows = connection.execute(
        select(submission.c.account, func.count(), func.sum(case((failed, 1), else_=0)))
        .where(
            here,
            ~_open,
            submission.c.outcome.is_not(None),
            submission.c.outcome.not_in([one.value for one in NO_WORD]),
            func.coalesce(submission.c.code, "").not_in(OURS),
        )
        .group_by(submission.c.account)
    )
    return {row[0]: Count(row[1], int(row[2])) for row in rows}


def _still_open(connection: Connection, here: ColumnElement[bool]) -> list[int]:
    newest_first = select(submission.c.id).where(here, _open).order_by(submission.c.id.desc())
    return list(connection.execute(newest_first.limit(MOST_OPEN)).scalars())


def reports(
    connection: Connection, accounts: Collection[str], after: int, upto: int, within: float
) -> dict[str, dict[Carrier | None, Count]]:
    """Count what was reported of the submissions `after` < id <= `upto`, by account and carrier.

    The first message of each that was accepted stands for it. What is undelivered counts against
    its account, and so does what has no report `within` so many seconds of its call.
    """
    beginning: ColumnElement[Any] = func.substr(message.c.msisdn, 1, carriers.DIGITS)
    known = [MessageState.DELIVERED.value, MessageState.UNDELIVERED.value]
    rows = connection.execute(
        select(submission.c.account, beginning, message.c.state, func.count())
        .join(
            message,
            and_(message.c.request_id == submission.c.request_id, message.c.n == submission.c.lo),
        )
        .where(
            submission.c.id > max(after, upto - MOST_REPORTS),
            submission.c.id <= upto,
            submission.c.state == SubmissionState.ACCEPTED.value,
            submission.c.account.in_(list(accounts)),
            submission.c.called_at <= later(-within),
            message.c.submission_id.is_(None),
            or_(message.c.state.is_(None), message.c.state.in_(known)),
        )
        .group_by(submission.c.account, beginning, message.c.state)
    )
    found: dict[str, dict[Carrier | None, Count]] = defaultdict(dict)
    for account, digits, state, count in rows:
        here, carrier = found[account], carriers.carrier(digits)
        bad = 0 if state == MessageState.DELIVERED.value else count
        here[carrier] = here.get(carrier, Count()) + Count(count, bad)
    return dict(found)
