"""Calls to numbers that limits count, and submissions whose recipients have to wait."""

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
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql

from worker.domain.enums import SubmissionState as S
from worker.domain.recipient_windows import CountedCall, milliseconds
from worker.store.claims import Lease
from worker.store.db.clock import later, now
from worker.store.db.dialects import (
    insert_or_update,
    insert_unless_there,
    new_id,
    one_of,
)
from worker.store.db.pg_arrays import given, lists, unnested
from worker.store.schema.tables import (
    message,
    recipient,
    request,
    submission,
)
from worker.store.submission_messages import SubmissionMessage

#: Whose limits count a call, and the number: a row's key.
Key = tuple[str, str]
#: Numbers named in one statement.
MANY = 1000


@dataclass(frozen=True, slots=True)
class Locked:
    """Rows that nobody else may change before the transaction ends."""

    #: The database's time in milliseconds, not later than the locks.
    at: int
    calls: dict[Key, list[CountedCall]]


def lock(connection: Connection, keys: Collection[Key], *, make: bool) -> Locked:
    """Lock the rows of numbers, in their order; with `make` those that are missing are made."""
    wanted = sorted(keys)
    if make:
        _ensure(connection, wanted)
    found = _locked(connection, wanted)
    while make and len(found.calls) < len(wanted):
        # One that was there a moment ago has been forgotten.
        _ensure(connection, [key for key in wanted if key not in found.calls])
        found = _locked(connection, wanted)
    return found


@dataclass(frozen=True, slots=True)
class First:
    """A call of a submission, and for how many milliseconds it may count at the most."""

    submission: int
    longest: int


def first(connection: Connection, calls: Mapping[Key, First], patience: int) -> set[Key]:
    """Enter calls to numbers of which nothing is known, in one statement; return whose they are.

    The others are locked and looked at. Only PostgreSQL can: elsewhere all are.
    """
    if not calls or connection.dialect.name != "postgresql":
        return set()
    rows = [
        {"account": key[0], "msisdn": key[1], "one": call.submission, "keep": call.longest / 1000}
        for key, call in sorted(calls.items())
    ]
    made = connection.execute(_firsts(), lists(rows) | {"patience": patience})
    return {(row.account, row.msisdn) for row in made}


@cache
def _firsts() -> Insert:
    """Make the statement once: to make it costs as much as to run it."""
    whole = {"one": submission.c.id, "keep": Column("keep", Float)}
    each = given({name: recipient.c[name] for name in ("account", "msisdn")} | whole).c
    began = cast(func.floor(func.extract("epoch", now()) * 1000), BigInteger)
    until = began + bindparam("patience", type_=BigInteger)
    calls = func.json_build_array(func.json_build_array(each.one, began, until))
    made = select(each.account, each.msisdn, calls, later(each.keep))
    return (
        postgresql.insert(recipient)
        .from_select(["account", "msisdn", "calls", "forget_at"], made)
        .on_conflict_do_nothing()
        .returning(recipient.c.account, recipient.c.msisdn)
    )


def over(connection: Connection, calls: Mapping[Key, int]) -> set[Key]:
    """Note that calls of submissions are over now, in one statement; return whose that was done of.

    The others are locked and looked at. Only PostgreSQL can: elsewhere all are.
    """
    if not calls or connection.dialect.name != "postgresql":
        return set()
    rows = [{"account": key[0], "msisdn": key[1], "one": one} for key, one in sorted(calls.items())]
    connection.execute(_over(), lists(rows))
    return set(calls)


@cache
def _over() -> Update:
    """Make the statement once: to make it costs as much as to run it."""
    like = {name: recipient.c[name] for name in ("account", "msisdn")} | {"one": submission.c.id}
    each = given(like).c
    call: Any = func.json_array_elements(recipient.c.calls, type_=JSON()).column_valued("call")
    whose, until = (cast(call.op("->>")(nth), BigInteger) for nth in (0, 2))
    # Rounded up: the moment was rounded down.
    then = cast(func.floor(func.extract("epoch", now()) * 1000), BigInteger) + 1
    ended = func.json_build_array(call.op("->")(0), call.op("->")(1), func.least(until, then))
    after = func.json_agg(case((whose == each.one, ended), else_=call))
    found = select(func.coalesce(after, cast("[]", JSON())))
    return (
        update(recipient)
        .where(recipient.c.account == each.account, recipient.c.msisdn == each.msisdn)
        .values(calls=found.correlate(recipient, each.one.table).scalar_subquery())
    )


def _ensure(connection: Connection, keys: Sequence[Key]) -> None:
    """Make the rows that are missing; with no call yet they may be forgotten at once."""
    rows = [(key, (), 0) for key in keys]
    _insert(connection, insert_unless_there(connection, recipient), rows)


def _insert(
    connection: Connection, statement: Any, rows: Iterable[tuple[Key, Sequence[CountedCall], int]]
) -> None:
    """Insert rows in their order: in one statement where the database can."""
    values = [
        {
            "account": key[0],
            "msisdn": key[1],
            "calls": [list(call) for call in calls],
            "forget_at": datetime.fromtimestamp(then / 1000, UTC),
        }
        for key, calls, then in rows
    ]
    if values and connection.dialect.name == "postgresql":
        each = given({name: recipient.c[name] for name in values[0]})
        connection.execute(statement.from_select(list(values[0]), select(each)), lists(values))
    elif values:
        connection.execute(statement, values)


