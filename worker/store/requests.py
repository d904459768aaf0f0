"""Requests and their messages: how they come in, and how far they have been handed out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Insert,
    Integer,
    bindparam,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from worker.domain.enums import MessageClass, MessageState, SubmissionState
from worker.gateways.base import Content
from worker.store import callback_outbox
from worker.store.callback_outbox import MessageRange
from worker.store.db.clock import Instant, later, now
from worker.store.db.dialects import insert_unless_there, new_id, one_of
from worker.store.schema.tables import callback as callbacks
from worker.store.schema.tables import message, request, submission


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What is stored of a request. Times are aware; `validity` in seconds counts from its start."""

    sender: str
    key: str | None
    fingerprint: str
    message_class: MessageClass
    account: str | None
    content: Content
    kinds: str
    not_before: datetime | None
    not_after: datetime | None
    validity: float
    #: Who is told what becomes of its messages, unless its sender has a standing callback.
    callback_url: str | None = None


def pairs(variables: Mapping[str, str] | None) -> list[list[str]] | None:
    """Return variables as they are stored: in their order, which JSON objects do not keep."""
    return [[name, value] for name, value in variables.items()] if variables else None


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request as it stands: new, or the one that had this key before."""

    id: int
    total: int
    fingerprint: str | None
    existed: bool


def add(
    connection: Connection,
    new: NewRequest,
    total: int,
    *,
    due: bool,
    callback: int | None = None,
    again: int | None = None,
) -> StoredRequest:
    """Insert a request, or find the one with its sender and key.

    `callback` is whom to tell; None is the sender's standing one, if there is one. `due` says
    whether its messages may be handed out (from `not_before` on); a campaign's are not before it is
    started. `again` is the id that it was given in a transaction of which nobody knows whether it
    was committed: without a key the id makes it one request.
    """
    values = columns(new, total) | bound(new, callback, due=due)
    if new.key is None and again is not None:
        values["id"] = again
    elif new.key is None:
        made = connection.execute(_insertion(due=due), values)
        return StoredRequest(new_id(made), total, new.fingerprint, existed=False)
    return _add_once(connection, new, values, due=due)


@cache
def _insertion(*, due: bool) -> Insert:
    """Make the statement once: to make it costs as much as to run it."""
    return insert(request).values(said(due=due))


def bound(new: NewRequest, callback: int | None, *, due: bool) -> dict[str, Any]:
    """Return what the expressions of `said` are given."""
    return {
        "until": new.not_after or _valid_until(new),
        "validity": new.validity,
        "told": callback,
        "whose": new.sender,
        **({"start": new.not_before} if due else {}),
    }


@cache
def said(*, due: bool) -> dict[str, Any]:
    """Return what the database itself says of a new request, by column."""
    start, until = bindparam("start", type_=Instant()), bindparam("until", type_=Instant())
    told = bindparam("told", type_=callbacks.c.id.type)
    standing = select(func.max(callbacks.c.id)).where(
        callbacks.c.sender == bindparam("whose"),
        callbacks.c.standing,
        callbacks.c.removed_at.is_(None),
    )
    return {
        "not_after": func.coalesce(until, later(bindparam("validity"))),
        "next_at": func.coalesce(start, now()) if due else null(),
        "created_at": now(),
        "callback_id": func.coalesce(told, standing.scalar_subquery()),
    }


def columns(new: NewRequest, total: int) -> dict[str, Any]:
    """Return what is stored of a request as it came, without what the database's clock says."""
    return {
        "sender": new.sender,
        "key": new.key,
        "fingerprint": new.fingerprint,
        "message_class": new.message_class.value,
        "account": new.account,
        "text": new.content.text,
        "template": new.content.template,
        "extension": new.content.extension,
        "variables": pairs(new.content.variables),
        "options": dict(new.content.options) or None,
        "kinds": new.kinds,
        "not_before": new.not_before,
        "total": total,
        "next_n": 0,
        "rest": MessageState.QUEUED.value,
    }


def _valid_until(new: NewRequest) -> datetime | None:
    """None where it counts from now, by the database's clock."""
    if new.not_before is None:
        return None
    return new.not_before + timedelta(seconds=new.validity)


def _add_once(
    connection: Connection, new: NewRequest, values: Mapping[str, Any], *, due: bool
) -> StoredRequest:
    """Insert unless its key or id is there. A rival that has not committed yet is waited for."""
    made = _insert_unless_there(connection, values, due=due)
    if made is not None:
        return StoredRequest(made, values["total"], new.fingerprint, existed=False)
    its_own = [request.c.sender == new.sender, request.c.key == new.key]
    if new.key is None:
        its_own = [request.c.id == values["id"]]
    # Locked, so that a snapshot older than the rival's commit cannot hide it.
    row = connection.execute(
        select(request.c.id, request.c.total, request.c.fingerprint)
        .where(*its_own)
        .with_for_update(read=True)
    ).one()
    return StoredRequest(row.id, row.total, row.fingerprint, existed=True)


def _insert_unless_there(
    connection: Connection, values: Mapping[str, Any], *, due: bool
) -> int | None:
    if connection.dialect.name in {"mysql", "mariadb"}:
        # Affected rows tell nothing: drivers count found rows or changed ones, as they are set.
        try:
            with connection.begin_nested():
                return new_id(connection.execute(_insertion(due=due), values))
        except IntegrityError:
            return None
    statement = insert_unless_there(connection, request).values(said(due=due))
    return connection.execute(statement.returning(request.c.id), values).scalar()


_insert_message = insert(message)


