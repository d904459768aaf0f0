"""Read the messages that unknown submissions carry: their numbers, and which they are."""

from datetime import datetime

from sqlalchemy import Connection, and_, select

from worker.domain.enums import SubmissionState
from worker.domain.message_ranges import MessageKey
from worker.store.delivery import submission_messages
from worker.store.schema.tables import message, request, submission


def first_numbers(connection: Connection, submission_id: int, limit: int) -> list[str]:
    """Return the numbers of the first messages that a submission carries."""
    in_range = and_(
        message.c.request_id == submission.c.request_id,
        message.c.n >= submission.c.lo,
        message.c.n < submission.c.hi,
        message.c.submission_id.is_(None),
    )
    has_no_end = message.c.state.is_(None)
    of_range = select(message.c.msisdn).join(submission, in_range)
    numbers = connection.execute(
        of_range.where(submission.c.id == submission_id, has_no_end)
        .order_by(message.c.n)
        .limit(limit)
    ).scalars()
    naming = connection.execute(
        select(message.c.msisdn)
        .where(message.c.submission_id == submission_id, has_no_end)
        .order_by(message.c.request_id, message.c.n)
        .limit(limit)
    ).scalars()
    return [*numbers, *naming][:limit]


def message_keys(
    connection: Connection, limit: int, account: str | None = None, since: datetime | None = None
) -> list[MessageKey]:
    """Return `limit` messages whose outcome is unknown, those of the newest submissions first.

    They are of an account, and of requests stored `since` a moment, where that is given.
    """
    is_unknown = submission.c.state == SubmissionState.UNKNOWN.value
    query = select(submission.c.id).where(is_unknown).order_by(submission.c.id.desc()).limit(limit)
    if account is not None:
        query = query.where(submission.c.account == account)
    if since is not None:
        query = query.join(request, request.c.id == submission.c.request_id).where(
            request.c.created_at >= since
        )
    keys: list[MessageKey] = []
    for submission_id in connection.execute(query).scalars().all():
        carried = submission_messages.of_submissions(connection, [submission_id], ())
        keys += [(carried_message.request_id, carried_message.n) for carried_message in carried]
        if len(keys) >= limit:
            break
    return keys[:limit]
