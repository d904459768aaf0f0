"""Requests and how far their messages have been handed out: lock due ones, move their cursors."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, func, or_, select, update

from worker.domain.enums import MessageClass, MessageState, SubmissionState
from worker.domain.message_ranges import MessageRange
from worker.domain.renderings import TemplateKey
from worker.gateways.base import Content
from worker.store import callback_outbox
from worker.store.db.clock import later, now
from worker.store.db.dialects import is_any_of
from worker.store.schema.tables import request, submission


def extend(connection: Connection, request_id: int, not_after: datetime) -> None:
    """Set until when a request is valid, and with it its planned submissions."""
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


def move_window(
    connection: Connection, request_id: int, not_before: datetime, not_after: datetime
) -> None:
    """Set between which times a request of which nothing was handed out may be sent."""
    connection.execute(
        update(request)
        .where(request.c.id == request_id, request.c.next_n == 0)
        .values(not_before=not_before, not_after=not_after)
    )


def validity_over(connection: Connection, request_id: int) -> bool:
    """Tell whether a request is past its validity, by the database's clock."""
    return bool(
        connection.execute(
            select(request.c.not_after <= now()).where(request.c.id == request_id)
        ).scalar()
    )


def lock(connection: Connection, request_id: int) -> bool:
    """Lock a request against claims; False when there is no such request."""
    rows = connection.execute(
        select(request.c.id).where(request.c.id == request_id).with_for_update()
    )
    return rows.first() is not None


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
    #: Whether its messages have variables of their own.
    personal: bool
    #: Whether its validity is over.
    expired: bool
    not_before: datetime | None
    not_after: datetime | None
    #: The registered template that it names, if it names one.
    template: TemplateKey | None = None
    #: For how many seconds it could have been handed out, when it was read.
    waited: float = 0.0

    @property
    def is_last_message(self) -> bool:
        """Whether it has one message left to hand out, and its validity is not over."""
        return self.total - self.next_n == 1 and not self.expired


_select_request = select(
    request, (request.c.not_after <= now()).label("expired"), now().label("read_at")
)
_select_due = (
    _select_request.where(
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


def lock_due(
    connection: Connection, message_class: MessageClass, limit: int, without: Collection[str]
) -> list[DueRequest]:
    """Lock up to `limit` requests of a class that are due, the longest waiting first.

    Those that name an account of `without` are passed over.
    """
    parameters = {"of": message_class.value, "most": limit, "without": list(without)}
    rows = connection.execute(_select_due, parameters)
    return [_due_request(row) for row in rows]


def by_id(connection: Connection, request_id: int) -> DueRequest | None:
    """Return a request; None when there is no such request."""
    row = connection.execute(_select_request.where(request.c.id == request_id)).first()
    return None if row is None else _due_request(row)


def _due_request(row: Any) -> DueRequest:
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
        row.not_before,
        row.not_after,
        template_of(row),
        (row.read_at - max(row.created_at, row.not_before or row.created_at)).total_seconds(),
    )


def request_rows(connection: Connection, ids: Collection[int]) -> dict[int, Any]:
    """Return the rows of requests by their ids."""
    if not ids:
        return {}
    rows = connection.execute(select(request).where(request.c.id.in_(ids)))
    return {row.id: row for row in rows}


def content_of(row: Any) -> Content:
    """Return the content of a request from its row; of a registered template the body is the text.

    `template` is then None: each account has an id of its own for it.
    """
    variables = dict(row.variables or ())
    template = row.template if row.template_version is None else None
    return Content(row.text, row.extension, template, variables, row.options or {})


def template_of(row: Any) -> TemplateKey | None:
    """Return the version of a registered template that a request was accepted with, if any."""
    if row.template_version is None:
        return None
    return TemplateKey(row.template, row.template_version)


def advance(connection: Connection, due_request: DueRequest, next_n: int) -> None:
    """Move a request's cursor to `next_n`, unless somebody else has moved it.

    A request that has more messages to hand out goes to the end of the queue.
    """
    connection.execute(
        update(request)
        .where(request.c.id == due_request.id, request.c.next_n == due_request.next_n)
        .values(next_n=next_n, next_at=now() if next_n < due_request.total else None)
    )


def finish(connection: Connection, ids: Collection[int]) -> None:
    """Move the cursors of requests to their ends: all of their messages are handed out."""
    connection.execute(
        update(request)
        .where(is_any_of(connection, request.c.id, ids))
        .values(next_n=request.c.total, next_at=None)
    )


def postpone(connection: Connection, ids: Collection[int], seconds: float) -> None:
    """Let due requests wait for `seconds`, because no account can take them now."""
    connection.execute(
        update(request)
        .where(is_any_of(connection, request.c.id, ids), request.c.next_at.is_not(None))
        .values(next_at=later(seconds))
    )


def end_waiting_rest(connection: Connection, request_id: int, state: MessageState) -> bool:
    """Give the messages that a request has not handed out yet their end; False if it has none."""
    updated = connection.execute(
        update(request)
        .where(
            request.c.id == request_id,
            request.c.rest == MessageState.QUEUED.value,
            request.c.next_n < request.c.total,
        )
        .values(rest=state.value, next_at=None)
    )
    if updated.rowcount == 1:
        bounds = select(request.c.next_n, request.c.total).where(request.c.id == request_id)
        callback_outbox.note_messages(
            connection, [MessageRange(request_id, *connection.execute(bounds).one())]
        )
    return updated.rowcount == 1


def expire(connection: Connection, limit: int = 500) -> int:
    """End what requests past their validity have not handed out; returns how many requests."""
    expired_ids = connection.execute(
        select(request.c.id)
        .where(request.c.next_at.is_not(None), request.c.not_after <= now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).scalars()
    return sum(
        end_waiting_rest(connection, request_id, MessageState.EXPIRED) for request_id in expired_ids
    )


def count_waiting_by_account(connection: Connection) -> dict[str, int]:
    """Count the requests that name an account and wait for it, by that account."""
    planned = select(submission.c.request_id).where(
        submission.c.state == SubmissionState.PLANNED.value
    )
    waiting = or_(request.c.next_at.is_not(None), request.c.id.in_(planned))
    rows = connection.execute(
        select(request.c.account, func.count())
        .where(request.c.account.is_not(None), waiting)
        .group_by(request.c.account)
    )
    return dict(rows.all())
