"""Find messages by number, state, account and time, in their view.

Single messages have an index by number. Those of campaigns are found by `xinshi_number`, which is
filled some minutes after a campaign was loaded.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from worker.store.messages import message_view
from worker.store.schema.tables import number


def search(
    connection: Connection,
    *,
    limit: int,
    msisdn: str | None = None,
    state: str | None = None,
    account: str | None = None,
    since: Any = None,
    request_id: int | None = None,
) -> list[Row[Any]]:
    """Return the view's rows that fit the filters, the newest first.

    Messages of campaigns are found by their number, or with their `request_id`, by reading the
    whole campaign.
    """
    queries = list(sources(msisdn, request_id))
    for name, value in (("state", state), ("account", account)):
        if value is not None:
            queries = [query.where(message_view.c[name] == value) for query in queries]
    if since is not None:
        queries = [query.where(message_view.c.created_at >= since) for query in queries]
    return newest(connection, queries, limit)


def sources(msisdn: str | None, request_id: int | None) -> Iterable[Select[Any]]:
    """Return the queries that together have the view's rows of a number, and of a request.

    Without a request: single messages, and where a number is given those of campaigns.
    """
    all_messages = select(message_view)
    if request_id is not None:
        in_request = all_messages.where(message_view.c.request_id == request_id)
        return [in_request if msisdn is None else in_request.where(message_view.c.msisdn == msisdn)]
    single = all_messages.where(message_view.c.single.is_not(None))
    if msisdn is None:
        return [single]
    is_named = and_(
        number.c.request_id == message_view.c.request_id, number.c.n == message_view.c.n
    )
    of_campaigns = all_messages.join(number, is_named).where(number.c.msisdn == msisdn)
    return [single.where(message_view.c.msisdn == msisdn), of_campaigns]


def newest(connection: Connection, queries: Iterable[Select[Any]], limit: int) -> list[Row[Any]]:
    """Return up to `limit` of the rows of all queries, the newest request first."""
    rows: list[Row[Any]] = []
    for query in queries:
        ordered = query.order_by(message_view.c.request_id.desc(), message_view.c.n)
        rows += connection.execute(ordered.limit(limit))
    return sorted(rows, key=lambda row: (-row.request_id, row.n))[:limit]
