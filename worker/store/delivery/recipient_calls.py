"""Read and write the calls to each number that recipient limits count."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Float,
    Insert,
    Select,
    Update,
    bindparam,
    case,
    cast,
    delete,
    func,
    select,
    true,
    update,
)

from worker.domain.recipient_windows import CountedCall, epoch_milliseconds
from worker.store.db import capabilities, pg_arrays
from worker.store.db.clock import later, now
from worker.store.db.dialects import (
    insert_if_absent,
    insert_or_update,
    is_any_of,
)
from worker.store.db.pg_arrays import literal_table, packed_columns, parameter_table
from worker.store.schema.tables import recipient, submission

#: A row's key: the account whose limits count the calls, and the number.
RecipientKey = tuple[str, str]
#: The most numbers that one statement names.
MAX_NAMED_NUMBERS = 1000


@dataclass(frozen=True, slots=True)
class LockedCalls:
    """The calls in rows that nobody else may change before the transaction ends."""

    #: The database's time in milliseconds, not later than the locks.
    locked_at: int
    calls_by_key: dict[RecipientKey, list[CountedCall]]


def lock(connection: Connection, keys: Collection[RecipientKey], *, make: bool) -> LockedCalls:
    """Lock the rows of numbers, in the order of their keys, and return their calls.

    With `make` those that are missing are inserted, with no call.
    """
    sorted_keys = sorted(keys)
    if make:
        _insert_missing(connection, sorted_keys)
    locked = _lock_existing(connection, sorted_keys)
    while make and len(locked.calls_by_key) < len(sorted_keys):
        # A row that was there a moment ago has been forgotten.
        _insert_missing(connection, [key for key in sorted_keys if key not in locked.calls_by_key])
        locked = _lock_existing(connection, sorted_keys)
    return locked


@dataclass(frozen=True, slots=True)
class FirstCall:
    """A call of a submission, and for how many milliseconds it may count at the most."""

    submission_id: int
    longest_ms: int


def insert_first(
    connection: Connection, calls: Mapping[RecipientKey, FirstCall], max_duration: int
) -> set[RecipientKey]:
    """Insert the calls to numbers that have no row, in one statement; return the keys of these.

    A call ends `max_duration` milliseconds after its beginning unless `end_calls` says earlier. The
    other keys have to be locked and looked at. Only PostgreSQL can do this: elsewhere all have to.
    """
    if not calls or not capabilities.takes_columns(connection):
        return set()
    rows = [
        {
            "account": account,
            "msisdn": msisdn,
            "submission_id": call.submission_id,
            "keep_seconds": call.longest_ms / 1000,
        }
        for (account, msisdn), call in sorted(calls.items())
    ]
    parameters = packed_columns(rows) | {"patience": max_duration}
    inserted = connection.execute(_first_calls_insert(), parameters)
    return {(row.account, row.msisdn) for row in inserted}


@cache
def _first_calls_insert() -> Insert:
    """Return the statement of `insert_first`: to make it costs as much as to run it."""
    columns = {name: recipient.c[name] for name in ("account", "msisdn")}
    columns |= {"submission_id": submission.c.id, "keep_seconds": Column("keep_seconds", Float)}
    row = parameter_table(columns).c
    began = cast(func.floor(func.extract("epoch", now()) * 1000), BigInteger)
    ends = began + bindparam("patience", type_=BigInteger)
    calls = func.json_build_array(func.json_build_array(row.submission_id, began, ends))
    rows = select(row.account, row.msisdn, calls, later(row.keep_seconds))
    return (
        pg_arrays.insert_if_absent(recipient)
        .from_select(["account", "msisdn", "calls", "forget_at"], rows)
        .returning(recipient.c.account, recipient.c.msisdn)
    )


def end_calls(
    connection: Connection, submission_ids: Mapping[RecipientKey, int]
) -> set[RecipientKey]:
    """Note that calls of submissions have ended now, in one statement; return the keys of these.

    The other keys have to be locked and looked at. Only PostgreSQL can do this: elsewhere all
    have to.
    """
    if not submission_ids or not capabilities.takes_columns(connection):
        return set()
    rows = [
        {"account": account, "msisdn": msisdn, "submission_id": submission_id}
        for (account, msisdn), submission_id in sorted(submission_ids.items())
    ]
    connection.execute(_ended_calls_update(), packed_columns(rows))
    return set(submission_ids)


@cache
def _ended_calls_update() -> Update:
    """Return the statement of `end_calls`: to make it costs as much as to run it."""
    columns = {name: recipient.c[name] for name in ("account", "msisdn")}
    row = parameter_table(columns | {"submission_id": submission.c.id}).c
    call: Any = func.json_array_elements(recipient.c.calls, type_=JSON()).column_valued("call")
    submission_id, ends = (cast(call.op("->>")(index), BigInteger) for index in (0, 2))
    # Rounded up: the beginning was rounded down.
    ended_at = cast(func.floor(func.extract("epoch", now()) * 1000), BigInteger) + 1
    ended_call = func.json_build_array(
        call.op("->")(0), call.op("->")(1), func.least(ends, ended_at)
    )
    calls = func.json_agg(case((submission_id == row.submission_id, ended_call), else_=call))
    calls_or_none = select(func.coalesce(calls, cast("[]", JSON())))
    return (
        update(recipient)
        .where(recipient.c.account == row.account, recipient.c.msisdn == row.msisdn)
        .values(calls=calls_or_none.correlate(recipient, row.submission_id.table).scalar_subquery())
    )


def _insert_missing(connection: Connection, keys: Sequence[RecipientKey]) -> None:
    """Insert the rows that are missing, with no call: they may be forgotten at once."""
    rows = [(key, (), 0) for key in keys]
    _insert(connection, insert_if_absent(connection, recipient), rows)


def _insert(
    connection: Connection,
    statement: Any,
    rows: Iterable[tuple[RecipientKey, Sequence[CountedCall], int]],
) -> None:
    """Run an INSERT of rows in their order, in one statement where the database can.

    Each row is a key, its calls, and when to forget them, in milliseconds since 1970.
    """
    values = [
        {
            "account": account,
            "msisdn": msisdn,
            "calls": [list(call) for call in calls],
            "forget_at": datetime.fromtimestamp(forget_at / 1000, UTC),
        }
        for (account, msisdn), calls, forget_at in rows
    ]
    if values and capabilities.takes_columns(connection):
        table = parameter_table({name: recipient.c[name] for name in values[0]})
        insertion = statement.from_select(list(values[0]), select(table))
        connection.execute(insertion, packed_columns(values))
    elif values:
        connection.execute(statement, values)


def _lock_existing(connection: Connection, keys: Sequence[RecipientKey]) -> LockedCalls:
    calls_by_key: dict[RecipientKey, list[CountedCall]] = {}
    locked_at: int | None = None
    for account_name, msisdns in _chunks_by_account(keys):
        rows = connection.execute(_locking_query(connection, account_name, msisdns)).all()
        calls_by_key |= {
            (account_name, row.msisdn): [CountedCall(*call) for call in row.calls] for row in rows
        }
        if rows and locked_at is None:
            locked_at = epoch_milliseconds(rows[0].at)
    return LockedCalls(locked_at or 0, calls_by_key)


def _locking_query(
    connection: Connection, account_name: str, msisdns: Sequence[str]
) -> Select[Any]:
    """Select rows for update in their order, each looked up by its whole key.

    PostgreSQL would read all rows of an account whose statistics it does not know yet.
    """
    columns = [recipient.c.msisdn, recipient.c.calls]
    is_of_account = recipient.c.account == account_name
    if not capabilities.takes_columns(connection):
        rows = select(*columns, now().label("at")).where(
            is_of_account, recipient.c.msisdn.in_(msisdns)
        )
        return rows.order_by(recipient.c.msisdn).with_for_update()
    numbers = literal_table([{"msisdn": msisdn} for msisdn in msisdns], msisdn=recipient.c.msisdn)
    look_up = select(*columns).where(is_of_account, recipient.c.msisdn == numbers.c.msisdn)
    locked = look_up.with_for_update().lateral("locked")
    return select(locked.c.msisdn, locked.c.calls, now().label("at")).select_from(
        numbers.join(locked, true())
    )


def _chunks_by_account(keys: Sequence[RecipientKey]) -> Iterator[tuple[str, list[str]]]:
    """Cut sorted keys into lists of numbers of one account."""
    msisdns_by_account: dict[str, list[str]] = {}
    for account_name, msisdn in keys:
        msisdns_by_account.setdefault(account_name, []).append(msisdn)
    for account_name, msisdns in msisdns_by_account.items():
        for start in range(0, len(msisdns), MAX_NAMED_NUMBERS):
            yield account_name, msisdns[start : start + MAX_NAMED_NUMBERS]


def write(
    connection: Connection, rows: Mapping[RecipientKey, tuple[Sequence[CountedCall], int]]
) -> None:
    """Write the calls of locked rows, and when (in milliseconds since 1970) to forget them."""
    _insert(
        connection,
        insert_or_update(connection, recipient, "calls", "forget_at"),
        [(key, calls, forget_at) for key, (calls, forget_at) in sorted(rows.items())],
    )


def forget(connection: Connection, limit: int) -> int:
    """Delete up to `limit` rows of which no call counts any more; return how many."""
    keys = [
        (row.account, row.msisdn)
        for row in connection.execute(
            select(recipient.c.account, recipient.c.msisdn)
            .where(recipient.c.forget_at <= now())
            .order_by(recipient.c.forget_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    ]
    for account_name, msisdns in _chunks_by_account(sorted(keys)):
        connection.execute(
            delete(recipient).where(
                recipient.c.account == account_name,
                is_any_of(connection, recipient.c.msisdn, msisdns),
            )
        )
    return len(keys)
