"""Read and write inbound messages, and find the messages that they answer.

A reply answers a message of `enqueue` that its account sent to that number before it came, and
belongs to that message's sender: the newest one with the extension that was replied to; else the
newest without any extension; else the newest. Numbers of campaigns are not indexed: replies to
campaigns, and those that answer nothing, belong to no known sender.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    RowMapping,
    ScalarSelect,
    Select,
    and_,
    case,
    false,
    func,
    or_,
    select,
    update,
)

from worker.domain.enums import ReplyMeaning
from worker.store.db.clock import now
from worker.store.db.dialects import is_any_of
from worker.store.feedback import deduplication
from worker.store.messages import message_view
from worker.store.schema.tables import inbound_message, opt_out, request

#: The most inbound messages that one page of a sender looks through; such a page may be short
#: although older replies follow.
MAX_SEARCHED_ROWS = 1000


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
class InboundPage:
    """Inbound messages with the message that each `answers`, the newest first.

    The next page is asked for with its `before`, which is None when no older ones can follow.
    """

    rows: Sequence[RowMapping]
    before: int | None


def add_replies(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Store inbound messages that are new, by account and digest; return their ids by digest."""
    return deduplication.add_new(connection, inbound_message, "stored_at", rows)


def correct_replies(
    connection: Connection, inbox_id: int, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    """Correct stored inbound messages of a page as `deduplication.correct_misread` does."""
    return deduplication.correct_misread(connection, inbound_message, inbox_id, rows)


def newest_replies(
    connection: Connection, limit: int, *, msisdn: str | None = None, account: str | None = None
) -> list[Row[Any]]:
    """Return up to `limit` inbound messages, the newest first."""
    query = select(inbound_message)
    if msisdn is not None:
        query = query.where(inbound_message.c.msisdn == msisdn)
    if account is not None:
        query = query.where(inbound_message.c.account == account)
    return list(connection.execute(query.order_by(inbound_message.c.id.desc()).limit(limit)))


def replies_of(connection: Connection, msisdns: Collection[str]) -> list[Row[Any]]:
    """Return all inbound messages of some numbers."""
    is_theirs = is_any_of(connection, inbound_message.c.msisdn, msisdns)
    return list(connection.execute(select(inbound_message).where(is_theirs)))


def unclear_replies(connection: Connection, limit: int) -> list[Row[Any]]:
    """Return up to `limit` replies that a person has to look at, the newest first, with `fits`.

    They are near to an answer, or came from a masked number that not exactly one opt-out belongs
    to: `fits` says how many do.
    """
    return list(connection.execute(_unclear().order_by(inbound_message.c.id.desc()).limit(limit)))


def is_unclear(connection: Connection, inbound_id: int) -> bool:
    """Tell whether a reply waits for a person."""
    query = _unclear().where(inbound_message.c.id == inbound_id)
    return connection.execute(query).first() is not None


def _unclear() -> Select[Any]:
    fits = (
        select(func.count())
        .where(opt_out.c.inbound_id == inbound_message.c.id)
        .correlate(inbound_message)
        .scalar_subquery()
    )
    condition = or_(
        inbound_message.c.meaning == ReplyMeaning.NEAR.value,
        and_(
            inbound_message.c.meaning == ReplyMeaning.OUT.value,
            inbound_message.c.msisdn.contains("*"),
            fits != 1,
        ),
    )
    return select(inbound_message, fits.label("fits")).where(condition)


def mark(connection: Connection, inbound_ids: Collection[int], meaning: ReplyMeaning) -> None:
    """Store what some replies ask for."""
    are_these = is_any_of(connection, inbound_message.c.id, inbound_ids)
    connection.execute(update(inbound_message).where(are_these).values(meaning=meaning.value))


def without_meaning(connection: Connection, after: int, limit: int) -> list[Row[Any]]:
    """Return replies that ask for nothing as far as is known, from the oldest after an id on."""
    query = select(inbound_message).where(
        inbound_message.c.meaning.is_(None), inbound_message.c.id > after
    )
    return list(connection.execute(query.order_by(inbound_message.c.id).limit(limit)))


def find_reply(connection: Connection, inbound_id: int) -> Row[Any] | None:
    """Return an inbound message with the time of this look; None when there is none."""
    return connection.execute(
        select(inbound_message, now().label("looked_at")).where(inbound_message.c.id == inbound_id)
    ).first()


def answered_message(
    connection: Connection, inbound_id: int, account: str, names_sharing_login: Sequence[str]
) -> str | None:
    """Return the id of the message that an inbound message of an account answers, if of any."""
    query = _query(InboundFilter({account: names_sharing_login}))
    row = connection.execute(query.where(inbound_message.c.id == inbound_id)).mappings().first()
    return None if row is None else row["answers"]


def page(connection: Connection, filters: InboundFilter, limit: int) -> InboundPage:
    """Return a page; it may hold less than `limit`, even nothing, and still have a `before`."""
    max_rows = limit + 1 if filters.sender is None else MAX_SEARCHED_ROWS
    searched = connection.execute(_query(filters).limit(max_rows)).mappings().all()
    rows = searched if filters.sender is None else _answering(connection, searched, filters.sender)
    if len(rows) > limit:
        return InboundPage(rows[:limit], rows[limit - 1]["id"])
    return InboundPage(rows, searched[-1]["id"] if len(searched) == MAX_SEARCHED_ROWS else None)


def _query(filters: InboundFilter) -> Select[Any]:
    extension = inbound_message.c.extension
    newest = _answered(filters)
    answered = case(
        (extension.is_(None), newest),
        else_=func.coalesce(
            _answered(filters, request.c.extension == extension),
            _answered(filters, request.c.extension.is_(None)),
            newest,
        ),
    )
    query = select(inbound_message, answered.label("answers")).where(
        inbound_message.c.account.in_(list(filters.accounts))
    )
    if filters.msisdn is not None:
        query = query.where(inbound_message.c.msisdn == filters.msisdn)
    if filters.since is not None:
        query = query.where(inbound_message.c.stored_at >= filters.since)
    if filters.before is not None:
        query = query.where(inbound_message.c.id < filters.before)
    return query.order_by(inbound_message.c.id.desc())


def _answered(filters: InboundFilter, *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    """Return the id of the newest message that a reply may answer, of those that fit conditions."""
    is_of_account = (
        and_(
            inbound_message.c.account == account_name,
            message_view.c.account.in_(list(names_sharing_login)),
        )
        for account_name, names_sharing_login in filters.accounts.items()
    )
    return (
        select(message_view.c.id)
        .join(request, request.c.id == message_view.c.request_id)
        .where(
            message_view.c.msisdn == inbound_message.c.msisdn,
            message_view.c.single.is_not(None),
            message_view.c.created_at <= inbound_message.c.stored_at,
            or_(false(), *is_of_account),
            *conditions,
        )
        .order_by(message_view.c.request_id.desc(), message_view.c.n.desc())
        .limit(1)
        .correlate(inbound_message)
        .scalar_subquery()
    )


def _answering(connection: Connection, rows: Sequence[RowMapping], sender: str) -> list[RowMapping]:
    """Return the rows that answer a message of `sender`."""
    request_ids = {
        message_id: int(message_id.partition("-")[0])
        for row in rows
        if (message_id := row["answers"])
    }
    ids_of_sender = set(
        connection.execute(
            select(request.c.id).where(
                request.c.id.in_(set(request_ids.values())), request.c.sender == sender
            )
        ).scalars()
    )
    return [row for row in rows if request_ids.get(row["answers"]) in ids_of_sender]
