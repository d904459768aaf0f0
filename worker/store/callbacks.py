"""Callbacks: whom to tell, and the outbox of what they still have to be told.

What is told is read when it is told, so that late news is never old news.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, delete, func, insert, select, update

from worker.store.callback_outbox import MessageRange
from worker.store.db.clock import later, now
from worker.store.db.dialects import new_id
from worker.store.messages import seen
from worker.store.schema.tables import callback, callback_event, inbound_message


@dataclass(frozen=True, slots=True)
class Callback:
    """A URL that is told: of all that its sender enqueues if it is `standing`."""

    id: int
    sender: str
    url: str
    standing: bool
    inbound: bool
    created_at: datetime
    #: Events that wait, and those that were given up.
    waiting: int = 0
    parked: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to be told. `span` or `inbound_id` says of what; `age` is in seconds."""

    id: int
    callback_id: int
    url: str
    attempts: int
    age: float
    span: MessageRange | None
    inbound_id: int | None


def ensure(
    connection: Connection, sender: str, url: str, *, standing: bool = False, inbound: bool = False
) -> int:
    """Return the id of a sender's callback with this URL, made if it is not there."""
    mine = (callback.c.sender == sender, callback.c.url == url, callback.c.removed_at.is_(None))
    found = connection.execute(
        select(callback.c.id).where(*mine).order_by(callback.c.id).limit(1)
    ).scalar()
    if found is None:
        made = insert(callback).values(
            sender=sender, url=url, standing=standing, inbound=inbound, created_at=now()
        )
        return new_id(connection.execute(made))
    if standing or inbound:
        connection.execute(
            update(callback)
            .where(callback.c.id == found)
            .values(standing=standing or callback.c.standing, inbound=inbound or callback.c.inbound)
        )
    return int(found)


def of(connection: Connection, sender: str, url: str | None) -> int | None:
    """Return the callback that a new request names.

    None stands for its sender's standing one: that is found by the statement that inserts, so that
    it costs none of its own.
    """
    return None if url is None else ensure(connection, sender, url)


def standing(connection: Connection, senders: Iterable[str]) -> dict[str, int]:
    """Return the callback that is told of all that a sender enqueues, by sender."""
    rows = connection.execute(
        select(callback.c.sender, func.max(callback.c.id))
        .where(
            callback.c.sender.in_(sorted(set(senders))),
            callback.c.standing,
            callback.c.removed_at.is_(None),
        )
        .group_by(callback.c.sender)
    )
    return {row[0]: row[1] for row in rows}


def remove(connection: Connection, callback_id: int) -> bool:
    """Tell a callback nothing more; what waited for it is dropped."""
    done = connection.execute(
        update(callback)
        .where(callback.c.id == callback_id, callback.c.removed_at.is_(None))
        .values(removed_at=now(), standing=False, inbound=False)
    )
    connection.execute(delete(callback_event).where(callback_event.c.callback_id == callback_id))
    return done.rowcount == 1


def all_of(connection: Connection, sender: str | None = None) -> list[Callback]:
    """Return the callbacks, of one sender or all, with what waits for each."""
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    parked = callback_event.c.next_at.is_(None)
    tally = select(callback_event.c.callback_id, parked.label("parked"), func.count())
    for of, is_parked, count in connection.execute(
        tally.group_by(callback_event.c.callback_id, parked)
    ):
        counts[of][bool(is_parked)] += count
    query = select(callback).where(callback.c.removed_at.is_(None)).order_by(callback.c.id)
    if sender is not None:
        query = query.where(callback.c.sender == sender)
    return [
        Callback(
            row.id,
            row.sender,
            row.url,
            row.standing,
            row.inbound,
            row.created_at,
            *counts[row.id],
        )
        for row in connection.execute(query)
    ]


def with_due(connection: Connection, limit: int = 200) -> list[int]:
    """Return the callbacks that have something due."""
    due = select(callback_event.c.callback_id).where(callback_event.c.next_at <= now())
    return list(connection.execute(due.distinct().limit(limit)).scalars())


def take(connection: Connection, callback_id: int, limit: int, seconds: float) -> list[Event]:
    """Take due events of a callback for so many seconds; who dies with them leaves them due."""
    ids = list(
        connection.execute(
            select(callback_event.c.id)
            .where(callback_event.c.callback_id == callback_id, callback_event.c.next_at <= now())
            .order_by(callback_event.c.next_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).scalars()
    )
    if not ids:
        return []
    connection.execute(
        update(callback_event)
        .where(callback_event.c.id.in_(ids))
        .values(next_at=later(seconds), attempts=callback_event.c.attempts + 1)
    )
    rows = connection.execute(
        select(callback_event, callback.c.url, now().label("at"))
        .join(callback, callback.c.id == callback_event.c.callback_id)
        .where(callback_event.c.id.in_(ids))
    )
    return [_event(row) for row in rows]


def _event(row: Row[Any]) -> Event:
    span = None if row.request_id is None else MessageRange(row.request_id, row.lo, row.hi)
    age = (row.at - row.created_at).total_seconds()
    return Event(row.id, row.callback_id, row.url, row.attempts, age, span, row.inbound_id)


def messages_of(connection: Connection, span: MessageRange) -> list[RowMapping]:
    """Return the view's rows of the messages that an event tells of, with the time of this look."""
    rows = connection.execute(
        select(seen, now().label("looked_at"))
        .where(seen.c.request_id == span.request_id, seen.c.n >= span.lo, seen.c.n < span.hi)
        .order_by(seen.c.n)
    )
    return list(rows.mappings())


def inbound(connection: Connection, inbound_id: int) -> Row[Any] | None:
    """Return an inbound message, with the time of this look."""
    return connection.execute(
        select(inbound_message, now().label("looked_at")).where(inbound_message.c.id == inbound_id)
    ).first()


def told(connection: Connection, event_id: int) -> None:
    """Forget an event that its application has taken."""
    connection.execute(delete(callback_event).where(callback_event.c.id == event_id))


def failed(connection: Connection, event_id: int, problem: str, wait: float | None) -> None:
    """Tell an event again in `wait` seconds; None parks it until somebody replays it."""
    connection.execute(
        update(callback_event)
        .where(callback_event.c.id == event_id)
        .values(next_at=None if wait is None else later(wait), problem=problem[:200])
    )


def replay(connection: Connection, callback_id: int | None = None) -> int:
    """Make what was parked due again, with a new day to be told in; returns how many."""
    query = update(callback_event).where(callback_event.c.next_at.is_(None))
    if callback_id is not None:
        query = query.where(callback_event.c.callback_id == callback_id)
    return connection.execute(query.values(next_at=now(), created_at=now(), attempts=0)).rowcount


def parked(connection: Connection, limit: int) -> list[Mapping[str, Any]]:
    """Return what was given up, the oldest first."""
    rows = connection.execute(
        select(callback_event)
        .where(callback_event.c.next_at.is_(None))
        .order_by(callback_event.c.id)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]
