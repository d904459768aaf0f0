"""Read and write inbound messages, and find the messages that they answer.

A reply answers a message that its account sent to that number before it came, and belongs to that
message's sender: the newest one with the extension that was replied to; else the newest without any
extension; else the newest. A campaign's messages are among them once its numbers are stored, some
minutes after it was loaded. Replies that answer nothing belong to no known sender.
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
from worker.store.schema.tables import inbound_message, number, opt_out, request

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

    rows: Sequence[Mapping[str, Any]]
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
    rows = connection.execute(query.where(inbound_message.c.id == inbound_id)).mappings().all()
    return next((row["answers"] for row in _with_answers(connection, rows)), None)


def page(connection: Connection, filters: InboundFilter, limit: int) -> InboundPage:
    """Return a page; it may hold less than `limit`, even nothing, and still have a `before`."""
    max_rows = limit + 1 if filters.sender is None else MAX_SEARCHED_ROWS
    reply_rows = connection.execute(_query(filters).limit(max_rows)).mappings().all()
    searched = _with_answers(connection, reply_rows)
    rows = searched if filters.sender is None else _answering(connection, searched, filters.sender)
    if len(rows) > limit:
        return InboundPage(rows[:limit], rows[limit - 1]["id"])
    return InboundPage(rows, searched[-1]["id"] if len(searched) == MAX_SEARCHED_ROWS else None)


def _query(filters: InboundFilter) -> Select[Any]:
    """Select replies, each with the single message and the campaign's message it may answer."""
    query = select(
        inbound_message,
        _answered(filters, _is_single).label("answered_single"),
        _answered(filters, _is_numbered).label("answered_in_campaign"),
    ).where(inbound_message.c.account.in_(list(filters.accounts)))
    if filters.msisdn is not None:
        query = query.where(inbound_message.c.msisdn == filters.msisdn)
    if filters.since is not None:
        query = query.where(inbound_message.c.stored_at >= filters.since)
    if filters.before is not None:
        query = query.where(inbound_message.c.id < filters.before)
    return query.order_by(inbound_message.c.id.desc())


_is_single = and_(
    message_view.c.msisdn == inbound_message.c.msisdn, message_view.c.single.is_not(None)
)
#: The message is one of a campaign, whose numbers are stored.
_is_numbered = and_(
    number.c.msisdn == inbound_message.c.msisdn,
    message_view.c.request_id == number.c.request_id,
    message_view.c.n == number.c.n,
)


def _answered(filters: InboundFilter, is_to_number: ColumnElement[bool]) -> ColumnElement[Any]:
    """Return the id of the message that a reply may answer, of those to its number."""
    extension = inbound_message.c.extension
    newest = _newest(filters, is_to_number)
    return case(
        (extension.is_(None), newest),
        else_=func.coalesce(
            _newest(filters, is_to_number, request.c.extension == extension),
            _newest(filters, is_to_number, request.c.extension.is_(None)),
            newest,
        ),
    )


def _newest(filters: InboundFilter, *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
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
            message_view.c.created_at <= inbound_message.c.stored_at,
            or_(false(), *is_of_account),
            *conditions,
        )
        # Not by the id itself: a database that follows its index walks through all requests.
        .order_by((message_view.c.request_id + 0).desc(), message_view.c.n.desc())
        .limit(1)
        .correlate(inbound_message)
        .scalar_subquery()
    )


def _with_answers(connection: Connection, rows: Sequence[RowMapping]) -> list[Mapping[str, Any]]:
    """Return rows of `_query`, each with the one message that it `answers`."""
    doubtful_ids = {
        _request_id(row[name])
        for row in rows
        if row["answered_single"] and row["answered_in_campaign"]
        for name in ("answered_single", "answered_in_campaign")
    }
    extensions: dict[int, str | None] = {}
    if doubtful_ids:
        query = select(request.c.id, request.c.extension)
        is_doubtful = is_any_of(connection, request.c.id, doubtful_ids)
        extensions = {row.id: row.extension for row in connection.execute(query.where(is_doubtful))}

    def fitness(message_id: str, replied_to: str | None) -> tuple[bool, bool, int]:
        request_id = _request_id(message_id)
        extension = extensions.get(request_id)
        is_same = replied_to is not None and extension == replied_to
        return is_same, replied_to is not None and extension is None, request_id

    answered_rows: list[Mapping[str, Any]] = []
    for row in rows:
        candidates = [row["answered_single"], row["answered_in_campaign"]]
        ids = [message_id for message_id in candidates if message_id]
        extension = row["extension"]
        answers = max(ids, key=lambda message_id: fitness(message_id, extension), default=None)
        answered_rows.append({**row, "answers": answers})
    return answered_rows


def _request_id(message_id: str) -> int:
    return int(message_id.partition("-")[0])


def _answering(
    connection: Connection, rows: Sequence[Mapping[str, Any]], sender: str
) -> list[Mapping[str, Any]]:
    """Return the rows that answer a message of `sender`."""
    request_ids = {
        message_id: _request_id(message_id) for row in rows if (message_id := row["answers"])
    }
    ids_of_sender = set(
        connection.execute(
            select(request.c.id).where(
                request.c.id.in_(set(request_ids.values())), request.c.sender == sender
            )
        ).scalars()
    )
    return [row for row in rows if request_ids.get(row["answers"]) in ids_of_sender]
