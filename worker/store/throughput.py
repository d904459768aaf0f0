"""Count how many messages wait, and how many went through in the last hour, minute by minute.

Only the newest rows are read, by primary key, so that the cost does not grow with the history.
"""

from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Connection, func, or_, select

from worker.domain.enums import SubmissionState
from worker.store.db.clock import later, now
from worker.store.db.minutes_ago import minutes_ago
from worker.store.schema.tables import report, request, submission

#: The most rows that are read of each table.
MAX_READ_ROWS = 200_000
MINUTES = 60


def last_hour(connection: Connection) -> dict[str, list[int]]:
    """Count messages by their outcome, for each of the last 60 minutes, the oldest first.

    `taken`, `rejected` and `unknown` by submissions, `delivered` and `undelivered` by reports.
    """
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * MINUTES)
    names_by_state = {
        SubmissionState.ACCEPTED.value: "taken",
        SubmissionState.REJECTED.value: "rejected",
        SubmissionState.UNKNOWN.value: "unknown",
    }
    at = func.coalesce(submission.c.answered_at, submission.c.called_at)
    ended = select(submission.c.state, minutes_ago(at), func.sum(submission.c.size)).where(
        submission.c.id > _highest(connection, submission.c.id) - MAX_READ_ROWS,
        at > later(-60.0 * MINUTES),
        submission.c.state.in_(list(names_by_state)),
    )
    reported = select(report.c.status, minutes_ago(report.c.received_at), func.count()).where(
        report.c.id > _highest(connection, report.c.id) - MAX_READ_ROWS,
        report.c.received_at > later(-60.0 * MINUTES),
        report.c.status.in_(["delivered", "undelivered"]),
    )
    for query in (
        ended.group_by(submission.c.state, minutes_ago(at)),
        reported.group_by(report.c.status, minutes_ago(report.c.received_at)),
    ):
        for state, minute, count in connection.execute(query):
            if 0 <= minute < MINUTES:
                name = names_by_state.get(state, state)
                counts[name][MINUTES - 1 - minute] += int(count)
    names = (*names_by_state.values(), "delivered", "undelivered")
    return {name: counts[name] for name in names}


def _highest(connection: Connection, column: Any) -> int:
    return connection.execute(select(func.max(column))).scalar() or 0


def waiting_by_class(connection: Connection) -> dict[str, int]:
    """Count the messages that wait to be handed to a gateway, by class.

    Of requests that wait, and of submissions, the first `MAX_READ_ROWS` are counted. What waits for
    a time that its sender named is not among them. What a claim holds is: it sets
    when others may look again, so that time says nothing.
    """
    counts: Counter[str] = Counter()
    unsent = select(
        request.c.message_class, (request.c.total - request.c.next_n).label("size")
    ).where(
        request.c.next_at.is_not(None),
        or_(request.c.not_before.is_(None), request.c.not_before <= now()),
    )
    planned = select(submission.c.message_class, submission.c.size).where(
        submission.c.state == SubmissionState.PLANNED.value
    )
    for query in (unsent, planned):
        rows = query.limit(MAX_READ_ROWS).subquery()
        sums = select(rows.c.message_class, func.sum(rows.c.size)).group_by(rows.c.message_class)
        for class_name, count in connection.execute(sums):
            counts[class_name] += int(count)
    return dict(counts)
