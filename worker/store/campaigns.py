"""Campaigns: their states, their progress, their messages by state."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from worker.domain.enums import CampaignState, MessageState, SubmissionState
from worker.domain.transitions import CAMPAIGN_MOVES, MESSAGES_OF, OPEN
from worker.store.db.clock import now
from worker.store.messages import seen
from worker.store.schema import views
from worker.store.schema.tables import (
    campaign,
    message,
    request,
    submission,
)


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """A campaign as it stands: `states` counts its messages, and sums up to `total`."""

    id: int
    name: str
    state: CampaignState
    total: int
    states: Mapping[str, int]
    message_class: str
    account: str | None
    retry_of: int | None
    left_out: Mapping[str, int]
    #: Nothing of it is sent before, or after.
    not_before: datetime | None
    not_after: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def open(self) -> int:
        """How many messages are still queued or submitting."""
        return sum(self.states.get(state.value, 0) for state in OPEN)


def add(connection: Connection, request_id: int, name: str, retry_of: int | None = None) -> None:
    """Insert a campaign in `loading`."""
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
    came_from: CampaignState | None = None,
    **values: Any,
) -> bool:
    """Change a campaign's state, guarded by the states that `to` may be reached from."""
    if came_from is None:
        sources = [state for state, targets in CAMPAIGN_MOVES.items() if to in targets]
    else:
        sources = [came_from]
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
    """Let a campaign's messages be handed out: the rest of its range and what waits planned."""
    _let(connection, request_id, now())


def stop(connection: Connection, request_id: int) -> None:
    """Hand out no more of a campaign's messages: the row locks make it hold at once."""
    _let(connection, request_id, None)


def _let(connection: Connection, request_id: int, at: Any) -> None:
    start = at if at is None else case((request.c.not_before > at, request.c.not_before), else_=at)
    connection.execute(
        update(request)
        .where(
            request.c.id == request_id,
            request.c.next_n < request.c.total,
            request.c.rest == MessageState.QUEUED.value,
        )
        .values(next_at=start)
    )
    connection.execute(
        update(submission)
        .where(
            submission.c.request_id == request_id,
            submission.c.state == SubmissionState.PLANNED.value,
        )
        .values(next_at=at)
    )


def state_of(connection: Connection, request_id: int, *, lock: bool = False) -> str | None:
    """Return a campaign's state; None when there is no such campaign."""
    query = select(campaign.c.state).where(campaign.c.request_id == request_id)
    return connection.execute(query.with_for_update() if lock else query).scalar()


def cancelled(connection: Connection, request_ids: Collection[int]) -> set[int]:
    """Return which requests are cancelled campaigns; the others are kept from becoming so."""
    rows = connection.execute(
        select(campaign.c.request_id, campaign.c.state)
        .where(campaign.c.request_id.in_(list(request_ids)))
        .order_by(campaign.c.request_id)
        .with_for_update(read=True)
    )
    return {row.request_id for row in rows if row.state == CampaignState.CANCELLED.value}


def being_cancelled(connection: Connection) -> list[int]:
    """Return the ids of the campaigns that are cancelled, and of which something may wait."""
    return list(
        connection.execute(
            select(campaign.c.request_id).where(
                campaign.c.state == CampaignState.CANCELLED.value, campaign.c.finished_at.is_(None)
            )
        ).scalars()
    )


def finish(connection: Connection, request_id: int) -> None:
    """Note that nothing of a cancelled campaign waits any more."""
    connection.execute(
        update(campaign)
        .where(campaign.c.request_id == request_id, campaign.c.finished_at.is_(None))
        .values(finished_at=now())
    )


def open_ones(connection: Connection) -> list[int]:
    """Return the ids of the campaigns that run or are paused."""
    return list(
        connection.execute(
            select(campaign.c.request_id).where(
                campaign.c.state.in_([CampaignState.RUNNING.value, CampaignState.PAUSED.value])
            )
        ).scalars()
    )


def listed(connection: Connection, limit: int) -> list[int]:
    """Return the ids of the newest campaigns."""
    return list(
        connection.execute(
            select(campaign.c.request_id).order_by(campaign.c.request_id.desc()).limit(limit)
        ).scalars()
    )


def is_drained(connection: Connection, request_id: int) -> bool:
    """Tell whether none of a request's messages is queued or submitting.

    In one statement: between two, what is under way could go back to where was looked before.
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


def retries(connection: Connection, request_id: int) -> dict[int, int]:
    """Return the campaigns that send a campaign's failed messages again, with their totals."""
    rows = connection.execute(
        select(request.c.id, request.c.total)
        .join(campaign, campaign.c.request_id == request.c.id)
        .where(campaign.c.retry_of == request_id)
        .order_by(request.c.id)
    )
    return {row.id: row.total for row in rows}


