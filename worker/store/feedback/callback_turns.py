"""Walk over the callbacks that have events, and take the events that are due.

The walk goes from one callback to the next by the index, past all of its events at once: it costs
the same whether ten events wait or a million. Whoever goes on where the last walk ended gives each
callback its turn.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, select, update

from worker.domain.message_ranges import MessageRange
from worker.store.db.clock import later, now
from worker.store.db.index_walk import next_values
from worker.store.schema.tables import callback, callback_event


@dataclass(frozen=True, slots=True)
class CallbackTurn:
    """A callback that has events, and whether one of them is due now."""

    callback_id: int
    #: None when the callback is removed: what is noted for it is told to nobody.
    sender: str | None
    is_due: bool


@dataclass(frozen=True, slots=True)
class CallbackEvent:
    """One event to be told, of messages or of an inbound message; `age` is in seconds."""

    id: int
    callback_id: int
    url: str
    attempts: int
    age: float
    message_range: MessageRange | None
    inbound_id: int | None


def turns_after(connection: Connection, callback_id: int, limit: int) -> list[CallbackTurn]:
    """Return the next callbacks with events, by their ids, up to `limit` of them.

    Fewer of them mean that there are no more; the next turns are then those after 0.
    """
    walk = next_values(connection, callback_event.c.callback_id, callback_id, limit)
    is_due = exists().where(
        callback_event.c.callback_id == walk.c.value, callback_event.c.next_at <= now()
    )
    is_told = and_(callback.c.id == walk.c.value, callback.c.removed_at.is_(None))
    rows = connection.execute(
        select(walk.c.value, callback.c.sender, is_due.label("is_due"))
        .select_from(walk.outerjoin(callback, is_told))
        .order_by(walk.c.value)
    )
    return [CallbackTurn(row.value, row.sender, bool(row.is_due)) for row in rows]


def take_due_events(
    connection: Connection, callback_id: int, limit: int, seconds: float
) -> list[CallbackEvent]:
    """Take up to `limit` due events of a callback for so many seconds.

    Nobody else takes them meanwhile. They are due again then, unless they were deleted or
    postponed: a process that dies with them loses none.
    """
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


def _event(row: Row[Any]) -> CallbackEvent:
    message_range = None if row.request_id is None else MessageRange(row.request_id, row.lo, row.hi)
    age = (row.at - row.created_at).total_seconds()
    return CallbackEvent(
        row.id, row.callback_id, row.url, row.attempts, age, message_range, row.inbound_id
    )


def drop_events(connection: Connection, callback_id: int) -> None:
    """Delete all events of a callback: nobody is told them."""
    connection.execute(delete(callback_event).where(callback_event.c.callback_id == callback_id))
