"""Reports of gateways: kept once, and the messages that they belong to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    or_,
    select,
    true,
    update,
)

from worker.domain.enums import SubmissionState
from worker.store import deduplication
from worker.store.db.clock import later
from worker.store.db.dialects import by_index, one_of
from worker.store.db.pg_arrays import among, unnested
from worker.store.restored_backup import RESTORED
from worker.store.schema.tables import message, report, submission

#: A report without a message is tried at every turn for so many seconds, then at one of so many.
LATELY = 600.0
TURNS = 120
#: With more numbers than this wanted of a submission its whole range is read.
FEW = 200


def add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Store reports that are new (by account and digest); returns their ids by their digests."""
    return deduplication.add_new(connection, report, "received_at", rows)


def correct(
    connection: Connection, inbox_id: int, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    """Correct reports that an earlier reading stored otherwise, as `once.correct` does."""
    return deduplication.correct(connection, report, inbox_id, rows)


def unmatched(
    connection: Connection, limit: int, seconds: float, after: int, turn: int
) -> list[Row[Any]]:
    """Return reports younger than `seconds` whose message was not found, with ids past `after`.

    Those that came lately, and of the older ones the part whose `turn` it is: they are strangers
    mostly, and each of them comes up once in `TURNS`.
    """
    lately = report.c.received_at >= later(-LATELY)
    rows = connection.execute(
        select(report)
        .where(
            report.c.request_id.is_(None),
            report.c.received_at >= later(-seconds),
            or_(lately, report.c.id % TURNS == turn % TURNS),
            report.c.id > after,
        )
        .order_by(report.c.id)
        .limit(limit)
    )
    return list(rows)


@dataclass(frozen=True, slots=True)
class Origin:
    """A submission that a report may belong to."""

    id: int
    fence: int
    account: str
    state: SubmissionState
    request_id: int
    lo: int | None
    hi: int | None
    segments: int
    reference: str | None
    gateway_id: str | None
    called_at: datetime | None
    #: Whether it stands for calls that a restored backup forgot: what is true of one of its
    #: messages need not be true of the others.
    restored: bool


def origins(
    connection: Connection,
    accounts: Collection[str],
    references: Collection[str],
    ids: Collection[str],
) -> list[Origin]:
    """Return the submissions of accounts with one of our references or of the gateway's ids."""
    rows = connection.execute(
        select(submission).where(
            submission.c.account.in_(list(accounts)),
            or_(
                submission.c.reference.in_(list(references)),
                submission.c.gateway_id.in_(list(ids)),
            ),
        )
    )
    return [_origin(row) for row in rows]


def adoptable(
    connection: Connection, accounts: Collection[str], seconds: float, limit: int
) -> list[Origin]:
    """Return the newest submissions of accounts whose id at the gateway we never learned.

    Those that are unknown, or were accepted without an id, not more than `seconds` ago.
    """
    rows = connection.execute(
        select(submission)
        .where(
            submission.c.account.in_(list(accounts)),
            submission.c.state.in_([SubmissionState.UNKNOWN.value, SubmissionState.ACCEPTED.value]),
            submission.c.gateway_id.is_(None),
            submission.c.called_at >= later(-seconds),
        )
        .order_by(submission.c.id.desc())
        .limit(limit)
    )
    return [_origin(row) for row in rows]


def adopt(connection: Connection, one: int, gateway_id: str) -> None:
    """Write down the id that a gateway gave to a submission, learned from its reports."""
    connection.execute(
        update(submission)
        .where(submission.c.id == one, submission.c.gateway_id.is_(None))
        .values(gateway_id=gateway_id)
    )


def _origin(row: Any) -> Origin:
    return Origin(
        row.id,
        row.fence,
        row.account,
        SubmissionState(row.state),
        row.request_id,
        row.lo,
        row.hi,
        row.segments,
        row.reference,
        row.gateway_id,
        row.called_at,
        row.code == RESTORED,
    )


def numbers_of(
    connection: Connection, origin: Origin, msisdns: Collection[str] | None
) -> list[Row[Any]]:
    """Return request, n, number and own state of an origin's messages: all, or some numbers."""
    # A message that was sent once more still belongs to the first submission's reports.
    again = select(submission.c.id).where(submission.c.resend_of == origin.id)
    named = [origin.id, *connection.execute(again).scalars()]
    # Each by an index of its own: together they would be looked for in the whole table.
    carried: list[Any] = [message.c.submission_id.in_(named)]
    if origin.lo is not None:
        in_range = and_(
            message.c.request_id == origin.request_id,
            message.c.n >= origin.lo,
            message.c.n < origin.hi,
            message.c.submission_id.is_(None),
        )
        carried.append(in_range)
    query: Any = select(message.c.request_id, message.c.n, message.c.msisdn, message.c.state)
    if msisdns is not None:
        query = query.where(one_of(connection, message.c.msisdn, msisdns))
    return [row for which in carried for row in connection.execute(query.where(which))]


class Place(NamedTuple):
    """The message that a number of a submission means."""

    request_id: int
    n: int


def places(
    connection: Connection, wanted: Mapping[Origin, Collection[str]]
) -> dict[tuple[int, str], Place]:
    """Return the messages that numbers have in submissions, by the submission's id and the number.

    On PostgreSQL they are all looked up where they are stored, in two statements.
    """
    if connection.dialect.name != "postgresql":
        return {
            (origin.id, row.msisdn): Place(row.request_id, row.n)
            for origin, numbers in wanted.items()
            for row in numbers_of(connection, origin, numbers if len(numbers) <= FEW else None)
        }
    ranged = [
        {"one": one.id, "of": one.request_id, "lo": one.lo, "hi": one.hi}
        for one in wanted
        if one.lo is not None
    ]
    asked = [{"one": one.id, "msisdn": each} for one, some in wanted.items() for each in some]
    with by_index(connection):
        rows = list(connection.execute(_by_name(wanted, asked)))
    if ranged:
        rows += connection.execute(_in_ranges(ranged, asked))
    return {(one, msisdn): Place(request_id, n) for one, msisdn, request_id, n in rows}


def _in_ranges(ranged: Sequence[Mapping[str, Any]], asked: Sequence[Mapping[str, Any]]) -> Any:
    own = submission.c
    origin = unnested(ranged, one=own.id, of=own.request_id, lo=own.lo, hi=own.hi).c
    number = unnested(asked, one=own.id, msisdn=message.c.msisdn).c
    # By its range alone: which numbers are in it is told afterwards, for all of them at once.
    its_own = (
        select(message.c.request_id, message.c.n, message.c.msisdn)
        .where(
            message.c.request_id == origin.of,
            message.c.n >= origin.lo,
            message.c.n < origin.hi,
            message.c.submission_id.is_(None),
        )
        .offset(0)
        .lateral("its_own")
    )
    meant = and_(number.one == origin.one, number.msisdn == its_own.c.msisdn)
    return (
        select(origin.one, its_own.c.msisdn, its_own.c.request_id, its_own.c.n)
        .join_from(origin.one.table, its_own, true())
        .join(number.one.table, meant)
    )


def _by_name(wanted: Collection[Origin], asked: Sequence[Mapping[str, Any]]) -> Any:
    ids = [one.id for one in wanted]
    # A message that was sent once more still belongs to the first submission's reports.
    own = submission.c
    carrier = select(own.id, own.id.label("one")).where(among(own.id, ids))
    again = select(own.id, own.resend_of).where(among(own.resend_of, ids))
    carriers = carrier.union_all(again).subquery().c
    number = unnested(asked, one=submission.c.id, msisdn=message.c.msisdn).c
    return (
        select(carriers.one, message.c.msisdn, message.c.request_id, message.c.n)
        .join_from(carriers.id.table, message, message.c.submission_id == carriers.id)
        .join(
            number.one.table,
            and_(number.one == carriers.one, number.msisdn == message.c.msisdn),
        )
    )


def match(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write down which messages reports belong to: each row has `one`, `of` and `nth`."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        each = unnested(rows, one=report.c.id, of=report.c.request_id, nth=report.c.n)
        matching = update(report).where(report.c.id == each.c.one)
        connection.execute(matching.values(request_id=each.c.of, n=each.c.nth))
        return
    connection.execute(
        update(report)
        .where(report.c.id == bindparam("one"))
        .values(request_id=bindparam("of"), n=bindparam("nth")),
        list(rows),
    )


def reports_of(connection: Connection, request_id: int, n: int) -> list[Row[Any]]:
    """Return all reports of a message, in the order in which they came."""
    query = select(report).where(report.c.request_id == request_id, report.c.n == n)
    return list(connection.execute(query.order_by(report.c.id)))
