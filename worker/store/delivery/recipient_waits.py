"""Find the numbers of submissions, and plan submissions whose recipients have to wait."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, and_, select, union_all, update

from worker.domain.enums import SubmissionState as S
from worker.domain.message_ranges import MessageKey, MessageRange
from worker.domain.recipient_windows import epoch_milliseconds
from worker.store.db.clock import later, now
from worker.store.delivery import submission_messages
from worker.store.delivery.claims import Lease
from worker.store.delivery.new_submissions import current_resend_of, insert_submission
from worker.store.schema.tables import message, request, submission


def numbers_by_submission(connection: Connection, ids: Collection[int]) -> dict[int, Sequence[str]]:
    """Return the numbers that submissions carried, whatever became of the messages.

    Messages that were sent once more since then are among them.
    """
    resend = submission.alias("again")
    in_range = and_(
        message.c.request_id == submission.c.request_id,
        message.c.n >= submission.c.lo,
        message.c.n < submission.c.hi,
        message.c.submission_id.is_(None),
    )
    columns = [submission.c.id, message.c.msisdn]
    # By its range, by its own name, and by the name of its resend.
    queries = [
        select(*columns).join(message, in_range).where(submission.c.lo.is_not(None)),
        select(*columns).join(message, message.c.submission_id == submission.c.id),
        select(*columns)
        .join(resend, resend.c.resend_of == submission.c.id)
        .join(message, message.c.submission_id == resend.c.id),
    ]
    is_asked = submission.c.id.in_(list(ids))
    rows = connection.execute(union_all(*(query.where(is_asked) for query in queries)))
    numbers: dict[int, list[str]] = {}
    for submission_id, msisdn in rows:
        numbers.setdefault(submission_id, []).append(msisdn)
    return dict(numbers)


def numbers_in(connection: Connection, ranges: Sequence[MessageRange]) -> list[str]:
    """Return the numbers of the messages of ranges, in their order."""
    numbers: list[str] = []
    for message_range in ranges:
        numbers += connection.execute(
            select(message.c.msisdn)
            .where(
                message.c.request_id == message_range.request_id,
                message.c.n >= message_range.lo,
                message.c.n < message_range.hi,
            )
            .order_by(message.c.n)
        ).scalars()
    return numbers


def remaining_validity(connection: Connection, request_ids: Collection[int]) -> dict[int, int]:
    """Return for how many milliseconds requests are valid still; those without end left out."""
    rows = connection.execute(
        select(request.c.id, request.c.not_after, now().label("at")).where(
            request.c.id.in_(list(request_ids)), request.c.not_after.is_not(None)
        )
    )
    return {row.id: epoch_milliseconds(row.not_after) - epoch_milliseconds(row.at) for row in rows}


def put_back(connection: Connection, lease: Lease, seconds: float, code: str) -> None:
    """Let a whole submission wait for its recipients, in the transaction that wrote it ahead.

    It is then as if it had not been written ahead: `in_flight` → `planned`, and no attempt is
    counted.
    """
    connection.execute(
        update(submission)
        .where(
            submission.c.id == lease.id,
            submission.c.fence == lease.fence,
            submission.c.state == S.IN_FLIGHT.value,
        )
        .values(
            state=S.PLANNED.value,
            next_at=later(seconds),
            lease_until=None,
            code=code,
            attempts=lease.attempts - 1,
            called_at=None,
        )
    )


def plan_apart(
    connection: Connection,
    lease: Lease,
    keys: Sequence[MessageKey],
    seconds: float,
    *,
    tries: int,
    code: str,
    barred: Sequence[int | str],
) -> int:
    """Plan some of a lease's messages as a submission of their own, due in so long; return its id.

    `tries` is how many tries that count they have behind them, `code` why they wait, and `barred`
    what cannot carry them in their form.
    """
    not_after = select(submission.c.not_after).where(submission.c.id == lease.id)
    submission_id = insert_submission(
        connection,
        {
            "account": lease.account,
            "message_class": lease.message_class.value,
            "state": S.PLANNED.value,
            "request_id": lease.request_id,
            "size": len(keys),
            "attempts": tries,
            "code": code[:64] or None,
            "parent_id": lease.id,
            "resend_of": current_resend_of(connection, lease),
            "barred": list(barred) or None,
            "next_at": later(seconds),
            "not_after": not_after.scalar_subquery(),
            "created_at": now(),
        },
    )
    submission_messages.assign(connection, keys, submission_id)
    return submission_id