def _locked(connection: Connection, keys: Sequence[Key]) -> Locked:
    calls: dict[Key, list[CountedCall]] = {}
    at: int | None = None
    for account, numbers in _parts(keys):
        rows = connection.execute(_locking(connection, account, numbers)).all()
        calls |= {(account, row.msisdn): [CountedCall(*call) for call in row.calls] for row in rows}
        if rows:
            at = milliseconds(rows[0].at) if at is None else at
    return Locked(at or 0, calls)


def _locking(connection: Connection, account: str, numbers: Sequence[str]) -> Select[Any]:
    """Select rows for update in their order, each looked up by its whole key.

    PostgreSQL would read all rows of an account whose statistics it does not know yet.
    """
    wanted = [recipient.c.msisdn, recipient.c.calls]
    of_account = recipient.c.account == account
    if connection.dialect.name != "postgresql":
        these = select(*wanted, now().label("at")).where(of_account, wanted[0].in_(numbers))
        return these.order_by(wanted[0]).with_for_update()
    each = unnested([{"msisdn": one} for one in numbers], msisdn=wanted[0])
    mine = select(*wanted).where(of_account, wanted[0] == each.c.msisdn)
    row = mine.with_for_update().lateral("locked")
    return select(row.c.msisdn, row.c.calls, now().label("at")).select_from(each.join(row, true()))


def _parts(keys: Sequence[Key]) -> Iterator[tuple[str, list[str]]]:
    """Cut sorted keys into lists of numbers of one account."""
    by_account: dict[str, list[str]] = {}
    for account, number in keys:
        by_account.setdefault(account, []).append(number)
    for account, numbers in by_account.items():
        for first in range(0, len(numbers), MANY):
            yield account, numbers[first : first + MANY]


def write(connection: Connection, rows: Mapping[Key, tuple[Sequence[CountedCall], int]]) -> None:
    """Write down the calls of locked rows, and when (in milliseconds) to forget them."""
    _insert(
        connection,
        insert_or_update(connection, recipient, "calls", "forget_at"),
        [(key, calls, then) for key, (calls, then) in sorted(rows.items())],
    )


def numbers_of(connection: Connection, ids: Collection[int]) -> dict[int, Sequence[str]]:
    """Return the numbers that submissions carried, whatever became of the messages.

    Those that were sent once more since are among them.
    """
    again = submission.alias("again")
    in_range = and_(
        message.c.request_id == submission.c.request_id,
        message.c.n >= submission.c.lo,
        message.c.n < submission.c.hi,
        message.c.submission_id.is_(None),
    )
    those = [submission.c.id, message.c.msisdn]
    thirds = [
        select(*those).join(message, in_range).where(submission.c.lo.is_not(None)),
        select(*those).join(message, message.c.submission_id == submission.c.id),
        select(*those)
        .join(again, again.c.resend_of == submission.c.id)
        .join(message, message.c.submission_id == again.c.id),
    ]
    here = submission.c.id.in_(list(ids))
    found: dict[int, list[str]] = {}
    for one, msisdn in connection.execute(union_all(*(each.where(here) for each in thirds))):
        found.setdefault(one, []).append(msisdn)
    return dict(found)


def valid_for(connection: Connection, request_ids: Collection[int]) -> dict[int, int]:
    """Return for how many milliseconds requests are valid still; those without end left out."""
    rows = connection.execute(
        select(request.c.id, request.c.not_after, now().label("at")).where(
            request.c.id.in_(list(request_ids)), request.c.not_after.is_not(None)
        )
    )
    return {row.id: milliseconds(row.not_after) - milliseconds(row.at) for row in rows}


def put_back(connection: Connection, one: Lease, seconds: float, code: str) -> None:
    """Let a whole submission wait for its recipients, in the transaction that wrote it ahead.

    As if it had not been: `in_flight` → `planned`, and no attempt is counted.
    """
    connection.execute(
        update(submission)
        .where(
            submission.c.id == one.id,
            submission.c.fence == one.fence,
            submission.c.state == S.IN_FLIGHT.value,
        )
        .values(
            state=S.PLANNED.value,
            next_at=later(seconds),
            lease_until=None,
            code=code,
            attempts=one.attempts - 1,
            called_at=None,
        )
    )


def part(
    connection: Connection,
    one: Lease,
    members: Sequence[SubmissionMessage],
    seconds: float,
    code: str,
) -> int:
    """Plan some of a lease's messages as a submission of their own, and return its id."""
    its_own = select(submission.c.not_after).where(submission.c.id == one.id)
    planning = insert(submission).values(
        account=one.account,
        message_class=one.message_class.value,
        state=S.PLANNED.value,
        request_id=one.request_id,
        size=len(members),
        attempts=one.attempts - 1,
        code=code,
        parent_id=one.id,
        resend_of=one.resend_of,
        next_at=later(seconds),
        not_after=its_own.scalar_subquery(),
        created_at=now(),
    )
    made = new_id(connection.execute(planning))
    connection.execute(
        update(message)
        .where(message.c.request_id == bindparam("of"), message.c.n == bindparam("nth"))
        .values(submission_id=made),
        [{"of": each.request_id, "nth": each.n} for each in members],
    )
    return made


def forget(connection: Connection, limit: int) -> int:
    """Remove up to `limit` rows of which no call counts any more; returns how many."""
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
    for account, numbers in _parts(sorted(keys)):
        connection.execute(
            delete(recipient).where(
                recipient.c.account == account, one_of(connection, recipient.c.msisdn, numbers)
            )
        )
    return len(keys)
