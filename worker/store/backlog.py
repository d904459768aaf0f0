"""Tell whether work moves on: how long the oldest due work of a class waits, and if it calls."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, func, or_, select

from worker.domain.enums import MessageClass, SubmissionState
from worker.store.db.clock import later, now
from worker.store.delivery.claims import in_stopped_campaign
from worker.store.schema.tables import request, submission

#: How many of the newest submissions are searched for a call of the class.
MAX_SEARCHED_SUBMISSIONS = 500


@dataclass(frozen=True, slots=True)
class ClassBacklog:
    """How long the due work of a class waits, and whether any of it moves."""

    message_class: MessageClass
    #: For how many seconds the oldest due work waits; None when nothing is due.
    oldest: float | None
    #: Whether something of it is under way, or was called within the time that was asked for.
    moves: bool


def of_class(
    connection: Connection,
    message_class: MessageClass,
    accounts: Collection[str],
    *,
    within: float,
) -> ClassBacklog:
    """Return the backlog of a class; requests that name an account not in `accounts` are left out.

    They wait on purpose. `moves` is whether the class called something `within` so many seconds.
    """
    oldest = oldest_due(connection, message_class, accounts)
    return ClassBacklog(message_class, oldest, _moves(connection, message_class, within))


def oldest_due(
    connection: Connection, message_class: MessageClass, accounts: Collection[str]
) -> float | None:
    """Return for how many seconds the oldest due work of a class waits; None when none is due.

    Requests that name an account not in `accounts` are left out.
    """
    due_times = [
        due_at
        for due_at in (
            connection.execute(_oldest_request(message_class, accounts)).scalar(),
            connection.execute(_oldest_planned(message_class)).scalar(),
        )
        if due_at is not None
    ]
    if not due_times:
        return None
    at = connection.execute(select(now())).scalar_one()
    return max(0.0, float((at - min(due_times)).total_seconds()))


def _oldest_request(message_class: MessageClass, accounts: Collection[str]) -> Any:
    return (
        select(request.c.next_at)
        .where(
            request.c.message_class == message_class.value,
            request.c.next_at <= now(),
            or_(request.c.account.is_(None), request.c.account.in_(list(accounts))),
        )
        .order_by(request.c.next_at)
        .limit(1)
    )


def _oldest_planned(message_class: MessageClass) -> Any:
    return (
        select(submission.c.next_at)
        .where(
            submission.c.message_class == message_class.value,
            submission.c.state == SubmissionState.PLANNED.value,
            submission.c.next_at <= now(),
            ~in_stopped_campaign,
        )
        .order_by(submission.c.next_at)
        .limit(1)
    )


def _moves(connection: Connection, message_class: MessageClass, within: float) -> bool:
    newest_id = select(func.coalesce(func.max(submission.c.id), 0)).scalar_subquery()
    is_of_class = submission.c.message_class == message_class.value
    under_way = exists().where(is_of_class, submission.c.lease_until > now())
    called = exists().where(
        is_of_class,
        submission.c.id > newest_id - MAX_SEARCHED_SUBMISSIONS,
        submission.c.called_at > later(-within),
    )
    return bool(connection.execute(select(or_(under_way, called))).scalar())
