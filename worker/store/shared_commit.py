"""Requests that come in at the same time: stored by few statements, each answered for itself."""

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
from sqlalchemy.dialects import postgresql

from worker.store import requests
from worker.store.db.clock import later, now
from worker.store.db.dialects import insert_unless_there
from worker.store.db.pg_arrays import given, lists
from worker.store.requests import NewRequest, StoredRequest
from worker.store.schema.tables import message, request


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request to store: how many messages it has, and which callback is told of them."""

    new: NewRequest
    total: int
    callback: int | None


def add(connection: Connection, arrivals: Sequence[Arrival]) -> list[StoredRequest]:
    """Insert requests that are due, or find those with their senders and keys; in their order.

    Keys are taken in one order, so that two that store the same ones never wait for each other.
    """
    order = sorted(range(len(arrivals)), key=lambda nth: _key(arrivals[nth].new))
    if connection.dialect.name in {"mysql", "mariadb"}:
        # It cannot return what it inserted.
        stored = {nth: _alone(connection, arrivals[nth]) for nth in order}
    else:
        stored = _together(connection, {nth: arrivals[nth] for nth in order})
    return [stored[nth] for nth in range(len(arrivals))]


def _alone(connection: Connection, one: Arrival) -> StoredRequest:
    return requests.add(connection, one.new, one.total, due=True, callback=one.callback)


def _together(connection: Connection, arrivals: Mapping[int, Arrival]) -> dict[int, StoredRequest]:
    # Whoever asks for the same without a key may have either row: they are equal.
    ids: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for row in _inserted(connection, [_row(one) for one in arrivals.values()]):
        ids[row.sender, row.key, row.fingerprint].append(row.id)
    stored = {}
    for nth, one in arrivals.items():
        mine = ids[one.new.sender, one.new.key, one.new.fingerprint]
        if mine:
            found = StoredRequest(mine.pop(), one.total, one.new.fingerprint, existed=False)
            stored[nth] = found
    there = {nth: one for nth, one in arrivals.items() if nth not in stored}
    return stored | _found(connection, there)


_mark = (request.c.sender, request.c.key, request.c.fingerprint)
#: What the database's clock is asked about, by the columns whose types these have.
_CLOCK: dict[str, Column[Any]] = {
    "start": request.c.not_before,
    "until": request.c.not_after,
    "validity": Column("validity", Float),
}


def _inserted(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Sequence[Row[Any]]:
    """Insert rows and return those that were not there."""
    if connection.dialect.name == "postgresql":
        return connection.execute(_by_arrays(tuple(rows[0])), lists(rows)).all()
    clock = {name: bindparam(name, type_=like.type) for name, like in _CLOCK.items()}
    statement = insert_unless_there(connection, request).values(_clocked(**clock))
    return connection.execute(statement.returning(request.c.id, *_mark), list(rows)).all()


@cache
def _by_arrays(names: tuple[str, ...]) -> Any:
    """Return the INSERT of rows that have these names, made once."""
    plain = [name for name in names if name not in _CLOCK]
    table = given({name: request.c[name] for name in plain} | _CLOCK).c
    clocked = _clocked(table.start, table.until, table.validity)
    source = select(*(table[name] for name in plain), *clocked.values())
    statement = postgresql.insert(request).from_select([*plain, *clocked], source)
    return statement.on_conflict_do_nothing().returning(request.c.id, *_mark)


def _clocked(start: Any, until: Any, validity: Any) -> dict[str, Any]:
    return {
        "not_after": func.coalesce(until, later(validity)),
        "next_at": func.coalesce(start, now()),
        "created_at": now(),
    }


def _row(one: Arrival) -> dict[str, Any]:
    new = one.new
    until = new.not_after
    if until is None and new.not_before is not None:
        until = new.not_before + timedelta(seconds=new.validity)
    clock = {"start": new.not_before, "until": until, "validity": new.validity}
    return requests.columns(new, one.total) | clock | {"callback_id": one.callback}


def _found(connection: Connection, arrivals: Mapping[int, Arrival]) -> dict[int, StoredRequest]:
    """Return the requests whose keys were there."""
    if not arrivals:
        return {}
    named = {_key(one.new) for one in arrivals.values()}
    rows = connection.execute(
        select(request.c.id, request.c.total, *_mark).where(
            tuple_(request.c.sender, request.c.key).in_(sorted(named))
        )
    )
    there = {
        (row.sender, row.key): StoredRequest(row.id, row.total, row.fingerprint, existed=True)
        for row in rows
    }
    return {nth: there[_key(one.new)] for nth, one in arrivals.items()}


def _key(new: NewRequest) -> tuple[str, str]:
    return new.sender, new.key or ""


def add_messages(connection: Connection, msisdns: Mapping[int, Sequence[str]]) -> None:
    """Insert the messages of requests, by their ids."""
    rows = [
        {"request_id": one, "n": n, "msisdn": msisdn, "single": True}
        for one, numbers in msisdns.items()
        for n, msisdn in enumerate(numbers)
    ]
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(insert(message), rows)
        return
    connection.execute(_messages_by_arrays, lists(rows))


_numbered = {name: message.c[name] for name in ("request_id", "n", "msisdn", "single")}
_messages_by_arrays = insert(message).from_select(list(_numbered), select(given(_numbered)))


def take_back(connection: Connection, ids: Collection[int]) -> None:
    """Remove requests that this transaction inserted and that have no messages."""
    if ids:
        connection.execute(delete(request).where(request.c.id.in_(list(ids))))


def stands(connection: Connection, request_id: int, like: NewRequest) -> bool:
    """Tell whether a request is there of which nobody knows whether it was committed.

    One whose commit is under way is waited for. False: it never will be.
    """
    nameless = replace(like, key=None)
    found = requests.add(connection, nameless, 0, due=False, again=request_id)
    if not found.existed:
        take_back(connection, [request_id])
    return found.existed
