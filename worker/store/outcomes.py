"""Submissions from their call on: outcomes, what goes on from them, and what is swept."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Update,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from worker.domain.enums import MessageState, Outcome
from worker.domain.enums import SubmissionState as S
from worker.gateways.results import Result
from worker.store import callback_outbox
from worker.store.claims import Lease, PlannedSubmission, stopped
from worker.store.db.clock import later, now
from worker.store.db.dialects import new_id, one_of
from worker.store.db.pg_arrays import given, lists
from worker.store.schema.tables import message, request, submission
from worker.store.submission_messages import carried_by

#: What applications are told of; the other states are on the way to one of these.
_TOLD = frozenset({S.ACCEPTED, S.REJECTED, S.UNKNOWN})


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What is written of one call."""

    lease: Lease
    state: S
    result: Result
    #: By MSISDN, where the gateway told of some numbers that they fared otherwise.
    each: Mapping[str, Result] = field(default_factory=dict)
    #: The numbers that were called, where they are known; they are written nowhere.
    numbers: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Calls by what their submissions are when their outcomes come in."""

    #: In flight under our fence: ours to write.
    ours: list[CallOutcome]
    #: Written by us before; the commit's answer was lost.
    written: list[CallOutcome]
    #: Settled by somebody else: these calls are evidence now, nothing else.
    late: list[CallOutcome]


def record(connection: Connection, calls: Sequence[CallOutcome]) -> Sorted:
    """Write outcomes: `in_flight` → the state of each, guarded by its fence.

    Returns which could be written, and what the others are.
    """
    at_once = _written(connection, calls)
    found = _sort(connection, [call for call in calls if call.lease.id not in at_once])
    _record(connection, found.ours)
    found.ours.extend(call for call in calls if call.lease.id in at_once)
    told = [call.lease.id for call in found.ours if call.state in _TOLD]
    callback_outbox.of_submissions(connection, told)
    return found


def _written(connection: Connection, calls: Sequence[CallOutcome]) -> set[int]:
    """Write what may be written in one statement, as only PostgreSQL can; returns whose it is."""
    if not calls or connection.dialect.name != "postgresql":
        return set()
    rows = [_facts(call) for call in sorted(calls, key=lambda call: call.lease.id)]
    return set(connection.execute(_writing, lists(rows)).scalars())


#: What is written of an outcome: each fact of `_facts` by the column that takes it.
_TAKES = {
    "state": "becomes",
    "outcome": "outcome",
    "code": "code",
    "words": "words",
    "gateway_id": "gateway_id",
}


def _writes(facts: Mapping[str, Any]) -> Update:
    """Write outcomes where they are in flight under their fence; `facts` are what `_facts` says."""
    taken = {column: facts[name] for column, name in _TAKES.items()}
    return (
        update(submission)
        .where(
            submission.c.id == facts["one"],
            submission.c.fence == facts["held"],
            submission.c.state == S.IN_FLIGHT.value,
        )
        .values(taken | {"answered_at": now(), "lease_until": None})
    )


_LIKE = {"one": submission.c.id, "held": submission.c.fence} | {
    name: submission.c[column] for column, name in _TAKES.items()
}
_writing = _writes(given(_LIKE).c).returning(submission.c.id)
_writing_each = _writes({name: bindparam(name, type_=like.type) for name, like in _LIKE.items()})


def _sort(connection: Connection, calls: Sequence[CallOutcome]) -> Sorted:
    """Lock the submissions of calls, and tell which outcomes may still be written."""
    if not calls:
        return Sorted([], [], [])
    rows = connection.execute(
        select(submission.c.id, submission.c.fence, submission.c.state)
        .where(one_of(connection, submission.c.id, [call.lease.id for call in calls]))
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


def _record(connection: Connection, calls: Sequence[CallOutcome]) -> None:
    """Write the outcomes of calls whose submissions are locked, and ours."""
    if not calls:
        return
    connection.execute(_writing_each, [_facts(call) for call in calls])


def settle(connection: Connection, call: CallOutcome) -> bool:
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
    if done.rowcount == 1 and call.state in _TOLD:
        callback_outbox.of_submissions(connection, [call.lease.id])
    return done.rowcount == 1


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
    if done.rowcount == 1:
        callback_outbox.of_submissions(connection, [one])
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
            submission.c.state == S.PLANNED.value,
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


def _facts(call: CallOutcome) -> dict[str, Any]:
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
    lease: Lease | PlannedSubmission,
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
        not_after=valid_until(lease).scalar_subquery(),
        created_at=now(),
    )
    made = new_id(connection.execute(planning))
    connection.execute(
        update(message)
        .where(message.c.submission_id == lease.id, message.c.state.is_(None))
        .values(submission_id=made)
    )
    return made


def valid_until(lease: Lease | PlannedSubmission) -> Select[Any]:
    """Select until when the messages of a submission are valid, all of them: they may differ."""
    if lease.lo is not None:
        return select(request.c.not_after).where(request.c.id == lease.request_id)
    return (
        select(func.min(request.c.not_after))
        .join(message, message.c.request_id == request.c.id)
        .where(message.c.submission_id == lease.id, message.c.state.is_(None))
    )


def sweep(connection: Connection, limit: int = 500) -> list[tuple[int, str]]:
    """End leases that ran out: `in_flight` → `unknown`, for the gateway may have the messages.

    Returns the ids of these submissions with their accounts.
    """
    lost = connection.execute(
        select(submission.c.id, submission.c.fence, submission.c.account)
        .where(submission.c.lease_until <= now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
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
    callback_outbox.of_submissions(connection, [row.id for row in lost])
    return [(row.id, row.account) for row in lost]


def expired(connection: Connection, limit: int = 100) -> list[tuple[int, int | None]]:
    """Lock planned submissions past their validity: their ids, and whose resend they are.

    What waits of a campaign that is paused waits on, as its rest does: whoever resumes it says
    until when it may be sent.
    """
    rows = connection.execute(
        select(submission.c.id, submission.c.resend_of)
        .where(submission.c.state == S.PLANNED.value, submission.c.not_after <= now(), ~stopped)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [(row.id, row.resend_of) for row in rows]


def waiting_of(connection: Connection, request_id: int, after: int, limit: int) -> list[int]:
    """Lock the next submissions of a request that were not handed over yet; returns their ids."""
    return list(
        connection.execute(
            select(submission.c.id)
            .where(
                submission.c.request_id == request_id,
                submission.c.id > after,
                submission.c.state == S.PLANNED.value,
            )
            .order_by(submission.c.id)
            .limit(limit)
            .with_for_update()
        ).scalars()
    )


def close(connection: Connection, ids: Collection[int], *states: S) -> None:
    """End submissions that carry nothing any more: one of `states` → `not_sent`."""
    if not ids:
        return
    connection.execute(
        update(submission)
        .where(
            submission.c.id.in_(list(ids)),
            or_(*(submission.c.state == state.value for state in states)),
        )
        .values(state=S.NOT_SENT.value, next_at=None, lease_until=None, answered_at=now())
    )
