"""Read and write callbacks, and the outbox of events that they still have to be told.

What an event tells is read when it is told, so that an application that was away for long learns
how things stand now, and not how they stood.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from worker.domain.message_ranges import MessageRange
from worker.store.db.clock import Instant, later, now
from worker.store.db.dialects import inserted_id
from worker.store.feedback.callback_turns import drop_events
from worker.store.messages import message_view
from worker.store.schema.tables import callback, callback_event


@dataclass(frozen=True, slots=True)
class Callback:
    """A URL that is told: of all that its sender enqueues if it is `standing`."""

    id: int
    sender: str
    url: str
    standing: bool
    inbound: bool
    created_at: datetime
    #: The API key that added it; None: nobody's, or unknown.
    key_id: int | None = None
    #: Events that wait, and those that were given up.
    waiting: int = 0
    parked: int = 0


def add(
    connection: Connection,
    sender: str,
    url: str,
    *,
    inbound: bool = False,
    key_id: int | None = None,
) -> int:
    """Insert a standing callback; return its id."""
    insertion = insert(callback).values(
        sender=sender, url=url, standing=True, inbound=inbound, created_at=now(), key_id=key_id
    )
    return inserted_id(connection.execute(insertion))


def change(connection: Connection, callback_id: int, url: str, *, inbound: bool) -> None:
    """Make a callback a standing one with this URL."""
    connection.execute(
        update(callback)
        .where(callback.c.id == callback_id)
        .values(url=url, standing=True, inbound=inbound)
    )


def find(connection: Connection, sender: str, url: str) -> Callback | None:
    """Return a sender's callback with this URL, the first if there are several; None if none is."""
    return next(iter(_select(connection, callback.c.sender == sender, callback.c.url == url)), None)


def standing_of(connection: Connection, sender: str) -> list[Callback]:
    """Return the standing callbacks of a sender: one, or those of before that was the rule."""
    return _select(connection, callback.c.sender == sender, callback.c.standing)


def left_by(connection: Connection, key_id: int, sender: str) -> list[Callback]:
    """Return the callbacks that a key of a sender added and that are told still.

    Standing ones of the sender of which nobody knows who added them are among these.
    """
    is_unknown = and_(callback.c.key_id.is_(None), callback.c.sender == sender, callback.c.standing)
    return _select(connection, or_(callback.c.key_id == key_id, is_unknown))


def remove(connection: Connection, callback_id: int) -> bool:
    """Tell a callback nothing more, and drop its events; False when it was removed already."""
    removal = connection.execute(
        update(callback)
        .where(callback.c.id == callback_id, callback.c.removed_at.is_(None))
        .values(removed_at=now())
    )
    drop_events(connection, callback_id)
    return removal.rowcount == 1


def list_callbacks(connection: Connection, sender: str | None = None) -> list[Callback]:
    """Return the callbacks, of one sender or all, with the counts of their events."""
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    parked = callback_event.c.next_at.is_(None)
    tally = select(callback_event.c.callback_id, parked.label("parked"), func.count())
    own = []
    if sender is not None:
        own = [callback.c.sender == sender]
        tally = tally.join(callback, callback.c.id == callback_event.c.callback_id).where(*own)
    for callback_id, is_parked, count in connection.execute(
        tally.group_by(callback_event.c.callback_id, parked)
    ):
        counts[callback_id][bool(is_parked)] += count
    return [
        replace(row, waiting=counts[row.id][0], parked=counts[row.id][1])
        for row in _select(connection, *own)
    ]


def delays(connection: Connection, min_seconds: float) -> dict[int, float]:
    """Return for how many seconds events have been due, by callback, where it is longer than so."""
    oldest = func.min(callback_event.c.next_at, type_=Instant()).label("oldest")
    rows = connection.execute(
        select(callback_event.c.callback_id, oldest, now().label("at"))
        .where(callback_event.c.next_at < later(-min_seconds))
        .group_by(callback_event.c.callback_id)
    )
    return {row.callback_id: (row.at - row.oldest).total_seconds() for row in rows}


def _select(connection: Connection, *conditions: ColumnElement[bool]) -> list[Callback]:
    """Return the callbacks that fit and are not removed, in the order in which they were added."""
    rows = connection.execute(
        select(callback).where(callback.c.removed_at.is_(None), *conditions).order_by(callback.c.id)
    )
    return [
        Callback(
            row.id,
            row.sender,
            row.url,
            bool(row.standing),
            bool(row.inbound),
            row.created_at,
            row.key_id,
        )
        for row in rows
    ]


def messages_of(connection: Connection, message_range: MessageRange) -> list[RowMapping]:
    """Return the view's rows of the messages that an event tells of, with the time of this look."""
    rows = connection.execute(
        select(message_view, now().label("looked_at"))
        .where(
            message_view.c.request_id == message_range.request_id,
            message_view.c.n >= message_range.lo,
            message_view.c.n < message_range.hi,
        )
        .order_by(message_view.c.n)
    )
    return list(rows.mappings())


def delete_event(connection: Connection, event_id: int) -> None:
    """Delete an event that its application has taken."""
    connection.execute(delete(callback_event).where(callback_event.c.id == event_id))


def postpone_event(connection: Connection, event_id: int, problem: str, wait: float | None) -> None:
    """Tell an event again in `wait` seconds; None parks it until somebody replays it."""
    connection.execute(
        update(callback_event)
        .where(callback_event.c.id == event_id)
        .values(next_at=None if wait is None else later(wait), problem=problem[:200])
    )


def replay_parked(connection: Connection, callback_id: int | None = None) -> int:
    """Make the parked events due again, as if they were new; return how many."""
    query = update(callback_event).where(callback_event.c.next_at.is_(None))
    if callback_id is not None:
        query = query.where(callback_event.c.callback_id == callback_id)
    return connection.execute(query.values(next_at=now(), created_at=now(), attempts=0)).rowcount
