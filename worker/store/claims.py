"""Submissions up to their call: planned, and written ahead; guarded by state and fence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Float,
    Insert,
    Integer,
    Select,
    and_,
    any_,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)

from worker.domain.enums import CampaignState, MessageClass
from worker.domain.enums import SubmissionState as S
from worker.gateways.base import Content
from worker.store.db.clock import later, now
from worker.store.db.dialects import new_id, one_of
from worker.store.db.pg_arrays import given, handed, lists
from worker.store.requests import content_of, finish
from worker.store.schema.tables import (
    campaign,
    message,
    request,
    submission,
)


@dataclass(frozen=True, slots=True)
class Lease:
    """A submission that is in flight: the right to call, until its time, under its fence.

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
    #: Tries that count, this one included.
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
    #: The one message of a fresh single, where it was read with the claim; () when it has ended.
    alone: "tuple[SingleMessage, ...] | None" = None

    @property
    def plain(self) -> bool:
        """Whether numbers are all that differs in what it carries, which is a fresh range."""
        return self.fresh and self.size > 1 and not self.personal


class SingleMessage(NamedTuple):
    """What a single message is sent to, and its own values."""

    msisdn: str
    variables: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class PlannedSubmission:
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
_waiting = (
    submission.c.message_class == bindparam("of"),
    submission.c.state == S.PLANNED.value,
    submission.c.next_at <= now(),
    ~stopped,
)
#: Whether `planned` would find anything for the class `of`.
anything_planned = exists().where(*_waiting)
_planned_ones = (
    select(submission)
    .where(*_waiting)
    .order_by(submission.c.next_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)


def planned(
    connection: Connection, message_class: MessageClass, limit: int
) -> list[PlannedSubmission]:
    """Lock up to `limit` submissions whose time has come, the longest waiting first."""
    rows = connection.execute(_planned_ones, {"of": message_class.value, "most": limit}).all()
    wanted = {row.request_id for row in rows}
    found = connection.execute(select(request).where(request.c.id.in_(wanted))) if rows else ()
    requests = {row.id: row for row in found}
    return [_planned(row, requests[row.request_id]) for row in rows]


def _planned(row: Any, its_request: Any) -> PlannedSubmission:
    return PlannedSubmission(
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
    waiting: PlannedSubmission,
    account: str,
    segments: int,
    reference: str,
    *,
    seconds: float,
    owner: str,
) -> Lease | None:
    """Write a planned submission ahead: `planned` → `in_flight`, fence + 1; None if another has it.

    Once this is committed, what becomes of its messages is unknown until it is proven.
    """
    taken = connection.execute(
        update(submission)
        .where(
            submission.c.id == waiting.id,
            submission.c.state == S.PLANNED.value,
            submission.c.fence == waiting.fence,
        )
        .values(
            state=S.IN_FLIGHT.value,
            fence=waiting.fence + 1,
            account=account,
            segments=segments,
            reference=reference or None,
            lease_until=later(seconds),
            owner=owner,
            attempts=waiting.attempts + 1,
            called_at=now(),
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
        waiting.attempts + 1,
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
    """Insert submissions for fresh ranges of requests: written ahead from the start, as by `lease`.

    Of each: the segments of one message, and until when its request is valid. The leases come in
    with id 0 and go out with their own, in the same order.
    """
    rows = _rows(new, segments, until, owner)
    made = _inserted(connection, rows, seconds)
    return [replace(one, id=its) for one, its in zip(new, made, strict=True)]


def open_singles(
    connection: Connection,
    new: Sequence[Lease],
    *,
    segments: Sequence[int],
    until: Sequence[datetime | None],
    seconds: float,
    owner: str,
) -> list[Lease]:
    """Do as `open_range` does for the last messages of requests, and hand these out.

    On PostgreSQL the messages are read with it, all in one statement.
    """
    if connection.dialect.name != "postgresql":
        finish(connection, [one.request_id for one in new])
        return open_range(
            connection, new, segments=segments, until=until, seconds=seconds, owner=owner
        )
    rows = _rows(new, segments, until, owner)
    made = connection.execute(_singles(tuple(rows[0])), lists(rows) | {"seconds": seconds})
    found = {row.request_id: row for row in made}
    return [_single(one, found[one.request_id]) for one in new]


def _single(one: Lease, row: Any) -> Lease:
    alone = SingleMessage(row.msisdn, dict(row.variables) if row.variables else None)
    return replace(one, id=row.id, alone=() if row.msisdn is None else (alone,))


@cache
def _singles(names: tuple[str, ...]) -> Select[Any]:
    """Make the statement once, for any number of rows."""
    their_own = handed("request_id", request.c.id)
    handed_out = (
        update(request)
        .where(request.c.id == any_(their_own))
        .values(next_n=request.c.total, next_at=None)
    )
    made = _insertion(names).cte("made")
    carried = and_(
        message.c.request_id == made.c.request_id,
        message.c.n == made.c.lo,
        message.c.state.is_(None),
        message.c.submission_id.is_(None),
    )
    return (
        select(made.c.id, made.c.request_id, message.c.msisdn, message.c.variables)
        .select_from(made.outerjoin(message, carried))
        .add_cte(handed_out.cte("handed_out"))
    )


def _rows(
    new: Sequence[Lease], segments: Sequence[int], until: Sequence[datetime | None], owner: str
) -> list[dict[str, Any]]:
    return [
        {
            "account": one.account,
            "message_class": one.message_class.value,
            "state": S.IN_FLIGHT.value,
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


def _inserted(connection: Connection, rows: list[dict[str, Any]], seconds: float) -> list[int]:
    """Insert rows and return their ids in order; one statement where the database can."""
    if connection.dialect.name == "postgresql":
        return _inserted_at_once(connection, rows, seconds)
    clock = {"lease_until": later(seconds), "created_at": now(), "called_at": now()}
    statement = insert(submission).values(clock)
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
    values = select(*each.c, later(bindparam("seconds", type_=Float)), now(), now())
    columns = [*names, "lease_until", "created_at", "called_at"]
    into = insert(submission).from_select(columns, values)
    return into.returning(submission.c.id, submission.c.request_id, submission.c.lo)


def resize(connection: Connection, sizes: Mapping[int, tuple[int, int]]) -> None:
    """Write down how many messages submissions carry, and of how many segments each.

    For those of which some were left out, or whose text is their recipient's own.
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
    """Count the submissions that are in flight, by account."""
    rows = connection.execute(
        select(submission.c.account, func.count())
        .where(submission.c.lease_until.is_not(None))
        .group_by(submission.c.account)
    )
    return {row[0]: row[1] for row in rows}
