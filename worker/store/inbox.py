"""The inbox of raw pages and pushes, and the inbound messages that were read from them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from worker.store import deduplication
from worker.store.db.clock import now
from worker.store.db.dialects import new_id
from worker.store.schema.tables import inbound_message, inbox, opt_out


def keep(
    connection: Connection,
    account: str,
    kind: str,
    body: bytes,
    *,
    status: int | None = None,
    target: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> int:
    """Store a raw page or push before anything is read from it; returns its id."""
    row = insert(inbox).values(
        account=account,
        kind=kind,
        status=status,
        target=target,
        headers=dict(headers or {}),
        body=body,
        received_at=now(),
    )
    return new_id(connection.execute(row))


def waiting(connection: Connection, limit: int) -> list[Row[Any]]:
    """Return raw pages that were not parsed yet, the oldest first; pushes are read elsewhere."""
    rows = connection.execute(
        select(inbox)
        .where(inbox.c.parsed_at.is_(None), inbox.c.kind != "push")
        .order_by(inbox.c.id)
        .limit(limit)
    )
    return list(rows)


def begin(connection: Connection, inbox_id: int) -> bool:
    """Take a page to read it, for the transaction; False when another has read it."""
    taken = connection.execute(
        update(inbox)
        .where(inbox.c.id == inbox_id, inbox.c.parsed_at.is_(None))
        .values(parsed_at=now())
    )
    return taken.rowcount == 1


def kept(
    connection: Connection,
    *,
    account: str | None = None,
    since: datetime | None = None,
    ids: Collection[int] | None = None,
    damaged: bool = False,
) -> list[int]:
    """Return the ids of raw pages and pushes that fit, the oldest first.

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


def raw(connection: Connection, inbox_id: int) -> Row[Any] | None:
    """Lock a raw page, and return it; None when it is gone."""
    return connection.execute(select(inbox).where(inbox.c.id == inbox_id).with_for_update()).first()


def parsed(connection: Connection, inbox_id: int, rows: int, damaged: int) -> None:
    """Note that a page was read, and how many rows it had; damaged ones can be read again."""
    connection.execute(
        update(inbox)
        .where(inbox.c.id == inbox_id)
        .values(parsed_at=now(), rows=rows, damaged=damaged)
    )


def add_inbound(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Store inbound messages that are new, by account and digest; their ids by their digests."""
    return deduplication.add_new(connection, inbound_message, "stored_at", rows)


def correct_inbound(
    connection: Connection, inbox_id: int, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    """Correct inbound messages that an earlier reading stored otherwise, as `once.correct` does."""
    return deduplication.correct(connection, inbound_message, inbox_id, rows)


def opt_outs(connection: Connection, msisdns: Collection[str], why: str) -> list[str]:
    """Note who does not want any more; returns those that are new."""
    known = set(
        connection.execute(
            select(opt_out.c.msisdn).where(opt_out.c.msisdn.in_(list(msisdns)))
        ).scalars()
    )
    new = [one for one in dict.fromkeys(msisdns) if one not in known]
    for msisdn in new:
        connection.execute(insert(opt_out).values(msisdn=msisdn, since=now(), why=why))
    return new


def inbound(
    connection: Connection, limit: int, *, msisdn: str | None = None, account: str | None = None
) -> list[Row[Any]]:
    """Return inbound messages, the newest first."""
    query = select(inbound_message)
    if msisdn is not None:
        query = query.where(inbound_message.c.msisdn == msisdn)
    if account is not None:
        query = query.where(inbound_message.c.account == account)
    return list(connection.execute(query.order_by(inbound_message.c.id.desc()).limit(limit)))
