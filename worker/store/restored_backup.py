"""What a restored backup forgot: whatever waited when it was made may have been sent since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update

from worker.domain.enums import CampaignState, MessageState, Outcome
from worker.domain.enums import SubmissionState as S
from worker.store import callback_outbox
from worker.store.db.clock import now
from worker.store.db.dialects import new_id
from worker.store.schema.tables import (
    account_state,
    campaign,
    message,
    request,
    submission,
)

#: The code of submissions that a restored backup knows less of than happened.
RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Rest:
    """What a request had not handed out when the backup was made; `size` messages of it wait."""

    request_id: int
    message_class: str
    account: str | None
    next_n: int
    total: int
    size: int


def rests(connection: Connection, since: datetime) -> list[Rest]:
    """Lock the requests of before `since` with messages that may have been handed out after it.

    What is not to be sent before now cannot have been, nor what a campaign is still loading.
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
        Rest(
            row.id,
            row.message_class,
            row.account,
            row.next_n,
            row.total,
            _waiting(connection, row),
        )
        for row in rows
    ]


def _waiting(connection: Connection, row: Any) -> int:
    counted = select(func.count()).where(
        message.c.request_id == row.id,
        message.c.n >= row.next_n,
        message.c.state.is_(None),
        message.c.submission_id.is_(None),
    )
    return int(connection.execute(counted).scalar_one())


def put_aside(connection: Connection, rest: Rest, account: str, since: datetime) -> int:
    """Carry a rest by one submission that is unknown from the start; returns its id."""
    made = new_id(
        connection.execute(
            insert(submission).values(
                account=account,
                message_class=rest.message_class,
                state=S.UNKNOWN.value,
                request_id=rest.request_id,
                lo=rest.next_n,
                hi=rest.total,
                size=rest.size,
                attempts=1,
                outcome=Outcome.UNKNOWN.value,
                code=RESTORED,
                created_at=now(),
                called_at=since,
                not_after=select(request.c.not_after)
                .where(request.c.id == rest.request_id)
                .scalar_subquery(),
            )
        )
    )
    connection.execute(
        update(request)
        .where(request.c.id == rest.request_id, request.c.next_n == rest.next_n)
        .values(next_n=rest.total, next_at=None)
    )
    callback_outbox.of_submissions(connection, [made])
    return made


_GOING = [S.PLANNED.value, S.IN_FLIGHT.value]


def going(connection: Connection, since: datetime) -> list[Any]:
    """Lock the submissions of before `since` that have not ended."""
    return list(
        connection.execute(
            select(submission)
            .where(submission.c.state.in_(_GOING), submission.c.created_at <= since)
            .order_by(submission.c.id)
            .with_for_update()
        )
    )


def doubt(connection: Connection, ids: Sequence[int], since: datetime) -> None:
    """Say of submissions that nobody knows: `planned`, `in_flight` → `unknown`."""
    for one in ids:
        connection.execute(
            update(submission)
            .where(submission.c.id == one, submission.c.state.in_(_GOING))
            .values(
                state=S.UNKNOWN.value,
                outcome=Outcome.UNKNOWN.value,
                code=RESTORED,
                called_at=func.coalesce(submission.c.called_at, since),
                lease_until=None,
                next_at=None,
            )
        )
    callback_outbox.of_submissions(connection, ids)


def forget_counters(connection: Connection) -> None:
    """Begin anew with sent counters: what was sent since the backup is not in the database."""
    at = connection.execute(select(now())).scalar_one()
    connection.execute(
        update(account_state)
        .where(account_state.c.counter.is_not(None))
        .values(counter={"called": at.isoformat()}, settle_until=None)
    )


def loading(connection: Connection, since: datetime) -> list[int]:
    """Return the campaigns whose loading had not ended when the backup was made."""
    rows = connection.execute(
        select(campaign.c.request_id)
        .join(request, request.c.id == campaign.c.request_id)
        .where(
            campaign.c.state == CampaignState.LOADING.value,
            request.c.created_at <= since,
        )
    )
    return list(rows.scalars())
