"""Find messages by number, state, account and time, in their view.

Single messages have an index by number. Those of campaigns are found by `xinshi_number`, which is
filled some minutes after a campaign was loaded.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from worker.domain.message_ranges import MessageKey
from worker.store.messages import message_view
from worker.store.schema.tables import number

#: How many messages of campaigns to a number are looked at together.
KEYS_TOGETHER = 100


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
    conditions = [
        message_view.c[name] == value
        for name, value in (("state", state), ("account", account))
        if value is not None
    ]
    if since is not None:
        conditions.append(message_view.c.created_at >= since)
    return newest(connection, conditions, limit, msisdn=msisdn, request_id=request_id)


def newest(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    *,
    msisdn: str | None = None,
    request_id: int | None = None,
    after: MessageKey | None = None,
) -> list[Row[Any]]:
    """Return up to `limit` of the view's rows that fit, the newest request first.

    Without a request: single messages, and where a number is given those of campaigns to it.
    `after` is the request and number of the last row of the page before.
    """
    found_by = [*conditions, *_after(message_view.c, after)]
    if request_id is not None:
        found_by.append(message_view.c.request_id == request_id)
    else:
        found_by.append(message_view.c.single.is_not(None))
    if msisdn is not None:
        found_by.append(message_view.c.msisdn == msisdn)
    query = select(message_view).where(*found_by)
    ordered = query.order_by(message_view.c.request_id.desc(), message_view.c.n)
    rows = list(connection.execute(ordered.limit(limit)))
    if msisdn is None or request_id is not None:
        return rows
    rows += _of_campaigns(connection, msisdn, conditions, limit, after)
    return sorted(rows, key=lambda row: (-row.request_id, row.n))[:limit]


def _of_campaigns(
    connection: Connection,
    msisdn: str,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    after: MessageKey | None,
) -> list[Row[Any]]:
    """Return up to `limit` messages of campaigns to a number that fit, some looked at together.

    The keys are read by themselves: in one statement with the view a database might walk through
    all requests, and look for the number in each.
    """
    rows: list[Row[Any]] = []
    while len(rows) < limit:
        keys = connection.execute(
            select(number.c.request_id, number.c.n)
            .where(number.c.msisdn == msisdn, *_after(number.c, after))
            .order_by(number.c.request_id.desc(), number.c.n.desc())
            .limit(KEYS_TOGETHER)
        ).all()
        if keys:
            is_named = or_(
                *(
                    and_(message_view.c.request_id == key.request_id, message_view.c.n == key.n)
                    for key in keys
                )
            )
            rows += connection.execute(select(message_view).where(is_named, *conditions))
            after = (keys[-1].request_id, keys[-1].n)
        if len(keys) < KEYS_TOGETHER:
            break
    return rows


def _after(columns: Any, key: MessageKey | None) -> list[ColumnElement[bool]]:
    """Return the conditions that a message comes after a key, the newest request first."""
    if key is None:
        return []
    request_id, n = key
    is_later = or_(columns.request_id < request_id, columns.n > n)
    return [columns.request_id <= request_id, is_later]
