"""Submissions up to their call: planned, leased, written ahead; guarded by state and fence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Insert,
    Integer,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)

from worker.clock import later, now
from worker.gateway import Content
from worker.store.requests import content_of
from worker.store.rows import given, lists, new_id, one_of, pair_of
from worker.tables import campaign, request, submission
from worker.terms import CampaignState, MessageClass
from worker.terms import SubmissionState as S


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to submit, until its time, under its fence.

    `lo` and `hi` are None when the messages name the submission themselves.
    """

    id: int
    fence: int
    account: str
    message_class: MessageClass
    request_id: int
    lo: int | None
    hi: int | None
    size: int
    attempts: int
    content: Content
    reference: str
    #: The unknown submission whose messages it sends once more.
    resend_of: int | None = None
    #: The receipt of its place in Redis; "" where the database counts.
    permit: str = ""
    #: Whether its submission was made with it: no message names that yet.
    fresh: bool = False
    #: Whether its messages have values of their own.
    personal: bool = False
    #: Whether it has the right to ask a doubtful account, which waits for its answer.
    probe: bool = False

    @property
    def plain(self) -> bool:
        """Whether numbers are all that differs in what it carries, which is a fresh range."""
        return self.fresh and self.size > 1 and not self.personal


@dataclass(frozen=True, slots=True)
class Planned:
    """A submission that waits, with what is needed to choose its account anew."""

    id: int
    fence: int
    account: str
    named: str | None
    message_class: MessageClass
    request_id: int
    lo: int | None
    hi: int | None
    size: int
    attempts: int
    content: Content
    kinds: str
    #: The unknown submission whose messages it sends once more.
    resend_of: int | None


#: What comes back while its campaign is paused waits until it is resumed.
stopped = exists().where(
    campaign.c.request_id == submission.c.request_id,
    # A campaign that is done has nothing left but doubts; when one ends, its messages go on.
    campaign.c.state.not_in([CampaignState.RUNNING.value, CampaignState.DONE.value]),
)


