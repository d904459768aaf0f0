"""Pushes in the inbox: kept by many at a time, and read by many at a time."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from worker.store.db.clock import now
from worker.store.schema.tables import inbox

#: What `kind` says of a push.
KIND = "push"

_waiting = (inbox.c.kind == KIND) & inbox.c.parsed_at.is_(None)


def keep(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store raw pushes: each row has `account`, `target`, `headers` and `body`."""
    insertion = insert(inbox).values({inbox.c.kind: KIND, inbox.c.received_at: now()})
    connection.execute(insertion, list(rows))


def some_wait(connection: Connection, accounts: Collection[str]) -> bool:
    """Tell whether a push of these accounts has not been read yet."""
    query = select(inbox.c.id).where(_waiting, inbox.c.account.in_(list(accounts))).limit(1)
    return connection.execute(query).first() is not None


def waiting(
    connection: Connection, accounts: Collection[str], limit: int, most: int
) -> list[Row[Any]]:
    """Lock the oldest pushes that were not read yet: up to `limit`, and about `most` bytes.

    Those that another transaction is reading are passed over.
    """
    sizes = connection.execute(
        select(inbox.c.id, func.length(inbox.c.body).label("size"))
        .where(_waiting, inbox.c.account.in_(list(accounts)))
        .order_by(inbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    ids: list[int] = []
    total = 0
    for row in sizes:
        total += row.size
        if ids and total > most:
            break
        ids.append(row.id)
    query = select(inbox).where(inbox.c.id.in_(ids)).order_by(inbox.c.id)
    return list(connection.execute(query)) if ids else []


def parsed(connection: Connection, rows: Sequence[tuple[int, int, int]]) -> None:
    """Note of pushes that they were read: their ids, how many rows they had, how many damaged."""
    if rows:
        connection.execute(
            update(inbox)
            .where(inbox.c.id == bindparam("one"))
            .values(parsed_at=now(), rows=bindparam("count"), damaged=bindparam("bad")),
            [{"one": one, "count": count, "bad": bad} for one, count, bad in rows],
        )
