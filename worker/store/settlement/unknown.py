"""Read unknown submissions, end their doubt, and plan their one resend."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, tuple_, update

from worker.domain.enums import MessageClass, MessageState, Outcome, SubmissionState
from worker.gateways.base import Content
from worker.store import messages
from worker.store.db.clock import now
from worker.store.delivery import stops
from worker.store.delivery.claims import Lease
from worker.store.delivery.new_submissions import insert_submission, plan_continuation
from worker.store.delivery.outcomes import mark_not_sent
from worker.store.delivery.submission_messages import is_carried_by
from worker.store.intake import campaigns
from worker.store.intake.requests import content_of, request_rows
from worker.store.schema.tables import message, submission
from worker.store.settlement.restored_backup import RESTORED


@dataclass(frozen=True, slots=True)
class UnknownSubmission:
    """An unknown submission, with what is needed to settle it."""

    id: int
    fence: int
    account: str
    message_class: MessageClass
    request_id: int
    size: int
    #: The segments of all of its messages together.
    segment_sum: int
    code: str | None
    words: str | None
    called_at: datetime | None
    #: Whether it was sent once more.
    resent: bool
    #: Whether the gateway refused it for one number, and may have taken the others.
    refused: bool = False

    def units(self, unit: str) -> int:
        """Return what it would have added to a counter of `unit`: segments or messages."""
        return self.segment_sum if unit == "segments" else self.size


def unknown_submissions(
    connection: Connection,
    *,
    account: str | None = None,
    code: str | None = None,
    since: datetime | None = None,
    request_id: int | None = None,
    ids: Collection[int] | None = None,
    limit: int = 1000,
) -> list[UnknownSubmission]:
    """Return unknown submissions that fit what is given, the oldest first.

    That is their account, their code, that they were called `since` a moment, their request (a
    campaign's id is its request's), their ids.
    """
    resend = submission.alias("again")
    was_resent = select(resend.c.id).where(resend.c.resend_of == submission.c.id).exists()
    query = select(submission, was_resent.label("resent")).where(
        submission.c.state == SubmissionState.UNKNOWN.value
    )
    for column, value in (
        (submission.c.account, account),
        (submission.c.code, code),
        (submission.c.request_id, request_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if since is not None:
        query = query.where(submission.c.called_at >= since)
    if ids is not None:
        query = query.where(submission.c.id.in_(list(ids)))
    return [
        UnknownSubmission(
            row.id,
            row.fence,
            row.account,
            MessageClass(row.message_class),
            row.request_id,
            row.size,
            row.size * row.segments if row.segment_sum is None else row.segment_sum,
            row.code,
            row.words,
            row.called_at,
            bool(row.resent),
            row.outcome == Outcome.REJECTED.value,
        )
        for row in connection.execute(query.order_by(submission.c.id).limit(limit))
    ]


def repeatable(connection: Connection, account: str, limit: int) -> list[Lease]:
    """Return the unknown submissions of an account that carried a reference and are still valid.

    Those of a class that is stopped are left out.
    """
    rows = connection.execute(
        select(submission)
        .where(
            submission.c.state == SubmissionState.UNKNOWN.value,
            submission.c.account == account,
            submission.c.reference.is_not(None),
            submission.c.not_after > now(),
            submission.c.code.is_distinct_from(RESTORED),
            submission.c.message_class.not_in(stops.stopped_classes),
        )
        .order_by(submission.c.id)
        .limit(limit)
    ).all()
    return _leases(connection, rows)


def _leases(connection: Connection, rows: Sequence[Any]) -> list[Lease]:
    rows_by_request = request_rows(connection, {row.request_id for row in rows})
    contents = {
        request_id: content_of(request_row) for request_id, request_row in rows_by_request.items()
    }
    return [
        replace(lease_of(row), content=contents[row.request_id], reference=row.reference or "")
        for row in rows
    ]


def end_as_not_taken(
    connection: Connection,
    submission_id: int,
    fence: int,
    go_on: Callable[[Lease, str | None, str], None] | None = None,
) -> bool:
    """End a doubt by proof that nothing was taken: `unknown` → `not_sent`, messages queued.

    `go_on` plans how the messages go on, and is given the lease, the outcome and the code; without
    it they go on in one submission, at once. Of a campaign that was cancelled meanwhile they become
    `cancelled`. Messages that a resend carries stay with it. False when the submission is not
    unknown under this fence.
    """
    # The campaign is locked before the submission, in the order in which a cancel locks them.
    request_id = select(submission.c.request_id).where(submission.c.id == submission_id)
    cancelled = campaigns.lock_cancelled(connection, connection.execute(request_id).scalars().all())
    row = lock_unknown(connection, submission_id, fence)
    if row is None:
        return False
    connection.execute(
        update(submission)
        .where(submission.c.id == submission_id)
        .values(state=SubmissionState.NOT_SENT.value, outcome=Outcome.NOT_SENT.value)
    )
    if cancelled:
        messages.end_carried(connection, [submission_id], MessageState.CANCELLED)
    elif detach_resend(connection, submission_id):
        pass
    elif go_on is None:
        plan_continuation(connection, lease_of(row), wait=0.0, tries=row.attempts)
    else:
        go_on(lease_of(row), row.outcome, row.code or "")
    return True


def lock_unknown(connection: Connection, submission_id: int, fence: int) -> Any:
    """Lock a submission and return its row; None when it is not unknown under this fence."""
    return connection.execute(
        select(submission)
        .where(
            submission.c.id == submission_id,
            submission.c.fence == fence,
            submission.c.state == SubmissionState.UNKNOWN.value,
        )
        .with_for_update()
    ).first()


def lease_of(row: Any) -> Lease:
    """Return the lease that a submission had, without content and reference."""
    return Lease(
        row.id,
        row.fence,
        row.account,
        MessageClass(row.message_class),
        row.request_id,
        row.lo,
        row.hi,
        row.size,
        row.attempts,
        Content(""),
        "",
        row.resend_of,
        binding_id=row.binding_id,
        barred=tuple(row.barred or ()),
    )


def facts(connection: Connection, submission_id: int) -> Row[str, str | None, int] | None:
    """Return state, code and size of a submission; None when there is none."""
    columns = (submission.c.state, submission.c.code, submission.c.size)
    return connection.execute(select(*columns).where(submission.c.id == submission_id)).first()


def resend(
    connection: Connection, submission_id: int, only: MessageClass | None = None
) -> int | None:
    """Plan to send once more what an unknown submission carried; returns the new submission's id.

    The messages name the new submission; the old one stays unknown. None when it was resent before,
    is a resend itself, is past its validity, or is not of the class `only`.
    """
    row = _lock_resendable(connection, submission_id, only)
    if row is None:
        return None
    resend_id = insert_submission(
        connection,
        {
            "account": row.account,
            "message_class": row.message_class,
            "state": SubmissionState.PLANNED.value,
            "request_id": row.request_id,
            "size": row.size,
            "attempts": row.attempts,
            "parent_id": submission_id,
            "resend_of": submission_id,
            "next_at": now(),
            "not_after": row.not_after,
            "created_at": now(),
        },
    )
    connection.execute(
        update(message)
        .where(is_carried_by(row), message.c.state.is_(None))
        .values(submission_id=resend_id)
    )
    return resend_id


def _lock_resendable(connection: Connection, submission_id: int, only: MessageClass | None) -> Any:
    """Lock an unknown submission and return its row; None when it may not be resent."""
    row = connection.execute(
        select(submission, (submission.c.not_after > now()).label("valid"))
        .where(
            submission.c.id == submission_id, submission.c.state == SubmissionState.UNKNOWN.value
        )
        .with_for_update()
    ).first()
    if row is None or not row.valid or row.resend_of is not None:
        return None
    if only is not None and row.message_class != only.value:
        return None
    earlier_resend = select(submission.c.id).where(submission.c.resend_of == submission_id)
    return row if connection.execute(earlier_resend).first() is None else None


def detach_resend(connection: Connection, submission_id: int) -> bool:
    """Make the resend of a submission that was provably not taken a submission like any other.

    From then on its messages have the fate of the resend alone. False when there is no resend, or
    it did not go and has returned its messages.
    """
    is_resend = submission.c.resend_of == submission_id
    carrying = select(submission.c.id).where(
        is_resend, submission.c.state != SubmissionState.NOT_SENT.value
    )
    has_resend = connection.execute(carrying).first() is not None
    connection.execute(update(submission).where(is_resend).values(resend_of=None))
    return has_resend


def withdraw_resend(connection: Connection, submission_id: int) -> None:
    """Return messages to a submission whose doubt has ended, if their resend has not gone yet."""
    planned_ids = connection.execute(
        select(submission.c.id)
        .where(
            submission.c.resend_of == submission_id,
            submission.c.state == SubmissionState.PLANNED.value,
        )
        .with_for_update()
    ).scalars()
    for resend_id in planned_ids.all():
        return_messages(connection, resend_id, submission_id)
        mark_not_sent(connection, [resend_id], SubmissionState.PLANNED)


def withdraw_resends(connection: Connection, ids: Collection[int]) -> None:
    """Return what the resends among these submissions carry, before they are cancelled."""
    resends = select(submission.c.id, submission.c.resend_of).where(
        submission.c.id.in_(list(ids)), submission.c.resend_of.is_not(None)
    )
    for row in connection.execute(resends).all():
        return_messages(connection, row.id, row.resend_of)


def return_messages(
    connection: Connection,
    resend_id: int,
    unknown_id: int,
    keys: Collection[tuple[int, int]] | None = None,
) -> None:
    """Return messages of a resend to the submission that it resends: they are unknown again.

    All of them, or those of `keys` (request and number). Whatever became of the resend, the first
    submission may have been taken, so that no other state would be true. Nothing is returned when
    the first was proven not taken meanwhile.
    """
    resend_of = select(submission.c.resend_of).where(submission.c.id == resend_id)
    if connection.execute(resend_of).scalar() != unknown_id:
        return
    lo = connection.execute(select(submission.c.lo).where(submission.c.id == unknown_id)).scalar()
    conditions = [message.c.submission_id == resend_id, message.c.state.is_(None)]
    if keys is not None:
        conditions.append(tuple_(message.c.request_id, message.c.n).in_(list(keys)))
    connection.execute(
        update(message).where(*conditions).values(submission_id=unknown_id if lo is None else None)
    )
