"""Campaigns: move their states, release and stop their messages, and read these."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, case, exists, insert, or_, select, update

from worker.domain.enums import CampaignState, MessageState, SubmissionState
from worker.domain.transitions import CAMPAIGN_MOVES
from worker.store.db.clock import now
from worker.store.messages import message_view
from worker.store.schema.tables import campaign, message, request, submission


def add(connection: Connection, request_id: int, name: str, retry_of: int | None = None) -> None:
    """Insert a campaign in `loading`; `retry_of` is the campaign whose messages it sends again."""
    connection.execute(
        insert(campaign).values(
            request_id=request_id,
            name=name,
            state=CampaignState.LOADING.value,
            retry_of=retry_of,
        )
    )


def move(
    connection: Connection,
    request_id: int,
    to: CampaignState,
    source: CampaignState | None = None,
    **values: Any,
) -> bool:
    """Change a campaign's state to `to`, guarded by the states that this may be reached from.

    With `source` it has to be in that state. `values` are further columns. False when the campaign
    is in another state.
    """
    if source is None:
        sources = [state for state, targets in CAMPAIGN_MOVES.items() if to in targets]
    else:
        sources = [source]
    moved = connection.execute(
        update(campaign)
        .where(
            campaign.c.request_id == request_id,
            campaign.c.state.in_([state.value for state in sources]),
        )
        .values(state=to.value, **values)
    )
    return moved.rowcount == 1


def release(connection: Connection, request_id: int) -> None:
    """Let a campaign's messages be handed out: those of its range, and its planned submissions."""
    _set_next_at(connection, request_id, now())


def stop(connection: Connection, request_id: int) -> None:
    """Hand out no more of a campaign's messages; by the row locks this holds at once."""
    _set_next_at(connection, request_id, None)


def _set_next_at(connection: Connection, request_id: int, next_at: Any) -> None:
    """Set from when a request and its planned submissions are due; None is never."""
    request_next_at = next_at
    if next_at is not None:
        request_next_at = case(
            (request.c.not_before > next_at, request.c.not_before), else_=next_at
        )
    connection.execute(
        update(request)
        .where(
            request.c.id == request_id,
            request.c.next_n < request.c.total,
            request.c.rest == MessageState.QUEUED.value,
        )
        .values(next_at=request_next_at)
    )
    connection.execute(
        update(submission)
        .where(
            submission.c.request_id == request_id,
            submission.c.state == SubmissionState.PLANNED.value,
        )
        .values(next_at=next_at)
    )


def state_of(connection: Connection, request_id: int, *, lock: bool = False) -> str | None:
    """Return a campaign's state; None when there is no such campaign."""
    query = select(campaign.c.state).where(campaign.c.request_id == request_id)
    return connection.execute(query.with_for_update() if lock else query).scalar()


def lock_cancelled(connection: Connection, request_ids: Collection[int]) -> set[int]:
    """Return which requests are cancelled campaigns.

    The rows of all of them are locked, so that none is cancelled before the transaction ends.
    """
    rows = connection.execute(
        select(campaign.c.request_id, campaign.c.state)
        .where(campaign.c.request_id.in_(list(request_ids)))
        .order_by(campaign.c.request_id)
        .with_for_update(read=True)
    )
    return {row.request_id for row in rows if row.state == CampaignState.CANCELLED.value}


def unfinished_cancelled_ids(connection: Connection) -> list[int]:
    """Return the ids of the cancelled campaigns of which messages may still wait."""
    return list(
        connection.execute(
            select(campaign.c.request_id).where(
                campaign.c.state == CampaignState.CANCELLED.value, campaign.c.finished_at.is_(None)
            )
        ).scalars()
    )


def finish_cancelled(connection: Connection, request_id: int) -> None:
    """Note that no message of a cancelled campaign waits any more."""
    connection.execute(
        update(campaign)
        .where(campaign.c.request_id == request_id, campaign.c.finished_at.is_(None))
        .values(finished_at=now())
    )


def open_campaign_ids(connection: Connection) -> list[int]:
    """Return the ids of the campaigns that are running or paused."""
    return list(
        connection.execute(
            select(campaign.c.request_id).where(
                campaign.c.state.in_([CampaignState.RUNNING.value, CampaignState.PAUSED.value])
            )
        ).scalars()
    )


def newest_ids(connection: Connection, limit: int) -> list[int]:
    """Return the ids of the newest campaigns, the newest first."""
    return list(
        connection.execute(
            select(campaign.c.request_id).order_by(campaign.c.request_id.desc()).limit(limit)
        ).scalars()
    )


def is_drained(connection: Connection, request_id: int) -> bool:
    """Tell whether none of a request's messages is queued or submitting.

    It looks in one statement: between two, a message under way could go back to where the first has
    looked already.
    """
    waiting = exists().where(
        request.c.id == request_id,
        request.c.rest == MessageState.QUEUED.value,
        request.c.next_n < request.c.total,
    )
    planned = exists().where(
        submission.c.request_id == request_id,
        submission.c.state == SubmissionState.PLANNED.value,
    )
    under_way = exists().where(
        submission.c.request_id == request_id, submission.c.lease_until.is_not(None)
    )
    return not connection.execute(select(or_(waiting, planned, under_way))).scalar()


def retry_totals(connection: Connection, request_id: int) -> dict[int, int]:
    """Return the campaigns that send a campaign's failed messages again, with their totals."""
    rows = connection.execute(
        select(request.c.id, request.c.total)
        .join(campaign, campaign.c.request_id == request.c.id)
        .where(campaign.c.retry_of == request_id)
        .order_by(request.c.id)
    )
    return {row.id: row.total for row in rows}


def failed_messages(
    connection: Connection, request_id: int, states: Collection[str], first_n: int, limit: int
) -> list[Row[Any]]:
    """Return MSISDN and variables of a campaign's messages in `states`, in order from `first_n` on.

    `limit` is how many messages are looked at.
    """
    return list(
        connection.execute(
            select(message.c.msisdn, message.c.variables)
            .join(
                message_view,
                and_(
                    message_view.c.request_id == message.c.request_id,
                    message_view.c.n == message.c.n,
                ),
            )
            .where(
                message_view.c.request_id == request_id,
                message_view.c.n >= first_n,
                message_view.c.n < first_n + limit,
                message_view.c.state.in_(list(states)),
            )
            .order_by(message.c.n)
        )
    )


def view_rows(connection: Connection, request_id: int, first_n: int, limit: int) -> list[Row[Any]]:
    """Return the view's rows of a campaign's messages from number `first_n` on, in order."""
    return list(
        connection.execute(
            select(message_view)
            .where(
                message_view.c.request_id == request_id,
                message_view.c.n >= first_n,
                message_view.c.n < first_n + limit,
            )
            .order_by(message_view.c.n)
        )
    )


def export_rows(
    connection: Connection, request_id: int, columns: Sequence[str], first_n: int, limit: int
) -> list[Row[Any]]:
    """Return `columns` of the view for a campaign's messages from number `first_n` on, in order."""
    return list(
        connection.execute(
            select(*(message_view.c[column] for column in columns))
            .where(
                message_view.c.request_id == request_id,
                message_view.c.n >= first_n,
                message_view.c.n < first_n + limit,
            )
            .order_by(message_view.c.n)
        )
    )
