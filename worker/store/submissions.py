"""Submissions: planned, leased, written ahead, recorded; each write guarded by state and fence."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from worker.answers import Result
from worker.clock import later, now
from worker.gateway import Content
from worker.store.requests import content_of
from worker.store.rows import new_id
from worker.tables import campaign, message, opt_out, request, submission
from worker.terms import CampaignState, MessageClass, MessageState, Outcome
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


@dataclass(frozen=True, slots=True)
class Member:
    """One message of a submission; `state` is the end that it has to take instead of being sent."""

    submission_id: int
    request_id: int
    n: int
    msisdn: str
    variables: Mapping[str, str] | None
    state: MessageState | None


#: What comes back while its campaign is paused waits until it is resumed.
_stopped = exists().where(
    campaign.c.request_id == submission.c.request_id,
    campaign.c.state != CampaignState.RUNNING.value,
)


def planned(connection: Connection, message_class: MessageClass, limit: int) -> list[Planned]:
    """Lock up to `limit` submissions whose time has come, the longest waiting first."""
    rows = connection.execute(
        select(submission)
        .where(
            submission.c.message_class == message_class.value,
            submission.c.state == S.PLANNED.value,
            submission.c.next_at <= now(),
            ~_stopped,
        )
        .order_by(submission.c.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
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
    segments: int,
    seconds: float,
    owner: str,
) -> list[Lease]:
    """Insert submissions for fresh ranges of one request, leased from the start.

    The leases come in with id 0 and go out with their own, in the same order.
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
            "segments": segments,
            "fence": one.fence,
            "owner": owner,
            "attempts": one.attempts,
            "reference": one.reference or None,
        }
        for one in new
    ]
    values = {
        "lease_until": later(seconds),
        "created_at": now(),
        "not_after": select(request.c.not_after)
        .where(request.c.id == new[0].request_id)
        .scalar_subquery(),
    }
    return [
        replace(one, id=made)
        for one, made in zip(new, _inserted(connection, rows, values), strict=True)
    ]


def _inserted(
    connection: Connection, rows: list[dict[str, Any]], values: dict[str, Any]
) -> list[int]:
    """Insert rows and return their ids in order; one statement where the database can."""
    statement = insert(submission).values(**values)
    if connection.dialect.insert_executemany_returning_sort_by_parameter_order:
        made = connection.execute(
            statement.returning(submission.c.id, sort_by_parameter_order=True), rows
        )
        return list(made.scalars())
    return [new_id(connection.execute(statement.values(**row))) for row in rows]


