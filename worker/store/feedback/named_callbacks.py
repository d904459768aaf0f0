"""Find the callback of a new request: the one that it names, or the standing one of its sender."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from worker.domain.errors import Problem, Refused
from worker.store.db.clock import later, now
from worker.store.db.dialects import inserted_id
from worker.store.schema.tables import callback

#: A callback that no call has named for so long counts no more against its sender's cap.
UNUSED_AFTER_SECONDS = 30 * 86400.0
#: How exact the time is at which a callback was named last.
USE_RESOLUTION_SECONDS = 86400.0

_last_use = func.coalesce(callback.c.used_at, callback.c.created_at)


@dataclass(frozen=True, slots=True)
class NamedCallback:
    """A URL that a call names, and how many callbacks its sender may have in use."""

    url: str
    max_callbacks: int
    #: The API key that the call came with; None for a caller on this machine.
    key_id: int | None = None


def id_for_request(connection: Connection, sender: str, named: NamedCallback | None) -> int | None:
    """Return the id of the callback that a new request names, inserted if there is none.

    Without a name it is None, which stands for its sender's standing callback: that one is found by
    the statement that inserts the request, so that it costs no statement of its own. Raises
    `Refused` when the sender has as many callbacks in use as it may. Calls at the same moment do
    not see each other's, so that there may be a few more.
    """
    if named is None:
        return None
    row = connection.execute(
        select(
            callback.c.id,
            _is_used_within(USE_RESOLUTION_SECONDS).label("fresh"),
            _is_used_within(UNUSED_AFTER_SECONDS).label("counts"),
        )
        .where(
            callback.c.sender == sender,
            callback.c.url == named.url,
            callback.c.removed_at.is_(None),
        )
        .order_by(callback.c.id)
        .limit(1)
    ).first()
    if row is not None and row.fresh:
        return int(row.id)
    if row is None or not row.counts:
        _require_room(connection, sender, named.max_callbacks)
    if row is None:
        insertion = insert(callback).values(
            sender=sender,
            url=named.url,
            standing=False,
            inbound=False,
            created_at=now(),
            used_at=now(),
            key_id=named.key_id,
        )
        return inserted_id(connection.execute(insertion))
    connection.execute(update(callback).where(callback.c.id == row.id).values(used_at=now()))
    return int(row.id)


def _is_used_within(seconds: float) -> ColumnElement[bool]:
    """Return the condition that a callback is standing, or that a call named it so lately."""
    return or_(callback.c.standing, _last_use > later(-seconds))


def _require_room(connection: Connection, sender: str, max_callbacks: int) -> None:
    """Raise `Refused` when a sender has as many callbacks in use as it may."""
    count = connection.execute(
        select(func.count())
        .select_from(callback)
        .where(
            callback.c.sender == sender,
            callback.c.removed_at.is_(None),
            _is_used_within(UNUSED_AFTER_SECONDS),
        )
    ).scalar_one()
    if count >= max_callbacks:
        what = (
            f"{sender or 'this sender'} has {count} callbacks in use already, which is the most"
            " (max_callbacks): name one of them, or remove one"
        )
        raise Refused([Problem("callback_url", what)])


def standing_ids(connection: Connection, senders: Iterable[str]) -> dict[str, int]:
    """Return the id of the standing callback, the newest if there are several, by sender."""
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