def failed(
    connection: Connection, request_id: int, states: Collection[str], first: int, limit: int
) -> list[Row[Any]]:
    """Return number and variables of a campaign's messages in `states`, from `first` on, in order.

    `limit` is how many messages are looked at.
    """
    return list(
        connection.execute(
            select(message.c.msisdn, message.c.variables)
            .join(seen, and_(seen.c.request_id == message.c.request_id, seen.c.n == message.c.n))
            .where(
                seen.c.request_id == request_id,
                seen.c.n >= first,
                seen.c.n < first + limit,
                seen.c.state.in_(list(states)),
            )
            .order_by(message.c.n)
        )
    )


def part(connection: Connection, request_id: int, first: int, limit: int) -> list[Row[Any]]:
    """Return the view's rows of a campaign's messages from number `first` on, in order."""
    return list(
        connection.execute(
            select(seen)
            .where(seen.c.request_id == request_id, seen.c.n >= first, seen.c.n < first + limit)
            .order_by(seen.c.n)
        )
    )


def exported(
    connection: Connection, request_id: int, columns: Sequence[str], first: int, limit: int
) -> list[Row[Any]]:
    """Return some columns of the view for a campaign's messages from number `first` on."""
    return list(
        connection.execute(
            select(*(seen.c[one] for one in columns))
            .where(seen.c.request_id == request_id, seen.c.n >= first, seen.c.n < first + limit)
            .order_by(seen.c.n)
        )
    )


def progress(connection: Connection, request_id: int) -> CampaignProgress | None:
    """Count a campaign's messages by state, from its submissions and the exceptions among them."""
    row = connection.execute(
        select(campaign, request)
        .join(request, request.c.id == campaign.c.request_id)
        .where(campaign.c.request_id == request_id)
    ).first()
    if row is None:
        return None
    return CampaignProgress(
        request_id,
        row.name,
        CampaignState(row.state),
        row.total,
        count(connection, request_id),
        row.message_class,
        row.account,
        row.retry_of,
        row.left_out or {},
        row.not_before,
        row.not_after,
        row.created_at,
        row.started_at,
        row.finished_at,
    )


def count(connection: Connection, request_id: int) -> dict[str, int]:
    """Count a request's messages by state; the counts sum up to its total.

    Submissions count for their ranges and `rest` for what was not handed out, less the messages
    that have a state or a submission of their own: those count for themselves.
    """
    counts: Counter[str] = Counter()
    for state, number in _ranges(connection, request_id):
        counts[MESSAGES_OF[SubmissionState(state)].value] += int(number)
    rest, number = _rest(connection, request_id)
    counts[rest] += int(number)
    for state, number in _own(connection, request_id):
        counts[state] += number
    for state, number in _apart(connection, request_id):
        counts[state] += number
    return {state: number for state, number in counts.items() if number}


_has_state = message.c.state.is_not(None)
_is_apart = and_(message.c.state.is_(None), message.c.submission_id.is_not(None))


def _exceptions(request_id: Any, lo: Any, hi: Any) -> Any:
    """How many messages of a range count for themselves; two looks, each at an index of its own."""
    in_range = [message.c.request_id == request_id, message.c.n >= lo]
    if hi is not None:
        in_range.append(message.c.n < hi)
    return sum(
        (
            select(func.count()).select_from(message).where(*in_range, which).scalar_subquery()
            for which in (_has_state, _is_apart)
        ),
        start=literal(0),
    )


def _ranges(connection: Connection, request_id: int) -> list[Any]:
    each = (
        select(
            submission.c.state,
            (
                submission.c.hi
                - submission.c.lo
                - _exceptions(submission.c.request_id, submission.c.lo, submission.c.hi)
            ).label("plain"),
        )
        .where(
            submission.c.request_id == request_id,
            submission.c.lo.is_not(None),
            submission.c.state != SubmissionState.NOT_SENT.value,
        )
        .subquery()
    )
    return list(
        connection.execute(select(each.c.state, func.sum(each.c.plain)).group_by(each.c.state))
    )


def _rest(connection: Connection, request_id: int) -> Any:
    return connection.execute(
        select(
            request.c.rest,
            request.c.total - request.c.next_n - _exceptions(request.c.id, request.c.next_n, None),
        ).where(request.c.id == request_id)
    ).one()


def _own(connection: Connection, request_id: int) -> list[Any]:
    return list(
        connection.execute(
            select(message.c.state, func.count())
            .where(message.c.request_id == request_id, _has_state)
            .group_by(message.c.state)
        )
    )


def _apart(connection: Connection, request_id: int) -> list[Any]:
    return list(
        connection.execute(
            select(views.submission_says, func.count())
            .select_from(message)
            .join(submission, submission.c.id == message.c.submission_id)
            .where(message.c.request_id == request_id, _is_apart)
            .group_by(views.submission_says)
        )
    )
