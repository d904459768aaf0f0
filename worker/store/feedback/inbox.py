"""Read and write the inbox: raw pages and pushes as gateways gave them, before and after reading.

A page is stored alone, as a collector gets it, a long one in pieces (`page_pieces`); pushes are
stored and read many at a time.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from worker.store.db.clock import now
from worker.store.db.dialects import inserted_id
from worker.store.feedback import page_pieces
from worker.store.feedback.page_pieces import RawPage
from worker.store.schema.tables import inbox

#: What the column `kind` says of a push.
PUSH_KIND = "push"
#: How the column `problem` begins for a page that was cut off on its way, and read up to there.
CUT_PROBLEM = "cut off"


class StoredPage(NamedTuple):
    """A raw page or push of the inbox, with all bytes of it that are stored."""

    id: int
    account: str
    kind: str
    body: bytes
    status: int | None
    target: str | None
    headers: Mapping[str, str]


_is_unread_push = (inbox.c.kind == PUSH_KIND) & inbox.c.parsed_at.is_(None)


def add_page(
    connection: Connection,
    account: str,
    kind: str,
    body: bytes,
    *,
    status: int | None = None,
    target: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> int:
    """Store a raw page or push in one transaction, however long it is; return its id.

    Who writes beside waits for all of it: `worker.feedback.page_writer` stores long ones in pieces.
    """
    insertion = insert(inbox).values(
        account=account,
        kind=kind,
        status=status,
        target=target,
        headers=dict(headers or {}),
        body=body,
        received_at=now(),
    )
    return inserted_id(connection.execute(insertion))


def unread_page_ids(connection: Connection, accounts: Collection[str], limit: int) -> list[int]:
    """Return the ids of up to `limit` pages of accounts that wait to be read; no pushes."""
    query = (
        select(inbox.c.id)
        .where(
            inbox.c.parsed_at.is_(None),
            inbox.c.kind != PUSH_KIND,
            inbox.c.account.in_(list(accounts)),
        )
        .order_by(inbox.c.id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def find(connection: Connection, inbox_id: int) -> StoredPage | None:
    """Return a raw page or push; None when it does not exist any more."""
    rows = connection.execute(select(inbox).where(inbox.c.id == inbox_id)).all()
    return next(iter(_stored_pages(connection, rows)), None)


def _stored_pages(connection: Connection, rows: Sequence[Row[Any]]) -> list[StoredPage]:
    bodies = page_pieces.whole_bodies(connection, rows)
    return [
        StoredPage(
            row.id,
            row.account,
            row.kind,
            bodies[row.id],
            row.status,
            row.target,
            row.headers or {},
        )
        for row in rows
    ]


def lock_unread(connection: Connection, inbox_id: int) -> int | None:
    """Lock a page or push that waits to be read; return how many of its rows were taken in.

    None when another process has read it, or put it aside.
    """
    row = connection.execute(
        select(inbox.c.rows)
        .where(inbox.c.id == inbox_id, inbox.c.parsed_at.is_(None))
        .with_for_update()
    ).first()
    return None if row is None else row[0] or 0


def note_rows(connection: Connection, inbox_id: int, rows: int) -> None:
    """Note how many rows of a long page were taken in; the next transaction goes on there."""
    connection.execute(update(inbox).where(inbox.c.id == inbox_id).values(rows=rows))


def finish_page(
    connection: Connection, inbox_id: int, rows: int, damaged: int, cut: str = ""
) -> None:
    """Note that a page was read, how many rows it had, and how many of them could not be read.

    A page with damaged rows can be read again. `cut` is why it was cut off on its way: a person is
    shown it then.
    """
    connection.execute(
        update(inbox)
        .where(inbox.c.id == inbox_id)
        .values(parsed_at=now(), rows=rows, damaged=damaged, problem=_cut_problem(cut))
    )


def _cut_problem(cut: str) -> str | None:
    return f"{CUT_PROBLEM}: {cut}"[:200] if cut else None


def put_aside(connection: Connection, inbox_id: int, problem: str) -> bool:
    """Put aside a page or push that cannot be read, and say why; False when it was read.

    It holds nothing up any more, and waits for a person who has it read again.
    """
    putting = connection.execute(
        update(inbox)
        .where(inbox.c.id == inbox_id, inbox.c.parsed_at.is_(None))
        .values(parsed_at=now(), damaged=1, problem=problem[:200])
    )
    return putting.rowcount == 1


def find_ids(
    connection: Connection,
    *,
    account: str | None = None,
    since: datetime | None = None,
    ids: Collection[int] | None = None,
    damaged: bool = False,
) -> list[int]:
    """Return the ids of the raw pages and pushes that fit all filters, the oldest first.

    With `damaged` only those of which something could not be read, or nothing was read yet.
    """
    query = select(inbox.c.id).order_by(inbox.c.id)
    if account is not None:
        query = query.where(inbox.c.account == account)
    if since is not None:
        query = query.where(inbox.c.received_at >= since)
    if ids is not None:
        query = query.where(inbox.c.id.in_(list(ids)))
    if damaged:
        query = query.where(or_(inbox.c.damaged > 0, inbox.c.parsed_at.is_(None)))
    return list(connection.execute(query).scalars())


def lock(connection: Connection, inbox_id: int) -> bool:
    """Lock a raw page or push; False when it does not exist any more."""
    query = select(inbox.c.id).where(inbox.c.id == inbox_id).with_for_update()
    return connection.execute(query).first() is not None


def add_pushes(connection: Connection, pushes: Sequence[RawPage]) -> None:
    """Store raw pushes together."""
    insertion = insert(inbox).values({inbox.c.kind: PUSH_KIND, inbox.c.received_at: now()})
    rows = [
        {
            "account": push.account,
            "target": push.target,
            "headers": dict(push.headers),
            "body": push.body,
        }
        for push in pushes
    ]
    connection.execute(insertion, rows)


def has_unread_pushes(connection: Connection, accounts: Collection[str]) -> bool:
    """Tell whether a push of these accounts has not been read yet."""
    query = select(inbox.c.id).where(_is_unread_push, inbox.c.account.in_(list(accounts))).limit(1)
    return connection.execute(query).first() is not None


def next_pushes(
    connection: Connection, accounts: Collection[str], limit: int, max_bytes: int
) -> list[int]:
    """Return the ids of the oldest unread pushes: up to `limit`, and `max_bytes` in all.

    The first one is returned alone when it is longer.
    """
    sizes = connection.execute(
        select(
            inbox.c.id, func.coalesce(inbox.c.size, func.length(inbox.c.body)).label("total_bytes")
        )
        .where(_is_unread_push, inbox.c.account.in_(list(accounts)))
        .order_by(inbox.c.id)
        .limit(limit)
    ).all()
    totals = accumulate(row.total_bytes for row in sizes)
    ids = [row.id for row, total in zip(sizes, totals, strict=True) if total <= max_bytes]
    return ids or [row.id for row in sizes[:1]]


def unread_pushes(connection: Connection, ids: Collection[int]) -> list[StoredPage]:
    """Return the pushes of `ids` that were not read yet, the oldest first."""
    query = select(inbox).where(_is_unread_push, inbox.c.id.in_(list(ids))).order_by(inbox.c.id)
    return _stored_pages(connection, connection.execute(query).all())


def lock_unread_pushes(connection: Connection, ids: Collection[int]) -> set[int]:
    """Lock pushes that were not read yet, and return their ids; locked ones are left out."""
    query = select(inbox.c.id).where(_is_unread_push, inbox.c.id.in_(list(ids)))
    locking = query.order_by(inbox.c.id).with_for_update(skip_locked=True)
    return set(connection.execute(locking).scalars())


def finish_pushes(connection: Connection, rows: Sequence[tuple[int, int, int]]) -> None:
    """Note that pushes were read; each row is a push's id, its row count and its damaged rows."""
    if rows:
        connection.execute(
            update(inbox)
            .where(inbox.c.id == bindparam("inbox_id"))
            .values(parsed_at=now(), rows=bindparam("count"), damaged=bindparam("bad")),
            [
                {"inbox_id": inbox_id, "count": count, "bad": damaged}
                for inbox_id, count, damaged in rows
            ],
        )