def write_ahead(connection: Connection, leases: Sequence[Lease], *, seconds: float) -> set[int]:
    """Put leased submissions in flight: `leased` → `in_flight`, guarded by fence and lease.

    Returns the ids of those that are. Once this is committed, what becomes of their messages is
    unknown until it is proven.
    """
    connection.execute(
        update(submission)
        .where(
            tuple_(submission.c.id, submission.c.fence).in_(
                [(one.id, one.fence) for one in leases]
            ),
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
    return in_flight(connection, leases)


def members(
    connection: Connection, ids: Collection[int], opt_out_classes: Collection[str]
) -> list[Member]:
    """Return the messages that submissions carry, each with the end it must take, if any.

    An end is `expired` (past its validity) or `suppressed` (opted out, for the classes where
    opt-outs hold). A message that has a state of its own is carried by nobody.
    """
    by_range = and_(
        message.c.request_id == submission.c.request_id,
        message.c.n >= submission.c.lo,
        message.c.n < submission.c.hi,
        message.c.submission_id.is_(None),
    )
    by_name = message.c.submission_id == submission.c.id
    refused = and_(
        opt_out.c.msisdn == message.c.msisdn,
        submission.c.message_class.in_(list(opt_out_classes)),
    )
    columns = (
        submission.c.id.label("submission_id"),
        message.c.request_id,
        message.c.n,
        message.c.msisdn,
        message.c.variables,
        (submission.c.not_after <= now()).label("late"),
        opt_out.c.msisdn.is_not(None).label("refused"),
    )
    halves = [
        select(*columns)
        .select_from(submission)
        .join(message, how)
        .outerjoin(opt_out, refused)
        .where(submission.c.id.in_(list(ids)), message.c.state.is_(None), which)
        for how, which in (
            (by_range, submission.c.lo.is_not(None)),
            (by_name, literal(value=True)),
        )
    ]
    rows = [row for half in halves for row in connection.execute(half)]
    return [
        Member(
            row.submission_id,
            row.request_id,
            row.n,
            row.msisdn,
            dict(row.variables) if row.variables else None,
            _end(late=bool(row.late), refused=bool(row.refused)),
        )
        for row in sorted(rows, key=lambda row: (row.submission_id, row.request_id, row.n))
    ]


def _end(*, late: bool, refused: bool) -> MessageState | None:
    if late:
        return MessageState.EXPIRED
    return MessageState.SUPPRESSED if refused else None


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


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is written of one call."""

    lease: Lease
    state: S
    result: Result


@dataclass(frozen=True, slots=True)
class Sorted:
    """Calls by what their submissions are when their outcomes come in."""

    #: In flight under our fence: ours to write.
    ours: list[Recorded]
    #: Written by us before; the commit's answer was lost.
    written: list[Recorded]
    #: Settled by somebody else: these calls are evidence now, nothing else.
    late: list[Recorded]


def sort(connection: Connection, calls: Sequence[Recorded]) -> Sorted:
    """Lock the submissions of calls, and tell which outcomes may still be written."""
    rows = connection.execute(
        select(submission.c.id, submission.c.fence, submission.c.state)
        .where(submission.c.id.in_([call.lease.id for call in calls]))
        .order_by(submission.c.id)
        .with_for_update()
    )
    found = {row.id: (row.fence, row.state) for row in rows}
    sorted_calls = Sorted([], [], [])
    for call in calls:
        stands = found.get(call.lease.id)
        if stands == (call.lease.fence, S.IN_FLIGHT.value):
            sorted_calls.ours.append(call)
        elif stands == (call.lease.fence, call.state.value):
            sorted_calls.written.append(call)
        else:
            sorted_calls.late.append(call)
    return sorted_calls


def record(connection: Connection, calls: Sequence[Recorded]) -> None:
    """Write outcomes: `in_flight` → the state of each, guarded by its fence."""
    if not calls:
        return
    connection.execute(
        update(submission)
        .where(
            submission.c.id == bindparam("one"),
            submission.c.fence == bindparam("held"),
            submission.c.state == S.IN_FLIGHT.value,
        )
        .values(
            state=bindparam("becomes"),
            outcome=bindparam("outcome"),
            code=bindparam("code"),
            words=bindparam("words"),
            gateway_id=bindparam("gateway_id"),
            answered_at=now(),
            lease_until=None,
        ),
        [_facts(call) for call in calls],
    )


def settle(connection: Connection, call: Recorded) -> bool:
    """End a doubt by evidence: `unknown` → the state that the evidence shows, same fence."""
    facts = _facts(call)
    done = connection.execute(
        update(submission)
        .where(
            submission.c.id == call.lease.id,
            submission.c.fence == call.lease.fence,
            submission.c.state == S.UNKNOWN.value,
        )
        .values(
            state=call.state.value,
            outcome=facts["outcome"],
            code=facts["code"],
            words=facts["words"],
            gateway_id=func.coalesce(facts["gateway_id"], submission.c.gateway_id),
            answered_at=now(),
        )
    )
    return done.rowcount == 1


@dataclass(frozen=True, slots=True)
class Doubtful:
    """An unknown submission, as whoever settles it sees it."""

    id: int
    fence: int
    account: str
    message_class: MessageClass
    request_id: int
    size: int
    segments: int
    code: str | None
    words: str | None
    called_at: datetime | None
    #: Whether it was sent once more.
    resent: bool

    def units(self, unit: str) -> int:
        """What it would have added to a counter of segments or of messages."""
        return self.size * (self.segments if unit == "segments" else 1)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What our side says of an account since its counter was last read."""

    baseline: int | None
    #: The last submission when the counter last proved nothing.
    judged: int
    #: The last submission when the counter was read, and the last one now.
    baseline_after: int
    last: int
    #: What was accepted since, in the counter's unit.
    accepted: int
    unknown: tuple[Doubtful, ...]
    under_way: int
    #: Seconds since the last call; None when there was none.
    silent: float | None

    def quiet(self, delay: float) -> bool:
        """Whether nothing is under way, and the last call was long enough ago."""
        return self.under_way == 0 and (self.silent is None or self.silent >= delay)

    def same_as(self, other: "Ledger") -> bool:
        """Whether nothing happened between the two."""
        mine = (self.last, self.accepted, self.unknown, self.under_way)
        return mine == (other.last, other.accepted, other.unknown, other.under_way)


def ledger(connection: Connection, account: str, baseline: Mapping[str, Any], unit: str) -> Ledger:
    """Return what happened at an account since the baseline of its counter."""
    after = int(baseline.get("after", 0))
    here = submission.c.account == account
    units = submission.c.size * (submission.c.segments if unit == "segments" else literal(1))
    last, accepted, called = connection.execute(
        select(
            func.max(submission.c.id),
            func.sum(case((submission.c.state == S.ACCEPTED.value, units), else_=0)),
            func.max(func.coalesce(submission.c.answered_at, submission.c.called_at)),
        ).where(here, submission.c.id > after)
    ).one()
    silent = None
    if called is not None:
        silent = (connection.execute(select(now())).scalar_one() - called).total_seconds()
    return Ledger(
        baseline.get("sent"),
        int(baseline.get("judged", 0)),
        after,
        last or after,
        int(accepted or 0),
        tuple(one for one in unknown_ones(connection, account=account) if one.id > after),
        under_way(connection).get(account, 0),
        silent,
    )


def unknown_ones(
    connection: Connection,
    *,
    account: str | None = None,
    ids: Collection[int] | None = None,
    limit: int = 1000,
) -> list[Doubtful]:
    """Return unknown submissions, the oldest first."""
    again = submission.alias("again")
    resent = select(again.c.id).where(again.c.resend_of == submission.c.id).exists()
    query = select(submission, resent.label("resent")).where(submission.c.state == S.UNKNOWN.value)
    if account is not None:
        query = query.where(submission.c.account == account)
    if ids is not None:
        query = query.where(submission.c.id.in_(list(ids)))
    return [
        Doubtful(
            row.id,
            row.fence,
            row.account,
            MessageClass(row.message_class),
            row.request_id,
            row.size,
            row.segments,
            row.code,
            row.words,
            row.called_at,
            bool(row.resent),
        )
        for row in connection.execute(query.order_by(submission.c.id).limit(limit))
    ]


def repeatable(connection: Connection, account: str, limit: int) -> list[Lease]:
    """Return unknown submissions of an account that carried a reference and are valid still."""
    rows = connection.execute(
        select(submission)
        .where(
            submission.c.state == S.UNKNOWN.value,
            submission.c.account == account,
            submission.c.reference.is_not(None),
            submission.c.not_after > now(),
        )
        .order_by(submission.c.id)
        .limit(limit)
    ).all()
    wanted = {row.request_id for row in rows}
    found = connection.execute(select(request).where(request.c.id.in_(wanted))) if rows else ()
    contents = {row.id: content_of(row) for row in found}
    return [
        replace(_as_lease(row), content=contents[row.request_id], reference=row.reference)
        for row in rows
    ]


def not_taken(connection: Connection, one: int, fence: int) -> bool:
    """End a doubt by proof that nothing was taken: `unknown` → `not_sent`, messages queued."""
    row = connection.execute(
        select(submission)
        .where(
            submission.c.id == one,
            submission.c.fence == fence,
            submission.c.state == S.UNKNOWN.value,
        )
        .with_for_update()
    ).first()
    if row is None:
        return False
    connection.execute(
        update(submission)
        .where(submission.c.id == one)
        .values(state=S.NOT_SENT.value, outcome=Outcome.NOT_SENT.value)
    )
    if not free_resend(connection, one):
        succeed(connection, _as_lease(row), None, wait=0.0, tries=row.attempts)
    return True


def _as_lease(row: Any) -> Lease:
    return Lease(
        row.id,
        row.fence,
        row.account,
        MessageClass(row.message_class),
        row.request_id,
        row.lo,
        row.hi,
        row.size,
        row.attempts,
        Content(""),
        "",
        row.resend_of,
    )


def resend(connection: Connection, one: int, only: MessageClass | None = None) -> int | None:
    """Plan to send once more what an unknown submission carried; returns the new one's id.

    Its messages name the new submission; the old one stays unknown, as it is. None when it was
    resent before, is a resend itself, is past its validity, or is not of the class `only`.
    """
    row = connection.execute(
        select(submission, (submission.c.not_after > now()).label("valid"))
        .where(submission.c.id == one, submission.c.state == S.UNKNOWN.value)
        .with_for_update()
    ).first()
    if row is None or not row.valid or row.resend_of is not None:
        return None
    if only is not None and row.message_class != only.value:
        return None
    before = select(submission.c.id).where(submission.c.resend_of == one)
    if connection.execute(before).first() is not None:
        return None
    planning = insert(submission).values(
        account=row.account,
        message_class=row.message_class,
        state=S.PLANNED.value,
        request_id=row.request_id,
        size=row.size,
        attempts=row.attempts,
        parent_id=one,
        resend_of=one,
        next_at=now(),
        not_after=row.not_after,
        created_at=now(),
    )
    made = new_id(connection.execute(planning))
    connection.execute(
        update(message).where(carried_by(row), message.c.state.is_(None)).values(submission_id=made)
    )
    return made


def free_resend(connection: Connection, one: int) -> bool:
    """Let the resend of what was provably not taken stand for itself; False when there is none.

    What becomes of it is from now on what becomes of its messages.
    """
    freed = connection.execute(
        update(submission).where(submission.c.resend_of == one).values(resend_of=None)
    )
    return freed.rowcount > 0


def withdraw_resend(connection: Connection, one: int) -> None:
    """Give messages back to a submission whose doubt has ended, if their resend did not go yet."""
    again = connection.execute(
        select(submission.c.id)
        .where(submission.c.resend_of == one, submission.c.state == S.PLANNED.value)
        .with_for_update()
    ).scalar()
    if again is not None:
        give_back(connection, again, one)
        close(connection, [again], S.PLANNED)


def give_back(
    connection: Connection, again: int, one: int, only: Collection[tuple[int, int]] | None = None
) -> None:
    """Return messages from a resend to the unknown submission `one`: they are unknown again.

    Whatever became of the resend, the first may have been taken: nothing else would be true. It is
    left alone when the first was proven not taken meanwhile.
    """
    still = select(submission.c.resend_of).where(submission.c.id == again)
    if connection.execute(still).scalar() != one:
        return
    lo = connection.execute(select(submission.c.lo).where(submission.c.id == one)).scalar()
    where = [message.c.submission_id == again, message.c.state.is_(None)]
    if only is not None:
        where.append(tuple_(message.c.request_id, message.c.n).in_(list(only)))
    connection.execute(
        update(message).where(*where).values(submission_id=one if lo is None else None)
    )


def carried_by(row: Any) -> Any:
    """Its messages: those of its range that name no other submission, and those that name it."""
    named = message.c.submission_id == row.id
    if row.lo is None:
        return named
    in_range = and_(
        message.c.request_id == row.request_id,
        message.c.n >= row.lo,
        message.c.n < row.hi,
        message.c.submission_id.is_(None),
    )
    return or_(named, in_range)


def accept(connection: Connection, one: int, fence: int, gateway_id: str | None) -> bool:
    """End a doubt by a report: `unknown` → `accepted`, adopting the gateway's id if it was lost."""
    done = connection.execute(
        update(submission)
        .where(
            submission.c.id == one,
            submission.c.fence == fence,
            submission.c.state == S.UNKNOWN.value,
        )
        .values(
            state=S.ACCEPTED.value,
            outcome=Outcome.ACCEPTED.value,
            gateway_id=func.coalesce(submission.c.gateway_id, gateway_id),
            answered_at=now(),
        )
    )
    return done.rowcount == 1


def reported(connection: Connection, one: int) -> bool:
    """Whether a report has come for a message of a submission."""
    row = connection.execute(select(submission).where(submission.c.id == one)).one()
    states = [MessageState.DELIVERED.value, MessageState.UNDELIVERED.value]
    there = select(message.c.n).where(carried_by(row), message.c.state.in_(states)).limit(1)
    return connection.execute(there).first() is not None


def accept_reported(connection: Connection, one: int) -> None:
    """End a doubt that a report had answered before it began: `unknown` → `accepted`."""
    fence = select(submission.c.fence).where(submission.c.id == one)
    accept(connection, one, connection.execute(fence).scalar_one(), None)


def close_out(connection: Connection, account: str, after: int, seconds: float, limit: int) -> int:
    """Stop waiting for reports of submissions older than `seconds`; returns the last id, or 0.

    `after` is the id that the last call returned: history is walked once, up to the first that may
    still be called or is too young, since one that waited is called after those made later.
    """
    open_still = select(func.min(submission.c.id)).where(
        submission.c.id > after,
        or_(
            submission.c.called_at > later(-seconds),
            submission.c.state.in_([S.PLANNED.value, S.LEASED.value]),
        ),
    )
    end = connection.execute(open_still).scalar()
    ids = list(
        connection.execute(
            select(submission.c.id)
            .where(
                submission.c.id > after,
                submission.c.account == account,
                submission.c.called_at <= later(-seconds),
                *([submission.c.id < end] if end is not None else []),
            )
            .order_by(submission.c.id)
            .limit(limit)
        ).scalars()
    )
    connection.execute(
        update(submission)
        .where(submission.c.id.in_(ids), submission.c.state == S.ACCEPTED.value)
        .values(closed_at=now())
    )
    return ids[-1] if ids else 0


def _facts(call: Recorded) -> dict[str, Any]:
    return {
        "one": call.lease.id,
        "held": call.lease.fence,
        "becomes": call.state.value,
        "outcome": call.result.outcome.value,
        "code": call.result.code[:64] or None,
        "words": call.result.words[:200] or None,
        "gateway_id": call.result.gateway_id,
    }


def succeed(
    connection: Connection,
    lease: Lease | Planned,
    bounds: tuple[int, int] | None,
    *,
    wait: float,
    tries: int,
) -> int:
    """Plan the submission that goes on with a lease's messages, or with a part of its range."""
    lo, hi = bounds or (lease.lo, lease.hi)
    resend_of = lease.resend_of
    if resend_of is not None:
        # What it sends once more may have been proven not taken meanwhile.
        its_own = select(submission.c.resend_of).where(submission.c.id == lease.id)
        resend_of = connection.execute(its_own).scalar()
    planning = insert(submission).values(
        account=lease.account,
        message_class=lease.message_class.value,
        state=S.PLANNED.value,
        request_id=lease.request_id,
        lo=lo,
        hi=hi,
        size=lease.size if hi is None or lo is None else hi - lo,
        attempts=tries,
        parent_id=lease.id,
        resend_of=resend_of,
        next_at=later(wait),
        not_after=select(request.c.not_after)
        .where(request.c.id == lease.request_id)
        .scalar_subquery(),
        created_at=now(),
    )
    made = new_id(connection.execute(planning))
    connection.execute(
        update(message)
        .where(message.c.submission_id == lease.id, message.c.state.is_(None))
        .values(submission_id=made)
    )
    return made


def unlease(connection: Connection, leases: Iterable[Lease], wait: float) -> None:
    """Give leases back before anything was written ahead: `leased` → `planned`."""
    for one in leases:
        connection.execute(
            update(submission)
            .where(
                submission.c.id == one.id,
                submission.c.fence == one.fence,
                submission.c.state == S.LEASED.value,
            )
            .values(state=S.PLANNED.value, next_at=later(wait), lease_until=None)
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
            submission.c.id.in_(list(fences)), submission.c.state == S.IN_FLIGHT.value
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


def sweep(connection: Connection, limit: int = 500) -> tuple[list[int], list[tuple[int, str]]]:
    """End leases that ran out: `leased` → `planned`, `in_flight` → `unknown`.

    Returns the ids of either, those of the unknown with their accounts. A lease that ran out before
    the write-ahead harms nobody; after it, the gateway may have the messages.
    """
    rows = connection.execute(
        select(submission.c.id, submission.c.fence, submission.c.state, submission.c.account)
        .where(submission.c.lease_until <= now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    back = [row for row in rows if row.state == S.LEASED.value]
    lost = [row for row in rows if row.state == S.IN_FLIGHT.value]
    for row in back:
        connection.execute(
            update(submission)
            .where(
                submission.c.id == row.id,
                submission.c.fence == row.fence,
                submission.c.state == S.LEASED.value,
            )
            .values(state=S.PLANNED.value, next_at=now(), lease_until=None)
        )
    for row in lost:
        connection.execute(
            update(submission)
            .where(
                submission.c.id == row.id,
                submission.c.fence == row.fence,
                submission.c.state == S.IN_FLIGHT.value,
            )
            .values(
                state=S.UNKNOWN.value, outcome=Outcome.UNKNOWN.value, code="lease", lease_until=None
            )
        )
    return [row.id for row in back], [(row.id, row.account) for row in lost]


def expired(connection: Connection, limit: int = 100) -> list[tuple[int, int | None]]:
    """Lock planned submissions past their validity: their ids, and whose resend they are."""
    rows = connection.execute(
        select(submission.c.id, submission.c.resend_of)
        .where(submission.c.state == S.PLANNED.value, submission.c.not_after <= now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [(row.id, row.resend_of) for row in rows]


def waiting_of(connection: Connection, request_id: int) -> list[int]:
    """Lock the submissions of a request that were not handed over yet, and return their ids."""
    return list(
        connection.execute(
            select(submission.c.id)
            .where(
                submission.c.request_id == request_id,
                submission.c.state.in_([S.PLANNED.value, S.LEASED.value]),
            )
            .with_for_update()
        ).scalars()
    )


def close(connection: Connection, ids: Collection[int], *states: S) -> None:
    """End submissions that carry nothing any more: one of `states` → `not_sent`."""
    connection.execute(
        update(submission)
        .where(
            submission.c.id.in_(list(ids)),
            or_(*(submission.c.state == state.value for state in states)),
        )
        .values(state=S.NOT_SENT.value, next_at=None, lease_until=None, answered_at=now())
    )
