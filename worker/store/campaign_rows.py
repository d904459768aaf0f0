"""Campaigns while they are loaded: messages come in by the fastest way that a database has.

A request's `total` moves with its messages, in the same transaction: it says how far a loader came
that was cut off, and nobody ever counts others than those that are there.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import compress, count, repeat
from typing import Any

from sqlalchemy import (
    Connection,
    delete,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from worker.domain.enums import CampaignState
from worker.store.schema.tables import campaign, message, request

#: Messages in one transaction, by database. SQLite has one writer: nobody waits for it long.
PIECES = {"sqlite": 4000, "postgresql": 50_000}
PIECE = 20_000
#: Transactions at the same time, by database: PostgreSQL has a process for each.
AT_ONCE = {"postgresql": 2}

#: Rows that COPY is given at a time.
WRITTEN = 10_000
#: What stands for the names in a message's text, if anything does.
Variables = tuple[tuple[str, str], ...] | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages to be, column by column; `own` is None where none has variables."""

    msisdns: Sequence[str]
    own: Sequence[Variables] | None = None

    def part(self, lo: int, hi: int) -> "Batch":
        """Return those from `lo` up to, and without, `hi`."""
        own = self.own[lo:hi] if self.own is not None else None
        return Batch(self.msisdns[lo:hi], own if own and any(own) else None)

    def where(self, wanted: Sequence[object]) -> "Batch":
        """Return those for which `wanted` is true."""
        own = list(compress(self.own, wanted)) if self.own is not None else None
        return Batch(list(compress(self.msisdns, wanted)), own if own and any(own) else None)

    def ordered(self, by: Callable[[Variables], str]) -> "Batch":
        """Return them with those together whose variables come to the same, else as they were."""
        if self.own is None:
            return self
        own = self.own
        order = sorted(range(len(own)), key=[by(one) for one in own].__getitem__)
        return Batch([self.msisdns[nth] for nth in order], [own[nth] for nth in order])


def piece(dialect: str) -> int:
    """Return how many messages one transaction may bring in, by the database's name."""
    return PIECES.get(dialect, PIECE)


def begin(connection: Connection, request_id: int, there: int) -> bool:
    """Lock a campaign that is loading and has `there` messages; False when it is otherwise."""
    row = connection.execute(
        select(request.c.total).where(request.c.id == request_id).with_for_update()
    ).one()
    state = connection.execute(
        select(campaign.c.state).where(campaign.c.request_id == request_id)
    ).scalar()
    return bool(row.total == there and state == CampaignState.LOADING.value)


def at_once(dialect: str) -> int:
    """Return how many transactions may bring messages in at the same time."""
    return AT_ONCE.get(dialect, 1)


def reach(connection: Connection, request_id: int, total: int) -> None:
    """Move a request's total behind the messages that were added in this transaction."""
    connection.execute(update(request).where(request.c.id == request_id).values(total=total))


def add(connection: Connection, request_id: int, first: int, rows: Batch) -> None:
    """Insert messages numbered from `first`; `reach` follows in the same transaction.

    Raises `IntegrityError` when another loader has inserted them.
    """
    columns = ["request_id", "n", "msisdn", *(["variables"] if rows.own is not None else [])]
    named = f"{message.name} ({', '.join(columns)})"
    if connection.dialect.name == "postgresql" and connection.dialect.driver == "psycopg":
        _copy(connection, f"COPY {named} FROM STDIN", request_id, first, rows)
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(*_listed(named, request_id, first, rows))
        return
    marks = ", ".join(["%s"] * len(columns))
    connection.exec_driver_sql(
        f"INSERT INTO {named} VALUES ({marks})",  # noqa: S608 - names of ours
        _tuples(request_id, first, rows),
    )


def _copy(connection: Connection, statement: str, request_id: int, first: int, rows: Batch) -> None:
    raw: Any = connection.connection.driver_connection
    failure = connection.dialect.loaded_dbapi.Error
    try:
        with raw.cursor() as cursor, cursor.copy(statement) as copy:
            # In parts, so that the server has one while the next is written.
            for at in range(0, len(rows.msisdns), WRITTEN):
                copy.write(_copied(request_id, first + at, rows.part(at, at + WRITTEN)))
    except failure as error:
        # As SQLAlchemy says of its own statements: the driver's error names rows, and is left out.
        told = DBAPIError.instance(statement, None, error, failure, hide_parameters=True)
        raise told from None


def _listed(named: str, request_id: int, first: int, rows: Batch) -> tuple[str, tuple[Any, ...]]:
    """Make one INSERT of all rows for SQLite, which then lets other threads run meanwhile."""
    values, each = "value", json.dumps(rows.msisdns)
    if rows.own is not None:
        values = "json_extract(value, '$[0]'), json_extract(value, '$[1]')"
        each = json.dumps(list(zip(rows.msisdns, rows.own, strict=True)))
    statement = f"INSERT INTO {named} SELECT ?, ? + key, {values} FROM json_each(?)"  # noqa: S608
    return statement, (request_id, first, each)


def _tuples(request_id: int, first: int, rows: Batch) -> list[tuple[Any, ...]]:
    if rows.own is None:
        return list(zip(repeat(request_id), count(first), rows.msisdns, strict=False))
    own = [json.dumps(one) if one else None for one in rows.own]
    return list(zip(repeat(request_id), count(first), rows.msisdns, own, strict=False))


def _copied(request_id: int, first: int, rows: Batch) -> str:
    """Write rows in the text format of COPY: JSON in ASCII needs its backslashes doubled."""
    if rows.own is None:
        return "".join(
            [f"{request_id}\t{n}\t{msisdn}\n" for n, msisdn in enumerate(rows.msisdns, first)]
        )
    own = [json.dumps(one).replace("\\", "\\\\") if one else "\\N" for one in rows.own]
    pairs = enumerate(zip(rows.msisdns, own, strict=True), first)
    return "".join([f"{request_id}\t{n}\t{msisdn}\t{one}\n" for n, (msisdn, one) in pairs])


def there(connection: Connection, request_id: int, lo: int, hi: int) -> Batch:
    """Return the messages `lo <= n < hi` of a request, in order."""
    rows = connection.execute(
        select(message.c.msisdn, message.c.variables)
        .where(message.c.request_id == request_id, message.c.n >= lo, message.c.n < hi)
        .order_by(message.c.n)
    ).all()
    own = [tuple((name, value) for name, value in one[1]) if one[1] else None for one in rows]
    return Batch([one[0] for one in rows], own if any(own) else None)


def cut(connection: Connection, request_id: int, total: int) -> None:
    """Remove the messages from number `total` on, and move the request's total back."""
    connection.execute(
        delete(message).where(message.c.request_id == request_id, message.c.n >= total)
    )
    connection.execute(update(request).where(request.c.id == request_id).values(total=total))


def left_out(connection: Connection, request_id: int) -> dict[str, int]:
    """Return how many rows of a campaign were left out, by why."""
    row = connection.execute(
        select(campaign.c.left_out).where(campaign.c.request_id == request_id)
    ).scalar()
    return dict(row or {})


def finish(connection: Connection, request_id: int, kinds: Collection[str], **values: Any) -> None:
    """Write what a campaign is, now that all of it is there."""
    connection.execute(
        update(request)
        .where(request.c.id == request_id)
        .values(kinds=",".join(sorted(kinds)), **values)
    )
