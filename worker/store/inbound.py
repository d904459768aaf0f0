"""Inbound messages, page by page, and the messages that they answer.

A reply answers the newest message of `enqueue` that its account sent to that number before it came;
so it belongs to that message's sender. Numbers of campaigns are not indexed: replies to these, and
those that answer nothing, belong to nobody that is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, false, or_, select

from worker.store.messages import seen
from worker.store.schema.tables import inbound_message, request

#: For one page so many are looked at, at the most: it may be short although older ones follow.
LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class InboundFilter:
    """Which inbound messages: of these accounts, each with those that share its login."""

    accounts: Mapping[str, Sequence[str]]
    #: The sender whose messages they answer; None for all.
    sender: str | None = None
    msisdn: str | None = None
    since: datetime | None = None
    #: Older than this id.
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Inbound messages with what each `answers`, the newest first; older ones come `before`."""

    rows: Sequence[RowMapping]
    before: int | None


def page(connection: Connection, wanted: InboundFilter, limit: int) -> Page:
    """Return a page; it may hold less than `limit`, even nothing, and still have a `before`."""
    most = limit + 1 if wanted.sender is None else LOOKED_AT
    looked = connection.execute(_query(wanted).limit(most)).mappings().all()
    found = looked if wanted.sender is None else _of(connection, looked, wanted.sender)
    if len(found) > limit:
        return Page(found[:limit], found[limit - 1]["id"])
    return Page(found, looked[-1]["id"] if len(looked) == LOOKED_AT else None)


def _query(wanted: InboundFilter) -> Select[Any]:
    answered = (
        select(seen.c.id)
        .where(
            seen.c.msisdn == inbound_message.c.msisdn,
            seen.c.single.is_not(None),
            seen.c.created_at <= inbound_message.c.stored_at,
            or_(
                false(),
                *(
                    and_(inbound_message.c.account == one, seen.c.account.in_(list(sharing)))
                    for one, sharing in wanted.accounts.items()
                ),
            ),
        )
        .order_by(seen.c.request_id.desc(), seen.c.n.desc())
        .limit(1)
        .correlate(inbound_message)
        .scalar_subquery()
    )
    query = select(inbound_message, answered.label("answers")).where(
        inbound_message.c.account.in_(list(wanted.accounts))
    )
    if wanted.msisdn is not None:
        query = query.where(inbound_message.c.msisdn == wanted.msisdn)
    if wanted.since is not None:
        query = query.where(inbound_message.c.stored_at >= wanted.since)
    if wanted.before is not None:
        query = query.where(inbound_message.c.id < wanted.before)
    return query.order_by(inbound_message.c.id.desc())


def _of(connection: Connection, rows: Sequence[RowMapping], sender: str) -> list[RowMapping]:
    """Return those that answer a message of a sender."""
    requests = {one: int(one.partition("-")[0]) for row in rows if (one := row["answers"])}
    mine = connection.execute(
        select(request.c.id).where(
            request.c.id.in_(set(requests.values())), request.c.sender == sender
        )
    ).scalars()
    own = set(mine)
    return [row for row in rows if requests.get(row["answers"]) in own]
