"""Store the requests that come in at the same time by few statements, each with its own answer."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Row,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
)

from worker.store.db import capabilities, pg_arrays
from worker.store.db.clock import later, now
from worker.store.db.dialects import insert_if_absent
from worker.store.db.pg_arrays import packed_columns, parameter_table
from worker.store.intake import new_requests
from worker.store.intake.new_requests import NewRequest, StoredRequest
from worker.store.schema.tables import message, request


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request to store: how many messages it has, and the callback to tell of them."""

    new_request: NewRequest
    total: int
    callback_id: int | None


def add(connection: Connection, arrivals: Sequence[Arrival]) -> list[StoredRequest]:
    """Insert requests that are due, or find those with their senders and keys.

    Returns them in the order of the arrivals. They are inserted in the order of their keys, so that
    two transactions with the same keys never wait for each other.
    """
    order = sorted(range(len(arrivals)), key=lambda position: _key(arrivals[position].new_request))
    if not capabilities.returns_inserted(connection):
        stored = {position: _add_single(connection, arrivals[position]) for position in order}
    else:
        stored = _add_all(connection, {position: arrivals[position] for position in order})
    return [stored[position] for position in range(len(arrivals))]


def _add_single(connection: Connection, arrival: Arrival) -> StoredRequest:
    return new_requests.add(
        connection,
        arrival.new_request,
        arrival.total,
        due=True,
        callback_id=arrival.callback_id,
    )


def _add_all(connection: Connection, arrivals: Mapping[int, Arrival]) -> dict[int, StoredRequest]:
    """Insert or find the requests of arrivals, in two statements; the result has their keys."""
    # Arrivals that are the same request without a key may each take either row: the rows are equal.
    inserted_ids: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for row in _insert_rows(connection, [_request_row(arrival) for arrival in arrivals.values()]):
        inserted_ids[row.sender, row.key, row.fingerprint].append(row.id)
    stored = {}
    for position, arrival in arrivals.items():
        new_request = arrival.new_request
        ids = inserted_ids[new_request.sender, new_request.key, new_request.fingerprint]
        if ids:
            stored[position] = StoredRequest(
                ids.pop(), arrival.total, new_request.fingerprint, existed=False
            )
    not_inserted = {
        position: arrival for position, arrival in arrivals.items() if position not in stored
    }
    return stored | _existing(connection, not_inserted)


#: The columns by which a stored request is matched with its arrival.
_IDENTITY = (request.c.sender, request.c.key, request.c.fingerprint)
#: The parameters from which the database's clock computes times, with columns of their types.
_CLOCK_PARAMETERS: dict[str, Column[Any]] = {
    "start": request.c.not_before,
    "until": request.c.not_after,
    "validity": Column("validity", Float),
}


def _insert_rows(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Sequence[Row[Any]]:
    """Insert the rows whose keys are not there yet, and return these."""
    if capabilities.takes_columns(connection):
        return connection.execute(_insertion_of_arrays(tuple(rows[0])), packed_columns(rows)).all()
    clock = {name: bindparam(name, type_=like.type) for name, like in _CLOCK_PARAMETERS.items()}
    statement = insert_if_absent(connection, request).values(_computed_columns(**clock))
    return connection.execute(statement.returning(request.c.id, *_IDENTITY), list(rows)).all()


@cache
def _insertion_of_arrays(names: tuple[str, ...]) -> Any:
    """Build the INSERT of rows with these names; one serves any number of rows."""
    plain = [name for name in names if name not in _CLOCK_PARAMETERS]
    table = parameter_table({name: request.c[name] for name in plain} | _CLOCK_PARAMETERS).c
    computed = _computed_columns(table.start, table.until, table.validity)
    source = select(*(table[name] for name in plain), *computed.values())
    statement = pg_arrays.insert_if_absent(request).from_select([*plain, *computed], source)
    return statement.returning(request.c.id, *_IDENTITY)


def _computed_columns(start: Any, until: Any, validity: Any) -> dict[str, Any]:
    """Return the expressions, by column, that need the database's clock."""
    return {
        "not_after": func.coalesce(until, later(validity)),
        "next_at": func.coalesce(start, now()),
        "created_at": now(),
    }


def _request_row(arrival: Arrival) -> dict[str, Any]:
    """Return the plain columns of a request, and the parameters for the clock."""
    new_request = arrival.new_request
    until = new_request.not_after
    if until is None and new_request.not_before is not None:
        until = new_request.not_before + timedelta(seconds=new_request.validity)
    clock = {"start": new_request.not_before, "until": until, "validity": new_request.validity}
    columns = new_requests.plain_columns(new_request, arrival.total)
    return columns | clock | {"callback_id": arrival.callback_id}


def _existing(connection: Connection, arrivals: Mapping[int, Arrival]) -> dict[int, StoredRequest]:
    """Return the requests whose keys were there already."""
    if not arrivals:
        return {}
    keys = {_key(arrival.new_request) for arrival in arrivals.values()}
    rows = connection.execute(
        select(request.c.id, request.c.total, *_IDENTITY).where(
            tuple_(request.c.sender, request.c.key).in_(sorted(keys))
        )
    )
    existing = {
        (row.sender, row.key): StoredRequest(row.id, row.total, row.fingerprint, existed=True)
        for row in rows
    }
    return {position: existing[_key(arrival.new_request)] for position, arrival in arrivals.items()}


def _key(new_request: NewRequest) -> tuple[str, str]:
    return new_request.sender, new_request.key or ""


def add_messages(connection: Connection, msisdns: Mapping[int, Sequence[str]]) -> None:
    """Insert the messages of requests; `msisdns` are by the requests' ids."""
    rows = [
        {"request_id": request_id, "n": n, "msisdn": msisdn, "single": True}
        for request_id, request_msisdns in msisdns.items()
        for n, msisdn in enumerate(request_msisdns)
    ]
    if not rows:
        return
    if not capabilities.takes_columns(connection):
        connection.execute(insert(message), rows)
        return
    connection.execute(_insertion_of_messages, packed_columns(rows))


_message_columns = {name: message.c[name] for name in ("request_id", "n", "msisdn", "single")}
_insertion_of_messages = insert(message).from_select(
    list(_message_columns), select(parameter_table(_message_columns))
)


def remove_empty(connection: Connection, ids: Collection[int]) -> None:
    """Delete requests that this transaction inserted and that have no messages."""
    if ids:
        connection.execute(delete(request).where(request.c.id.in_(list(ids))))


def was_committed(connection: Connection, request_id: int, new_request: NewRequest) -> bool:
    """Tell whether a request was committed, where the answer to the commit was lost.

    A commit that is under way is waited for. False means that it never will be committed.
    """
    keyless = replace(new_request, key=None)
    stored = new_requests.add(connection, keyless, 0, due=False, earlier_id=request_id)
    if not stored.existed:
        remove_empty(connection, [request_id])
    return stored.existed
