"""Submissions that are parted: their messages go on in several that continue them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, tuple_, update

from worker.domain.enums import Outcome
from worker.domain.enums import SubmissionState as S
from worker.gateways.results import Result
from worker.store import submission_messages
from worker.store.claims import Lease, PlannedSubmission
from worker.store.db.clock import now
from worker.store.db.dialects import new_id
from worker.store.schema.tables import (
    event,
    message,
    request,
    submission,
)

#: Messages named in one statement.
MANY = 400

#: A message: its request and its number there.
One = tuple[int, int]


class SplitPart(NamedTuple):
    """A submission that was planned for a part; `lo` and `hi` are None when messages name it."""

    id: int
    lo: int | None
    hi: int | None
    size: int


class Parked(NamedTuple):
    """A submission that waits for a person, and what it was refused with."""

    id: int
    account: str
    size: int
    code: str


def carried(connection: Connection, one: int) -> list[One]:
    """Return the messages that a submission carries, in order."""
    return [(each.request_id, each.n) for each in submission_messages.of(connection, [one], ())]


def part(
    connection: Connection,
    parent: Lease | PlannedSubmission,
    parts: Sequence[Sequence[One]],
    tries: int,
) -> list[SplitPart]:
    """Plan a submission for each part of what another carried, due now, and return them.

    A range is parted into ranges, in order; where messages name their submission, they name the new
    one. `tries` is how many tries they have behind them.
    """
    named = parent.lo is None or _named(connection, parent.id)
    made = []
    for nth, some in enumerate(parts):
        lo = hi = None
        if not named:
            lo = parent.lo if nth == 0 else some[0][1]
            hi = parent.hi if nth == len(parts) - 1 else parts[nth + 1][0][1]
        one = _planned(connection, parent, lo, hi, len(some), tries)
        made.append(SplitPart(one, lo, hi, len(some)))
        if named:
            _name(connection, some, one)
    return made


def _named(connection: Connection, one: int) -> bool:
    there = select(message.c.n).where(message.c.submission_id == one).limit(1)
    return connection.execute(there).first() is not None


def _planned(
    connection: Connection,
    parent: Lease | PlannedSubmission,
    lo: int | None,
    hi: int | None,
    size: int,
    tries: int,
) -> int:
    planning = insert(submission).values(
        account=parent.account,
        message_class=parent.message_class.value,
        state=S.PLANNED.value,
        request_id=parent.request_id,
        lo=lo,
        hi=hi,
        size=size,
        attempts=tries,
        parent_id=parent.id,
        # What it sends once more may have been proven not taken meanwhile.
        resend_of=_resend_of(connection, parent),
        next_at=now(),
        not_after=select(request.c.not_after)
        .where(request.c.id == parent.request_id)
        .scalar_subquery(),
        created_at=now(),
    )
    return new_id(connection.execute(planning))


def _resend_of(connection: Connection, parent: Lease | PlannedSubmission) -> int | None:
    if parent.resend_of is None:
        return None
    its_own = select(submission.c.resend_of).where(submission.c.id == parent.id)
    return connection.execute(its_own).scalar()


def _name(connection: Connection, some: Sequence[One], one: int) -> None:
    for first in range(0, len(some), MANY):
        connection.execute(
            update(message)
            .where(
                tuple_(message.c.request_id, message.c.n).in_(list(some[first : first + MANY])),
                message.c.state.is_(None),
            )
            .values(submission_id=one)
        )


def break_off(
    connection: Connection, lease: Lease, some: Sequence[One], state: S, result: Result
) -> Lease:
    """Give messages of a submission that has ended one of their own, as if it had been called so.

    They name it; it has the lease's fence, and ended as the gateway told of them.
    """
    row = connection.execute(select(submission).where(submission.c.id == lease.id)).mappings().one()
    values = {column.key: row[column] for column in submission.c if column.key != "id"}
    values |= {
        "lo": None,
        "hi": None,
        "size": len(some),
        "parent_id": lease.id,
        "state": state.value,
        "outcome": result.outcome.value,
        "code": result.code[:64] or None,
        "words": result.words[:200] or None,
        "gateway_id": result.gateway_id or row["gateway_id"],
    }
    made = new_id(connection.execute(insert(submission).values(values)))
    _name(connection, some, made)
    connection.execute(
        update(submission)
        .where(submission.c.id == lease.id)
        .values(size=submission.c.size - len(some))
    )
    return replace(lease, id=made, lo=None, hi=None, size=len(some))


def root(connection: Connection, one: int) -> int:
    """Return the first of the submissions that one continues."""
    while True:
        above = select(submission.c.parent_id).where(submission.c.id == one)
        parent = connection.execute(above).scalar()
        if parent is None:
            return one
        one = parent


def times(connection: Connection, of: int, name: str, since: str) -> int:
    """Count the events called `name` of a submission since the last one called `since`."""
    here = event.c.submission_id == of
    last = select(func.coalesce(func.max(event.c.id), 0)).where(here, event.c.name == since)
    later_on = event.c.id > last.scalar_subquery()
    query = select(func.count()).where(here, event.c.name == name, later_on)
    return int(connection.execute(query).scalar_one())


def park(connection: Connection, one: int, code: str) -> None:
    """Let a planned submission wait until a person lets it go on, or its validity ends."""
    connection.execute(
        update(submission)
        .where(submission.c.id == one, submission.c.state == S.PLANNED.value)
        .values(next_at=None, code=code[:64], outcome=Outcome.DEFERRED.value)
    )


_waits = (
    submission.c.state == S.PLANNED.value,
    submission.c.next_at.is_(None),
    submission.c.outcome == Outcome.DEFERRED.value,
)


def parked(connection: Connection) -> list[Parked]:
    """Return the submissions that wait for a person, the oldest first."""
    rows = connection.execute(
        select(submission.c.id, submission.c.account, submission.c.size, submission.c.code)
        .where(*_waits)
        .order_by(submission.c.id)
    )
    return [Parked(row.id, row.account, row.size, row.code or "") for row in rows]


def unpark(connection: Connection, one: int) -> bool:
    """Let a submission that waits for a person be claimed again; False when it does not wait."""
    done = connection.execute(
        update(submission)
        .where(submission.c.id == one, *_waits)
        .values(next_at=now(), outcome=None)
    )
    return done.rowcount == 1
