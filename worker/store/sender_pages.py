"""What one sender sees, page by page: each page begins after the last row of the one before.

A page is found by where it begins, not by counting rows, so that the thousandth is as cheap as the
first and none is missed or shown twice while rows are added.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, or_, select

from worker.store.messages import seen
from worker.store.schema.tables import campaign, request


@dataclass(frozen=True, slots=True)
class Filters:
    """Which messages; None is any. Of a campaign only by its id, else those of `enqueue`."""

    msisdn: str | None = None
    state: str | None = None
    account: str | None = None
    message_class: str | None = None
    campaign: int | None = None
    #: Stored at or after, and before: aware.
    since: datetime | None = None
    until: datetime | None = None


def messages(
    connection: Connection,
    sender: str,
    filters: Filters,
    limit: int,
    after: tuple[int, int] | None = None,
) -> list[Row[Any]]:
    """Return the view's rows of a sender's messages, the newest request first, past `after`."""
    query = _filtered(select(seen).where(seen.c.sender == sender), filters)
    if filters.campaign is None:
        query = query.where(seen.c.single.is_not(None))
    else:
        query = query.where(seen.c.request_id == filters.campaign)
    if after is not None:
        request_id, n = after
        query = query.where(
            seen.c.request_id <= request_id, or_(seen.c.request_id < request_id, seen.c.n > n)
        )
    newest = query.order_by(seen.c.request_id.desc(), seen.c.n).limit(limit)
    return list(connection.execute(newest))


def _filtered(query: Select[Any], filters: Filters) -> Select[Any]:
    wanted = {
        "msisdn": filters.msisdn,
        "state": filters.state,
        "account": filters.account,
        "class": filters.message_class,
    }
    for name, value in wanted.items():
        if value is not None:
            query = query.where(seen.c[name] == value)
    if filters.since is not None:
        query = query.where(seen.c.created_at >= filters.since)
    if filters.until is not None:
        query = query.where(seen.c.created_at < filters.until)
    return query


def campaigns(
    connection: Connection, sender: str, limit: int, before: int | None = None
) -> list[int]:
    """Return the ids of a sender's campaigns, the newest first, older than `before`."""
    query = (
        select(campaign.c.request_id)
        .join(request, request.c.id == campaign.c.request_id)
        .where(request.c.sender == sender)
    )
    if before is not None:
        query = query.where(request.c.id < before)
    return list(connection.execute(query.order_by(request.c.id.desc()).limit(limit)).scalars())


def owner(connection: Connection, request_id: int) -> str | None:
    """Return the sender of a request; None when there is no such request."""
    found = connection.execute(select(request.c.sender).where(request.c.id == request_id))
    return found.scalar()
