"""Mark as unknown what a restored backup shows as waiting: it may have been sent since.

`since` is everywhere the time at which the backup was made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from worker.domain.enums import CampaignState, MessageState, Outcome, SubmissionState
from worker.domain.transitions import OPEN_SUBMISSION_STATES
from worker.store import callback_outbox
from worker.store.db.clock import now
from worker.store.delivery.new_submissions import insert_submission
from worker.store.schema.tables import account_state, campaign, message, request, submission

#: The code of submissions whose fate after the backup nobody knows.
RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class UnsentRange:
    """The messages that a request had not handed out in the backup: `size` of them wait."""

    request_id: int
    message_class: str
    account: str | None
    next_n: int
    total: int
    size: int


def lock_unsent_ranges(connection: Connection, since: datetime) -> list[UnsentRange]:
    """Lock the requests from before `since` whose messages may have been handed out after it.

    Left out are requests that may not be sent before now, and campaigns that are still loading:
    none of their messages can have been handed out.
    """
    loading = select(campaign.c.request_id).where(campaign.c.state == CampaignState.LOADING.value)
    rows = connection.execute(
        select(request)
        .where(
            request.c.created_at <= since,
            request.c.rest == MessageState.QUEUED.value,
            request.c.next_n < request.c.total,
            or_(request.c.not_before.is_(None), request.c.not_before <= now()),
            request.c.id.not_in(loading),
        )
        .order_by(request.c.id)
        .with_for_update()
    ).all()
    return [
        UnsentRange(
            row.id,
            row.message_class,
            row.account,
            row.next_n,
            row.total,
            _count_waiting(connection, row),
        )
        for row in rows
    ]


def _count_waiting(connection: Connection, row: Any) -> int:
    counted = select(func.count()).where(
        message.c.request_id == row.id,
        message.c.n >= row.next_n,
        message.c.state.is_(None),
        message.c.submission_id.is_(None),
    )
    return int(connection.execute(counted).scalar_one())


def put_aside(connection: Connection, unsent: UnsentRange, account: str, since: datetime) -> int:
    """Insert one submission, unknown from the start, for an unsent range; returns its id."""
    submission_id = insert_submission(
        connection,
        {
            "account": account,
            "message_class": unsent.message_class,
            "state": SubmissionState.UNKNOWN.value,
            "request_id": unsent.request_id,
            "lo": unsent.next_n,
            "hi": unsent.total,
            "size": unsent.size,
            "attempts": 1,
            "outcome": Outcome.UNKNOWN.value,
            "code": RESTORED,
            "created_at": now(),
            "called_at": since,
            "not_after": select(request.c.not_after)
            .where(request.c.id == unsent.request_id)
            .scalar_subquery(),
        },
    )
    connection.execute(
        update(request)
        .where(request.c.id == unsent.request_id, request.c.next_n == unsent.next_n)
        .values(next_n=unsent.total, next_at=None)
    )
    callback_outbox.note_submissions(connection, [submission_id])
    return submission_id


_is_open = submission.c.state.in_([state.value for state in OPEN_SUBMISSION_STATES])


def lock_unfinished(connection: Connection, since: datetime) -> list[Any]:
    """Lock the submissions from before `since` that have not ended, and return their rows."""
    return list(
        connection.execute(
            select(submission)
            .where(_is_open, submission.c.created_at <= since)
            .order_by(submission.c.id)
            .with_for_update()
        )
    )


def mark_unknown(connection: Connection, ids: Sequence[int], since: datetime) -> None:
    """Mark submissions as unknown: `planned` or `in_flight` → `unknown`."""
    for submission_id in ids:
        connection.execute(
            update(submission)
            .where(submission.c.id == submission_id, _is_open)
            .values(
                state=SubmissionState.UNKNOWN.value,
                outcome=Outcome.UNKNOWN.value,
                code=RESTORED,
                called_at=func.coalesce(submission.c.called_at, since),
                lease_until=None,
                next_at=None,
            )
        )
    callback_outbox.note_submissions(connection, ids)


def reset_counters(connection: Connection) -> None:
    """Forget what all sent counters said: the database lacks what was sent since the backup."""
    moment = connection.execute(select(now())).scalar_one()
    connection.execute(
        update(account_state)
        .where(account_state.c.counter.is_not(None))
        .values(counter={"called": moment.isoformat()}, settle_until=None)
    )


def loading_campaign_ids(connection: Connection, since: datetime) -> list[int]:
    """Return the ids of the campaigns whose loading had not ended when the backup was made."""
    rows = connection.execute(
        select(campaign.c.request_id)
        .join(request, request.c.id == campaign.c.request_id)
        .where(
            campaign.c.state == CampaignState.LOADING.value,
            request.c.created_at <= since,
        )
    )
    return list(rows.scalars())
