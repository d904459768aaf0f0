"""Insert requests and their messages, or find the request that has the same key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, bindparam, func, insert, null, select
from sqlalchemy.exc import IntegrityError

from worker.domain.enums import MessageClass, MessageState
from worker.domain.renderings import TemplateKey
from worker.gateways.base import Content
from worker.store.db import capabilities
from worker.store.db.clock import Instant, later, now
from worker.store.db.dialects import insert_if_absent, inserted_id
from worker.store.feedback.named_callbacks import NamedCallback
from worker.store.schema.tables import callback, message, request


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
    #: Where it is told what becomes of its messages, in place of its sender's standing callback.
    callback: NamedCallback | None = None
    metadata: Mapping[str, str] | None = None
    #: The registered template that it names; the body is its text then.
    template: TemplateKey | None = None


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request in the database: inserted now, or found under the key of the call."""

    id: int
    total: int
    fingerprint: str | None
    existed: bool


def add(
    connection: Connection,
    new_request: NewRequest,
    total: int,
    *,
    due: bool,
    callback_id: int | None = None,
    earlier_id: int | None = None,
) -> StoredRequest:
    """Insert a request of `total` messages, or find the one with its sender and key.

    `callback_id` is the callback to tell; None means the sender's standing one, if there is one.
    `due` says whether its messages may be handed out (from `not_before` on); a campaign's may not
    before it is started. `earlier_id` is the id that the request was given in a transaction of
    which nobody knows whether it was committed: without a key, the id makes sure that the request
    is stored once.
    """
    values = plain_columns(new_request, total) | computed_binds(new_request, callback_id, due=due)
    if new_request.key is None and earlier_id is not None:
        values["id"] = earlier_id
    elif new_request.key is None:
        inserted = connection.execute(_insertion(due=due), values)
        return StoredRequest(inserted_id(inserted), total, new_request.fingerprint, existed=False)
    return _add_once(connection, new_request, values, due=due)


@cache
def _insertion(*, due: bool) -> Insert:
    """Build the INSERT once: building it costs as much as running it."""
    return insert(request).values(computed_columns(due=due))


def computed_binds(
    new_request: NewRequest, callback_id: int | None, *, due: bool
) -> dict[str, Any]:
    """Return the parameters of the expressions in `computed_columns`."""
    return {
        "until": new_request.not_after or _valid_until(new_request),
        "validity": new_request.validity,
        "told": callback_id,
        "whose": new_request.sender,
        **({"start": new_request.not_before} if due else {}),
    }


@cache
def computed_columns(*, due: bool) -> dict[str, Any]:
    """Return the expressions, by column, with which the database completes a new request."""
    start, until = bindparam("start", type_=Instant()), bindparam("until", type_=Instant())
    callback_id = bindparam("told", type_=callback.c.id.type)
    standing = select(func.max(callback.c.id)).where(
        callback.c.sender == bindparam("whose"),
        callback.c.standing,
        callback.c.removed_at.is_(None),
    )
    return {
        "not_after": func.coalesce(until, later(bindparam("validity"))),
        "next_at": func.coalesce(start, now()) if due else null(),
        "created_at": now(),
        "callback_id": func.coalesce(callback_id, standing.scalar_subquery()),
    }


def plain_columns(new_request: NewRequest, total: int) -> dict[str, Any]:
    """Return the columns of a new request whose values are known without asking the database."""
    template = new_request.template
    return {
        "sender": new_request.sender,
        "key": new_request.key,
        "fingerprint": new_request.fingerprint,
        "message_class": new_request.message_class.value,
        "account": new_request.account,
        "text": new_request.content.text,
        "template": template.key if template else new_request.content.template,
        "template_version": template.version if template else None,
        "extension": new_request.content.extension,
        "variables": _variable_pairs(new_request.content.variables),
        "options": dict(new_request.content.options) or None,
        "kinds": new_request.kinds,
        "not_before": new_request.not_before,
        "total": total,
        "next_n": 0,
        "rest": MessageState.QUEUED.value,
        "metadata": dict(new_request.metadata) if new_request.metadata else None,
    }


def _variable_pairs(variables: Mapping[str, str] | None) -> list[list[str]] | None:
    """Return variables as they are stored: in their order, which JSON objects do not keep."""
    return [[name, value] for name, value in variables.items()] if variables else None


def _valid_until(new_request: NewRequest) -> datetime | None:
    """Return when a validity that counts from `not_before` ends.

    None where it counts from now, by the database's clock.
    """
    if new_request.not_before is None:
        return None
    return new_request.not_before + timedelta(seconds=new_request.validity)


def _add_once(
    connection: Connection, new_request: NewRequest, values: Mapping[str, Any], *, due: bool
) -> StoredRequest:
    """Insert a request unless its key or id is there; then find that one.

    A rival transaction that has inserted it and is not committed yet is waited for.
    """
    request_id = _insert_if_absent(connection, values, due=due)
    if request_id is not None:
        return StoredRequest(request_id, values["total"], new_request.fingerprint, existed=False)
    is_same = [request.c.sender == new_request.sender, request.c.key == new_request.key]
    if new_request.key is None:
        is_same = [request.c.id == values["id"]]
    # Locked, so that a snapshot older than the rival's commit cannot hide it.
    row = connection.execute(
        select(request.c.id, request.c.total, request.c.fingerprint)
        .where(*is_same)
        .with_for_update(read=True)
    ).one()
    return StoredRequest(row.id, row.total, row.fingerprint, existed=True)


def _insert_if_absent(
    connection: Connection, values: Mapping[str, Any], *, due: bool
) -> int | None:
    """Insert a request and return its id; None when its key or id is there already."""
    if not capabilities.returns_inserted(connection):
        try:
            with connection.begin_nested():
                return inserted_id(connection.execute(_insertion(due=due), values))
        except IntegrityError:
            return None
    statement = insert_if_absent(connection, request).values(computed_columns(due=due))
    return connection.execute(statement.returning(request.c.id), values).scalar()


_insert_message = insert(message)


def add_messages(
    connection: Connection, request_id: int, msisdns: Sequence[str], first_n: int = 0
) -> None:
    """Insert the messages of a call of `enqueue`, numbered from `first_n`."""
    connection.execute(
        _insert_message,
        [
            {"request_id": request_id, "n": n, "msisdn": msisdn, "single": True}
            for n, msisdn in enumerate(msisdns, first_n)
        ],
    )
