"""Insert a request and its one message by one statement, where the database can: PostgreSQL.

Each statement is a round trip to the server, and the caller of `enqueue` waits for all of them.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, bindparam, insert, literal, select, true

from worker.store.db import capabilities, pg_arrays
from worker.store.intake import new_requests
from worker.store.intake.new_requests import NewRequest, StoredRequest
from worker.store.schema.tables import message, request

#: What the parameters of a request's own columns begin with, so that no other has their names.
_PREFIX = "new_"


def add(
    connection: Connection,
    new_request: NewRequest,
    msisdns: Sequence[str],
    *,
    callback_id: int | None,
    earlier_id: int | None,
) -> StoredRequest:
    """Insert a request that is due, with its messages, or find the one with its sender and key.

    `callback_id` and `earlier_id` are those of `new_requests.add`.
    """
    if len(msisdns) == 1 and earlier_id is None and capabilities.takes_columns(connection):
        request_id = _insert_with_message(connection, new_request, msisdns[0], callback_id)
        if request_id is not None:
            return StoredRequest(request_id, 1, new_request.fingerprint, existed=False)
    stored = new_requests.add(
        connection,
        new_request,
        len(msisdns),
        due=True,
        callback_id=callback_id,
        earlier_id=earlier_id,
    )
    if not stored.existed:
        new_requests.add_messages(connection, stored.id, msisdns)
    return stored


def _insert_with_message(
    connection: Connection, new_request: NewRequest, msisdn: str, callback_id: int | None
) -> int | None:
    """Insert a request and its message, and return the request's id; None when its key is there."""
    values: dict[str, Any] = {
        f"{_PREFIX}{name}": value
        for name, value in new_requests.plain_columns(new_request, 1).items()
    }
    values |= new_requests.computed_binds(new_request, callback_id, due=True)
    return connection.execute(_insertion(tuple(values)), values | {"number": msisdn}).scalar()


@cache
def _insertion(names: tuple[str, ...]) -> Insert:
    """Build the statement with parameters of these names once: that costs as much as running it."""
    columns = [name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)]
    plain = {name: bindparam(f"{_PREFIX}{name}", type_=request.c[name].type) for name in columns}
    inserted = (
        pg_arrays.insert_if_absent(request)
        .values(plain | new_requests.computed_columns(due=True))
        .returning(request.c.id)
        .cte("made")
    )
    msisdn = bindparam("number", type_=message.c.msisdn.type)
    message_row = select(inserted.c.id, literal(0), msisdn, true())
    insertion = insert(message).from_select(["request_id", "n", "msisdn", "single"], message_row)
    return insertion.returning(message.c.request_id)
