"""Read a sender's messages and campaigns page by page.

A page begins after the last row of the page before and is found by that row, not by counting: so
the thousandth page is as cheap as the first, and no row is missed or shown twice while others are
added.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from worker.domain.message_ranges import MessageKey
from worker.store import message_search
from worker.store.messages import message_view
from worker.store.schema.tables import campaign, request


@dataclass(frozen=True, slots=True)
class MessageFilters:
    """Which messages a page holds; a filter that is None lets all pass.

    Messages of a campaign only where its id or a number is given, else those of `enqueue` alone.
    """

    msisdn: str | None = None
    state: str | None = None
    account: str | None = None
    message_class: str | None = None
    campaign: int | None = None
    #: Stored at or after `since`, and before `until`: aware times.
    since: datetime | None = None
    until: datetime | None = None


def messages(
    connection: Connection,
    sender: str,
    filters: MessageFilters,
    limit: int,
    after: MessageKey | None = None,
) -> list[Row[Any]]:
    """Return up to `limit` of the view's rows of a sender's messages, the newest request first.

    `after` is the request and number of the last row of the page before.
    """
    conditions = [message_view.c.sender == sender, *_conditions(filters)]
    return message_search.newest(
        connection,
        conditions,
        limit,
        msisdn=filters.msisdn,
        request_id=filters.campaign,
        after=after,
    )


def _conditions(filters: MessageFilters) -> Iterator[ColumnElement[bool]]:
    values_by_column = {
        "state": filters.state,
        "account": filters.account,
        "class": filters.message_class,
    }
    for name, value in values_by_column.items():
        if value is not None:
            yield message_view.c[name] == value
    if filters.since is not None:
        yield message_view.c.created_at >= filters.since
    if filters.until is not None:
        yield message_view.c.created_at < filters.until


def campaign_ids(
    connection: Connection, sender: str, limit: int, before: int | None = None
) -> list[int]:
    """Return up to `limit` ids of a sender's campaigns, the newest first, lower than `before`."""
    query = (
        select(campaign.c.request_id)
        .join(request, request.c.id == campaign.c.request_id)
        .where(request.c.sender == sender)
    )
    if before is not None:
        query = query.where(request.c.id < before)
    return list(connection.execute(query.order_by(request.c.id.desc()).limit(limit)).scalars())


def sender_of(connection: Connection, request_id: int) -> str | None:
    """Return the sender of a request; None when there is no such request."""
    query = select(request.c.sender).where(request.c.id == request_id)
    return connection.execute(query).scalar()
