"""A request and its one message by one statement, where the database can: PostgreSQL.

Each statement is a way to the server and back, and whoever enqueues waits for all of them.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, bindparam, insert, literal, select, true
from sqlalchemy.dialects import postgresql

from worker.store import requests
from worker.store.requests import NewRequest, StoredRequest
from worker.store.schema.tables import message, request


def add(
    connection: Connection,
    new: NewRequest,
    msisdns: Sequence[str],
    *,
    callback: int | None,
    again: int | None,
) -> StoredRequest:
    """Insert a request that is due, with its messages, or find the one with its sender and key.

    `requests.add` says what the others mean.
    """
    if len(msisdns) == 1 and again is None and connection.dialect.name == "postgresql":
        made = _at_once(connection, new, msisdns[0], callback)
        if made is not None:
            return StoredRequest(made, 1, new.fingerprint, existed=False)
    stored = requests.add(connection, new, len(msisdns), due=True, callback=callback, again=again)
    if not stored.existed:
        requests.add_messages(connection, stored.id, msisdns)
    return stored


def _at_once(
    connection: Connection, new: NewRequest, msisdn: str, callback: int | None
) -> int | None:
    """Insert both, and return the request's id; None when its key is there."""
    values: dict[str, Any] = {
        f"new_{name}": value for name, value in requests.columns(new, 1).items()
    }
    values |= requests.bound(new, callback, due=True)
    return connection.execute(_insertion(tuple(values)), values | {"number": msisdn}).scalar()


@cache
def _insertion(names: tuple[str, ...]) -> Insert:
    """Make the statement once: to make it costs as much as to run it."""
    given = {
        name: bindparam(f"new_{name}", type_=request.c[name].type)
        for name in (one.removeprefix("new_") for one in names if one.startswith("new_"))
    }
    made = (
        postgresql.insert(request)
        .values(given | requests.said(due=True))
        .on_conflict_do_nothing()
        .returning(request.c.id)
        .cte("made")
    )
    only = select(made.c.id, literal(0), bindparam("number", type_=message.c.msisdn.type), true())
    into = insert(message).from_select(["request_id", "n", "msisdn", "single"], only)
    return into.returning(message.c.request_id)