# Statements of each claim are made once.
_planned_ones = (
    select(submission)
    .where(
        submission.c.message_class == bindparam("of"),
        submission.c.state == S.PLANNED.value,
        submission.c.next_at <= now(),
        ~stopped,
    )
    .order_by(submission.c.next_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)


def planned(connection: Connection, message_class: MessageClass, limit: int) -> list[Planned]:
    """Lock up to `limit` submissions whose time has come, the longest waiting first."""
    rows = connection.execute(_planned_ones, {"of": message_class.value, "most": limit}).all()
    wanted = {row.request_id for row in rows}
    found = connection.execute(select(request).where(request.c.id.in_(wanted))) if rows else ()
    requests = {row.id: row for row in found}
    return [_planned(row, requests[row.request_id]) for row in rows]


def _planned(row: Any, its_request: Any) -> Planned:
    return Planned(
        row.id,
        row.fence,
        row.account,
        its_request.account,
        MessageClass(row.message_class),
        row.request_id,
        row.lo,
        row.hi,
        row.size,
        row.attempts,
        content_of(its_request),
        its_request.kinds,
        row.resend_of,
    )


def lease(
    connection: Connection,
    waiting: Planned,
    account: str,
    segments: int,
    reference: str,
    *,
    seconds: float,
    owner: str,
) -> Lease | None:
    """Take a planned submission: `planned` → `leased`, fence + 1; None when another has it."""
    taken = connection.execute(
        update(submission)
        .where(
            submission.c.id == waiting.id,
            submission.c.state == S.PLANNED.value,
            submission.c.fence == waiting.fence,
        )
        .values(
            state=S.LEASED.value,
            fence=waiting.fence + 1,
            account=account,
            segments=segments,
            reference=reference or None,
            lease_until=later(seconds),
            owner=owner,
        )
    )
    if taken.rowcount != 1:
        return None
    return Lease(
        waiting.id,
        waiting.fence + 1,
        account,
        waiting.message_class,
        waiting.request_id,
        waiting.lo,
        waiting.hi,
        waiting.size,
        waiting.attempts,
        waiting.content,
        reference,
        waiting.resend_of,
    )


def open_range(
    connection: Connection,
    new: Sequence[Lease],
    *,
    segments: Sequence[int],
    until: Sequence[datetime | None],
    seconds: float,
    owner: str,
) -> list[Lease]:
    """Insert submissions for fresh ranges of requests, leased from the start.

    Of each: the segments of one message, and until when its request is valid. The leases come in
    with id 0 and go out with their own, in the same order.
    """
    rows = [
        {
            "account": one.account,
            "message_class": one.message_class.value,
            "state": S.LEASED.value,
            "request_id": one.request_id,
            "lo": one.lo,
            "hi": one.hi,
            "size": one.size,
            "segments": each,
            "fence": one.fence,
            "owner": owner,
            "attempts": one.attempts,
            "reference": one.reference or None,
            "not_after": valid,
        }
        for one, each, valid in zip(new, segments, until, strict=True)
    ]
    made = _inserted(connection, rows, seconds)
    return [replace(one, id=its) for one, its in zip(new, made, strict=True)]


def _inserted(connection: Connection, rows: list[dict[str, Any]], seconds: float) -> list[int]:
    """Insert rows and return their ids in order; one statement where the database can."""
    if connection.dialect.name == "postgresql":
        return _inserted_at_once(connection, rows, seconds)
    statement = insert(submission).values(lease_until=later(seconds), created_at=now())
    if connection.dialect.insert_executemany_returning_sort_by_parameter_order:
        made = connection.execute(
            statement.returning(submission.c.id, sort_by_parameter_order=True), rows
        )
        return list(made.scalars())
    return [new_id(connection.execute(statement.values(**row))) for row in rows]


def _inserted_at_once(
    connection: Connection, rows: list[dict[str, Any]], seconds: float
) -> list[int]:
    made = connection.execute(_insertion(tuple(rows[0])), lists(rows) | {"seconds": seconds})
    ids = {(row.request_id, row.lo): row.id for row in made}
    return [ids[one["request_id"], one["lo"]] for one in rows]


@cache
def _insertion(names: tuple[str, ...]) -> Insert:
    """Make the statement once, for any number of rows."""
    each = given({name: submission.c[name] for name in names})
    values = select(*each.c, later(bindparam("seconds", type_=Float)), now())
    columns = [*names, "lease_until", "created_at"]
    into = insert(submission).from_select(columns, values)
    return into.returning(submission.c.id, submission.c.request_id, submission.c.lo)


def _held(connection: Connection, leases: Sequence[Lease]) -> ColumnElement[bool]:
    """Say that a submission is one of these leases', under its fence."""
    fences = [(one.id, one.fence) for one in leases]
    return pair_of(connection, submission.c.id, submission.c.fence, fences)


def write_ahead(connection: Connection, leases: Sequence[Lease], *, seconds: float) -> set[int]:
    """Put leased submissions in flight: `leased` → `in_flight`, guarded by fence and lease.

    Returns the ids of those that are. Once this is committed, what becomes of their messages is
    unknown until it is proven.
    """
    put = (
        update(submission)
        .where(
            _held(connection, leases),
            submission.c.state == S.LEASED.value,
            submission.c.lease_until > now(),
        )
        .values(
            state=S.IN_FLIGHT.value,
            attempts=submission.c.attempts + 1,
            called_at=now(),
            lease_until=later(seconds),
        )
    )
    if connection.dialect.update_returning:
        return set(connection.execute(put.returning(submission.c.id)).scalars())
    connection.execute(put)
    return in_flight(connection, leases)


def still_leased(connection: Connection, leases: Sequence[Lease]) -> set[int]:
    """Lock leased submissions and return which of them are held still, by fence and time."""
    rows = connection.execute(
        select(submission.c.id)
        .where(
            _held(connection, leases),
            submission.c.state == S.LEASED.value,
            submission.c.lease_until > now(),
        )
        .order_by(submission.c.id)
        .with_for_update()
    )
    return set(rows.scalars())


def resize(connection: Connection, sizes: Mapping[int, tuple[int, int]]) -> None:
    """Write down how many messages submissions carry, and of how many segments each.

    For those of which the write-ahead left some out, or whose text is their recipient's own.
    """
    if sizes:
        connection.execute(
            update(submission)
            .where(submission.c.id == bindparam("one"))
            .values(size=bindparam("count"), segments=bindparam("parts")),
            [{"one": one, "count": size, "parts": parts} for one, (size, parts) in sizes.items()],
        )


def postpone(connection: Connection, submission_id: int, wait: float) -> None:
    """Let a planned submission wait, because no account can take it now."""
    connection.execute(
        update(submission)
        .where(submission.c.id == submission_id, submission.c.state == S.PLANNED.value)
        .values(next_at=later(wait))
    )


def in_flight(connection: Connection, leases: Sequence[Lease]) -> set[int]:
    """Return which of these leases' submissions are in flight under their fence."""
    fences = {one.id: one.fence for one in leases}
    rows = connection.execute(
        select(submission.c.id, submission.c.fence).where(
            one_of(connection, submission.c.id, fences), submission.c.state == S.IN_FLIGHT.value
        )
    )
    return {row.id for row in rows if fences[row.id] == row.fence}


def under_way(connection: Connection) -> dict[str, int]:
    """Count the submissions that are leased or in flight, by account."""
    rows = connection.execute(
        select(submission.c.account, func.count())
        .where(submission.c.lease_until.is_not(None))
        .group_by(submission.c.account)
    )
    return {row[0]: row[1] for row in rows}
