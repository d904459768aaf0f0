"""Whether work moves on: how long the oldest due work of a class waits, and when it last called."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, func, or_, select

from worker.domain.enums import MessageClass, SubmissionState
from worker.store.claims import stopped
from worker.store.db.clock import later, now
from worker.store.schema.tables import request, submission

#: So many of the newest submissions are looked at for a call of the class.
NEWEST = 500


@dataclass(frozen=True, slots=True)
class ClassBacklog:
    """One class: for how many seconds its oldest due work waits; None when nothing is due."""

    message_class: MessageClass
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
    """Look at a class; what names another account than these waits on purpose."""
    due = [
        one
        for one in (
            connection.execute(_request(message_class, accounts)).scalar(),
            connection.execute(_planned(message_class)).scalar(),
        )
        if one is not None
    ]
    oldest = None
    if due:
        at = connection.execute(select(now())).scalar_one()
        oldest = max(0.0, (at - min(due)).total_seconds())
    return ClassBacklog(message_class, oldest, _moves(connection, message_class, within))


def _request(message_class: MessageClass, accounts: Collection[str]) -> Any:
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


def _planned(message_class: MessageClass) -> Any:
    return (
        select(submission.c.next_at)
        .where(
            submission.c.message_class == message_class.value,
            submission.c.state == SubmissionState.PLANNED.value,
            submission.c.next_at <= now(),
            ~stopped,
        )
        .order_by(submission.c.next_at)
        .limit(1)
    )


def _moves(connection: Connection, message_class: MessageClass, within: float) -> bool:
    newest = select(func.coalesce(func.max(submission.c.id), 0)).scalar_subquery()
    mine = submission.c.message_class == message_class.value
    under_way = exists().where(mine, submission.c.lease_until > now())
    called = exists().where(
        mine, submission.c.id > newest - NEWEST, submission.c.called_at > later(-within)
    )
    return bool(connection.execute(select(or_(under_way, called))).scalar())
