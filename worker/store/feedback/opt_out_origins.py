"""Read and write where opt-outs come from, and whether their accounts ever wrote to the numbers."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from worker.store.db.clock import later, now
from worker.store.db.dialects import any_of_in_parts, is_any_of
from worker.store.feedback import opt_outs
from worker.store.feedback.opt_outs import OptOutOrigin
from worker.store.messages import message_view
from worker.store.schema.tables import inbound_message, inbox, opt_out, submission

_is_unchecked = opt_out.c.account.is_not(None) & opt_out.c.known.is_(None)


def unchecked(connection: Connection, limit: int) -> list[Row[Any]]:
    """Return number and account of up to `limit` opt-outs whose origin was not looked up yet."""
    query = select(opt_out.c.msisdn, opt_out.c.account).where(_is_unchecked)
    return list(connection.execute(query.order_by(opt_out.c.since).limit(limit)))


def written_to_singly(
    connection: Connection, accounts: Collection[str], msisdns: Collection[str]
) -> set[str]:
    """Return the numbers to which accounts sent a message of `enqueue`: these have an index."""
    query = select(message_view.c.msisdn).where(
        message_view.c.single.is_not(None),
        message_view.c.msisdn.in_(list(msisdns)),
        message_view.c.account.in_(list(accounts)),
    )
    return set(connection.execute(query).scalars())


def submissions_before(
    connection: Connection, accounts: Collection[str], before: int | None, limit: int
) -> list[Row[Any]]:
    """Return id and size of the submissions of accounts before an id, the newest first."""
    query = select(submission.c.id, submission.c.size).where(
        submission.c.account.in_(list(accounts)), submission.c.called_at.is_not(None)
    )
    if before is not None:
        query = query.where(submission.c.id < before)
    return list(connection.execute(query.order_by(submission.c.id.desc()).limit(limit)))


def mark(connection: Connection, msisdns: Sequence[str], *, known: bool) -> None:
    """Note whether the account of opt-outs ever wrote to their numbers."""
    for is_marked in any_of_in_parts(connection, opt_out.c.msisdn, msisdns):
        connection.execute(update(opt_out).where(is_marked, _is_unchecked).values(known=known))


def count_strange(connection: Connection, seconds: float) -> dict[str, int]:
    """Count the opt-outs of the last `seconds` from numbers never written to, by account."""
    rows = connection.execute(
        select(opt_out.c.account, func.count())
        .where(opt_out.c.known.is_(False), opt_out.c.since >= later(-seconds))
        .group_by(opt_out.c.account)
        .order_by(opt_out.c.account)
    )
    return {row[0]: row[1] for row in rows}


def newest(
    connection: Connection,
    limit: int,
    *,
    account: str | None = None,
    since: datetime | None = None,
    strange: bool = False,
) -> list[Row[Any]]:
    """Return up to `limit` opt-outs that fit all filters, the newest first, each with its kind.

    `strange`: only of numbers to which the account never wrote.
    """
    query = (
        select(opt_out, inbound_message.c.inbox_id, inbox.c.kind)
        .outerjoin(inbound_message, inbound_message.c.id == opt_out.c.inbound_id)
        .outerjoin(inbox, inbox.c.id == inbound_message.c.inbox_id)
        .where(*_conditions(account, since, strange=strange))
        .order_by(opt_out.c.since.desc(), opt_out.c.msisdn)
        .limit(limit)
    )
    return list(connection.execute(query))


def numbers_after(
    connection: Connection,
    after: str,
    limit: int,
    *,
    account: str,
    since: datetime | None,
    strange: bool,
) -> list[str]:
    """Return up to `limit` numbers past `after` that opted out by replies to an account, sorted."""
    conditions = _conditions(account, since, strange=strange)
    query = select(opt_out.c.msisdn).where(opt_out.c.msisdn > after, *conditions)
    return list(connection.execute(query.order_by(opt_out.c.msisdn).limit(limit)).scalars())


def _conditions(
    account: str | None, since: datetime | None, *, strange: bool
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if account is not None:
        conditions.append(opt_out.c.account == account)
    if since is not None:
        conditions.append(opt_out.c.since >= since)
    if strange:
        conditions.append(opt_out.c.known.is_(False))
    return conditions


def remove(
    connection: Connection, account: str, msisdns: Collection[str], origin: OptOutOrigin
) -> int:
    """Take back opt-outs that came with replies to an account; return how many."""
    is_named = is_any_of(connection, opt_out.c.msisdn, msisdns)
    return len(opt_outs.remove(connection, (opt_out.c.account == account) & is_named, origin))


def move(connection: Connection, msisdn: str, account: str, inbound_id: int) -> None:
    """Let an opt-out stand for a reply to another account."""
    values = {"account": account, "inbound_id": inbound_id, "why": f"a reply to {account}"}
    connection.execute(
        update(opt_out).where(opt_out.c.msisdn == msisdn).values(known=None, since=now(), **values)
    )
