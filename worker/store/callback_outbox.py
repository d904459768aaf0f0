"""Note what changed for the callbacks that are told of it, in the transaction that changes it.

A note names messages and holds nothing else of them. Notes about requests without a callback cost
one query.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import CompoundSelect, Connection, exists, insert, select, union

from worker.domain.message_ranges import MessageRange
from worker.store.db.clock import now
from worker.store.schema.tables import (
    callback,
    callback_event,
    message,
    request,
    submission,
)

#: The most messages that one event tells of.
MAX_MESSAGES_PER_EVENT = 500


def note_messages(connection: Connection, ranges: Iterable[MessageRange]) -> None:
    """Note that messages changed, for the callbacks of their requests."""
    ranges_by_request: dict[int, list[MessageRange]] = defaultdict(list)
    for message_range in ranges:
        ranges_by_request[message_range.request_id].append(message_range)
    if not ranges_by_request:
        return
    rows = [
        {"callback_id": callback_id, "request_id": request_id, "lo": lo, "hi": hi}
        for request_id, callback_id in connection.execute(_told_of(ranges_by_request))
        for lo, hi in _event_bounds(ranges_by_request[request_id])
    ]
    _insert_events(connection, rows)


def _told_of(request_ids: Iterable[int]) -> CompoundSelect[int, int]:
    """Build the query of requests, each with a callback that is told of it.

    That is the callback in its row; where that one stands for its sender, also one that was removed
    since, it is each standing callback of the sender.
    """
    is_wanted = request.c.id.in_(list(request_ids))
    named, standing = callback.alias("named"), callback.alias("standing")
    own = (
        select(request.c.id, named.c.id)
        .join(named, named.c.id == request.c.callback_id)
        .where(is_wanted, named.c.removed_at.is_(None))
    )
    others = (
        select(request.c.id, standing.c.id)
        .join(named, named.c.id == request.c.callback_id)
        .join(standing, standing.c.sender == named.c.sender)
        .where(is_wanted, named.c.standing, standing.c.standing, standing.c.removed_at.is_(None))
    )
    return union(own, others)


def note_submissions(connection: Connection, ids: Collection[int]) -> None:
    """Note that the messages of submissions changed with them."""
    if not ids or not connection.execute(select(exists().select_from(callback))).scalar():
        return
    rows = connection.execute(
        select(submission)
        .join(request, request.c.id == submission.c.request_id)
        .where(submission.c.id.in_(list(ids)), request.c.callback_id.is_not(None))
    )
    ranges = [
        MessageRange(row.request_id, row.lo, row.hi) for row in rows.all() if row.lo is not None
    ]
    keys = connection.execute(
        select(message.c.request_id, message.c.n).where(message.c.submission_id.in_(list(ids)))
    )
    ranges += [MessageRange(request_id, n, n + 1) for request_id, n in keys]
    note_messages(connection, ranges)


def note_inbound(connection: Connection, inbound_ids: Sequence[int]) -> None:
    """Note that inbound messages came, for the callbacks that are told of them."""
    if not inbound_ids:
        return
    callback_ids = connection.execute(
        select(callback.c.id).where(callback.c.inbound, callback.c.removed_at.is_(None))
    ).scalars()
    rows = [
        {"callback_id": callback_id, "inbound_id": inbound_id}
        for callback_id in callback_ids.all()
        for inbound_id in inbound_ids
    ]
    _insert_events(connection, rows)


def _insert_events(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        insertion = insert(callback_event).values(created_at=now(), next_at=now())
        connection.execute(insertion, list(rows))


def _event_bounds(ranges: Sequence[MessageRange]) -> Iterable[tuple[int, int]]:
    """Join ranges that touch, and cut them into bounds of what one event tells."""
    joined: list[list[int]] = []
    for message_range in sorted(ranges, key=attrgetter("lo")):
        if joined and message_range.lo <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], message_range.hi)
        else:
            joined.append([message_range.lo, message_range.hi])
    for lo, hi in joined:
        for start in range(lo, hi, MAX_MESSAGES_PER_EVENT):
            yield start, min(start + MAX_MESSAGES_PER_EVENT, hi)