def add_messages(
    connection: Connection, request_id: int, msisdns: Sequence[str], first: int = 0
) -> None:
    """Insert the messages of `enqueue`, numbered from `first`."""
    connection.execute(
        _insert_message,
        [
            {"request_id": request_id, "n": n, "msisdn": msisdn, "single": True}
            for n, msisdn in enumerate(msisdns, first)
        ],
    )


def extend(connection: Connection, request_id: int, not_after: datetime) -> None:
    """Give a request, and what waits of it, another end of its validity."""
    connection.execute(
        update(request).where(request.c.id == request_id).values(not_after=not_after)
    )
    connection.execute(
        update(submission)
        .where(
            submission.c.request_id == request_id,
            submission.c.state == SubmissionState.PLANNED.value,
        )
        .values(not_after=not_after)
    )


def validity_over(connection: Connection, request_id: int) -> bool:
    """Tell whether a request is past its validity, by the database's clock."""
    return bool(
        connection.execute(
            select(request.c.not_after <= now()).where(request.c.id == request_id)
        ).scalar()
    )


def lock(connection: Connection, request_id: int) -> bool:
    """Lock a request against claims; False when there is none."""
    found = connection.execute(
        select(request.c.id).where(request.c.id == request_id).with_for_update()
    )
    return found.first() is not None


@dataclass(frozen=True, slots=True)
class DueRequest:
    """A request that has messages to hand out."""

    id: int
    message_class: MessageClass
    account: str | None
    content: Content
    kinds: str
    total: int
    next_n: int
    #: True when its messages have variables of their own.
    personal: bool
    expired: bool
    not_after: datetime | None

    @property
    def last(self) -> bool:
        """Whether one message of it is left, and may be sent."""
        return self.total - self.next_n == 1 and not self.expired


_described = select(request, (request.c.not_after <= now()).label("expired"))
_due_ones = (
    _described.where(
        request.c.message_class == bindparam("of"),
        request.c.next_at <= now(),
        or_(
            request.c.account.is_(None),
            request.c.account.not_in(bindparam("without", expanding=True)),
        ),
    )
    .order_by(request.c.next_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)


def due(
    connection: Connection, message_class: MessageClass, limit: int, without: Collection[str]
) -> list[DueRequest]:
    """Lock up to `limit` requests whose turn it is, the longest waiting first.

    Those that name an account of `without` are passed over.
    """
    words = {"of": message_class.value, "most": limit, "without": list(without)}
    rows = connection.execute(_due_ones, words)
    return [_due(row) for row in rows]


def by_id(connection: Connection, request_id: int) -> DueRequest | None:
    """Return a request; None when there is none."""
    row = connection.execute(_described.where(request.c.id == request_id)).first()
    return None if row is None else _due(row)


def _due(row: Any) -> DueRequest:
    return DueRequest(
        row.id,
        MessageClass(row.message_class),
        row.account,
        content_of(row),
        row.kinds,
        row.total,
        row.next_n,
        bool(row.personal),
        bool(row.expired),
        row.not_after,
    )


def content_of(row: Any) -> Content:
    """Return the content that a request's row holds."""
    variables = dict(row.variables or ())
    return Content(row.text, row.extension, row.template, variables, row.options or {})


def advance(connection: Connection, due_request: DueRequest, next_n: int) -> None:
    """Move the cursor to `next_n`; a request with more to come goes to the end of the queue."""
    connection.execute(
        update(request)
        .where(request.c.id == due_request.id, request.c.next_n == due_request.next_n)
        .values(next_n=next_n, next_at=now() if next_n < due_request.total else None)
    )


def finish(connection: Connection, ids: Collection[int]) -> None:
    """Move the cursors of requests to their ends: all of their messages are handed out."""
    connection.execute(
        update(request)
        .where(one_of(connection, request.c.id, ids))
        .values(next_n=request.c.total, next_at=None)
    )


def postpone(connection: Connection, ids: Collection[int], seconds: float) -> None:
    """Let due requests wait, because no account can take them now."""
    connection.execute(
        update(request)
        .where(one_of(connection, request.c.id, ids), request.c.next_at.is_not(None))
        .values(next_at=later(seconds))
    )


def end_rest(connection: Connection, request_id: int, state: MessageState) -> bool:
    """Give the messages that were not handed out yet their end. True if there were any."""
    done = connection.execute(
        update(request)
        .where(
            request.c.id == request_id,
            request.c.rest == MessageState.QUEUED.value,
            request.c.next_n < request.c.total,
        )
        .values(rest=state.value, next_at=None)
    )
    if done.rowcount == 1:
        bounds = select(request.c.next_n, request.c.total).where(request.c.id == request_id)
        callback_outbox.note(
            connection, [MessageRange(request_id, *connection.execute(bounds).one())]
        )
    return done.rowcount == 1


def expire(connection: Connection, limit: int = 500) -> int:
    """End what waits past its validity; returns how many requests."""
    late = connection.execute(
        select(request.c.id)
        .where(request.c.next_at.is_not(None), request.c.not_after <= now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).scalars()
    return sum(end_rest(connection, one, MessageState.EXPIRED) for one in late)


def named_by_waiting(connection: Connection) -> dict[str, int]:
    """Count the requests that wait for the account that they name, by account."""
    planned = select(submission.c.request_id).where(
        submission.c.state == SubmissionState.PLANNED.value
    )
    waiting = or_(request.c.next_at.is_not(None), request.c.id.in_(planned))
    rows = connection.execute(
        select(request.c.account, func.count())
        .where(request.c.account.is_not(None), waiting)
        .group_by(request.c.account)
    )
    return {row[0]: row[1] for row in rows}
