"""Read and write callbacks, and the outbox of events that they still have to be told.

What an event tells is read when it is told, so that an application that was away for long learns
how things stand now, and not how they stood.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from worker.store.callback_outbox import MessageRange
from worker.store.db.clock import later, now
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
    #: Events that wait, and those that were given up.
    waiting: int = 0
    parked: int = 0


def ensure(
    connection: Connection, sender: str, url: str, *, standing: bool = False, inbound: bool = False
) -> int:
    """Return the id of a sender's callback with this URL, inserted if there is none.

    With `standing` or `inbound` it is told of these too from now on.
    """
    is_wanted = (
        callback.c.sender == sender,
        callback.c.url == url,
        callback.c.removed_at.is_(None),
    )
    callback_id = connection.execute(
        select(callback.c.id).where(*is_wanted).order_by(callback.c.id).limit(1)
    ).scalar()
    if callback_id is None:
        insertion = insert(callback).values(
            sender=sender, url=url, standing=standing, inbound=inbound, created_at=now()
        )
        return inserted_id(connection.execute(insertion))
    if standing or inbound:
        connection.execute(
            update(callback)
            .where(callback.c.id == callback_id)
            .values(standing=standing or callback.c.standing, inbound=inbound or callback.c.inbound)
        )
    return int(callback_id)


def id_for_request(connection: Connection, sender: str, url: str | None) -> int | None:
    """Return the id of the callback that a new request names.

    Without a URL it is None, which stands for its sender's standing callback: that one is found by
    the statement that inserts the request, so that it costs no statement of its own.
    """
    return None if url is None else ensure(connection, sender, url)


def standing_ids(connection: Connection, senders: Iterable[str]) -> dict[str, int]:
    """Return the id of the callback that is told of all that a sender enqueues, by sender."""
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
    """Tell a callback nothing more, and drop its events; False when it was removed already."""
    removal = connection.execute(
        update(callback)
        .where(callback.c.id == callback_id, callback.c.removed_at.is_(None))
        .values(removed_at=now(), standing=False, inbound=False)
    )
    drop_events(connection, callback_id)
    return removal.rowcount == 1


def list_callbacks(connection: Connection, sender: str | None = None) -> list[Callback]:
    """Return the callbacks, of one sender or all, with the counts of their events."""
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    parked = callback_event.c.next_at.is_(None)
    tally = select(callback_event.c.callback_id, parked.label("parked"), func.count())
    for callback_id, is_parked, count in connection.execute(
        tally.group_by(callback_event.c.callback_id, parked)
    ):
        counts[callback_id][bool(is_parked)] += count
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


def parked_events(connection: Connection, limit: int) -> list[Mapping[str, Any]]:
    """Return up to `limit` parked events, the oldest first."""
    rows = connection.execute(
        select(callback_event)
        .where(callback_event.c.next_at.is_(None))
        .order_by(callback_event.c.id)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]
