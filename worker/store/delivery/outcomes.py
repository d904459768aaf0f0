"""Write what becomes of submissions: outcomes of calls, evidence in doubt, and leases that ran out.

Every write is guarded by the state that it leaves, and by the fence where a call is behind it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Update, bindparam, func, or_, select, update

from worker.domain.enums import Outcome, SubmissionState
from worker.domain.transitions import REPORTED_STATES, TOLD_SUBMISSION_STATES
from worker.store import callback_outbox
from worker.store.db import capabilities
from worker.store.db.clock import later, now
from worker.store.db.dialects import is_any_of
from worker.store.db.pg_arrays import packed_columns, parameter_table
from worker.store.delivery.call_outcomes import CallOutcome
from worker.store.delivery.claims import in_stopped_campaign
from worker.store.delivery.submission_messages import is_carried_by
from worker.store.schema.tables import message, submission


@dataclass(frozen=True, slots=True)
class RecordedCalls:
    """Calls, sorted by what their submissions were when the outcomes came in."""

    #: In flight under the fence of the call: the outcome has been written.
    recorded: list[CallOutcome]
    #: Written before with the same outcome; the answer of that commit was lost.
    repeated: list[CallOutcome]
    #: Settled by somebody else meanwhile: these outcomes are evidence, and are not written.
    late: list[CallOutcome]


def record(connection: Connection, calls: Sequence[CallOutcome]) -> RecordedCalls:
    """Write outcomes: `in_flight` → the state of each, guarded by the fence of its call.

    Returns which of them were written, and what the others are.
    """
    recorded_ids = _record_in_one_statement(connection, calls)
    sorted_calls = _sort(connection, [call for call in calls if call.lease.id not in recorded_ids])
    _record_locked(connection, sorted_calls.recorded)
    sorted_calls.recorded.extend(call for call in calls if call.lease.id in recorded_ids)
    callback_ids = [
        call.lease.id for call in sorted_calls.recorded if call.state in TOLD_SUBMISSION_STATES
    ]
    callback_outbox.note_submissions(connection, callback_ids)
    return sorted_calls


def _record_in_one_statement(connection: Connection, calls: Sequence[CallOutcome]) -> set[int]:
    """Write all outcomes that may be written, as only PostgreSQL can in one statement.

    Returns the ids of their submissions; none on other databases.
    """
    if not calls or not capabilities.takes_columns(connection):
        return set()
    rows = [_facts(call) for call in sorted(calls, key=lambda call: call.lease.id)]
    return set(connection.execute(_record_arrays, packed_columns(rows)).scalars())


#: Which fact of `_facts` each column of an outcome takes.
_FACT_BY_COLUMN = {
    "state": "becomes",
    "outcome": "outcome",
    "code": "code",
    "words": "words",
    "gateway_id": "gateway_id",
}


def _recording(facts: Mapping[str, Any]) -> Update:
    """Build the UPDATE that writes outcomes; `facts` are expressions by the names of `_facts`."""
    outcome = {column: facts[name] for column, name in _FACT_BY_COLUMN.items()}
    return (
        update(submission)
        .where(
            submission.c.id == facts["one"],
            submission.c.fence == facts["held"],
            submission.c.state == SubmissionState.IN_FLIGHT.value,
        )
        .values(outcome | {"answered_at": now(), "lease_until": None})
    )


#: The columns whose types the facts have.
_COLUMN_BY_FACT = {"one": submission.c.id, "held": submission.c.fence} | {
    name: submission.c[column] for column, name in _FACT_BY_COLUMN.items()
}
_record_arrays = _recording(parameter_table(_COLUMN_BY_FACT).c).returning(submission.c.id)
_record_row = _recording(
    {name: bindparam(name, type_=column.type) for name, column in _COLUMN_BY_FACT.items()}
)


def _sort(connection: Connection, calls: Sequence[CallOutcome]) -> RecordedCalls:
    """Lock the submissions of calls, and sort the calls; `recorded` may then be written."""
    if not calls:
        return RecordedCalls([], [], [])
    rows = connection.execute(
        select(submission.c.id, submission.c.fence, submission.c.state)
        .where(is_any_of(connection, submission.c.id, [call.lease.id for call in calls]))
        .order_by(submission.c.id)
        .with_for_update()
    )
    stored = {row.id: (row.fence, row.state) for row in rows}
    sorted_calls = RecordedCalls([], [], [])
    for call in calls:
        fence_and_state = stored.get(call.lease.id)
        if fence_and_state == (call.lease.fence, SubmissionState.IN_FLIGHT.value):
            sorted_calls.recorded.append(call)
        elif fence_and_state == (call.lease.fence, call.state.value):
            sorted_calls.repeated.append(call)
        else:
            sorted_calls.late.append(call)
    return sorted_calls


def _record_locked(connection: Connection, calls: Sequence[CallOutcome]) -> None:
    """Write the outcomes of calls whose submissions are locked, and in flight under their fence."""
    if not calls:
        return
    connection.execute(_record_row, [_facts(call) for call in calls])


def settle(connection: Connection, call: CallOutcome) -> bool:
    """End a doubt by evidence: `unknown` → the state that the evidence shows, under the same fence.

    False when the submission is not unknown under that fence.
    """
    facts = _facts(call)
    updated = connection.execute(
        update(submission)
        .where(
            submission.c.id == call.lease.id,
            submission.c.fence == call.lease.fence,
            submission.c.state == SubmissionState.UNKNOWN.value,
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
    if updated.rowcount == 1 and call.state in TOLD_SUBMISSION_STATES:
        callback_outbox.note_submissions(connection, [call.lease.id])
    return updated.rowcount == 1


def accept(connection: Connection, submission_id: int, fence: int, gateway_id: str | None) -> bool:
    """End a doubt by proof that a submission was taken: `unknown` → `accepted`.

    It adopts the gateway's id if that was lost. False when it is not unknown under that fence.
    """
    updated = connection.execute(
        update(submission)
        .where(
            submission.c.id == submission_id,
            submission.c.fence == fence,
            submission.c.state == SubmissionState.UNKNOWN.value,
        )
        .values(
            state=SubmissionState.ACCEPTED.value,
            outcome=Outcome.ACCEPTED.value,
            gateway_id=func.coalesce(submission.c.gateway_id, gateway_id),
            answered_at=now(),
        )
    )
    if updated.rowcount == 1:
        callback_outbox.note_submissions(connection, [submission_id])
    return updated.rowcount == 1


def has_report(connection: Connection, submission_id: int) -> bool:
    """Tell whether a report has come for a message of a submission."""
    row = connection.execute(select(submission).where(submission.c.id == submission_id)).one()
    states = [state.value for state in REPORTED_STATES]
    reported = select(message.c.n).where(is_carried_by(row), message.c.state.in_(states)).limit(1)
    return connection.execute(reported).first() is not None


def accept_reported(connection: Connection, submission_id: int) -> None:
    """End a doubt that a report had answered before it began: `unknown` → `accepted`."""
    fence = select(submission.c.fence).where(submission.c.id == submission_id)
    accept(connection, submission_id, connection.execute(fence).scalar_one(), None)


def close_out(connection: Connection, account: str, after: int, seconds: float, limit: int) -> int:
    """Stop waiting for reports of submissions older than `seconds`; returns the last id, or 0.

    `after` is the id that the last call returned. The submissions of an account are so walked once,
    in the order of their ids, up to the first that may still be called or is too young: one that
    waited is called after those that were inserted later.
    """
    still_open = select(func.min(submission.c.id)).where(
        submission.c.id > after,
        or_(
            submission.c.called_at > later(-seconds),
            submission.c.state == SubmissionState.PLANNED.value,
        ),
    )
    end = connection.execute(still_open).scalar()
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
        .where(submission.c.id.in_(ids), submission.c.state == SubmissionState.ACCEPTED.value)
        .values(closed_at=now())
    )
    return ids[-1] if ids else 0


def _facts(call: CallOutcome) -> dict[str, Any]:
    """Return what is written of a call, by the names of the statements' parameters."""
    return {
        "one": call.lease.id,
        "held": call.lease.fence,
        "becomes": call.state.value,
        "outcome": call.result.outcome.value,
        "code": call.result.code[:64] or None,
        "words": call.result.words[:200] or None,
        "gateway_id": call.result.gateway_id,
    }


def sweep(connection: Connection, limit: int = 500) -> list[tuple[int, str]]:
    """End up to `limit` leases that ran out: `in_flight` → `unknown`.

    The gateway may have taken the messages. Returns the submissions' ids with their accounts.
    """
    lapsed = connection.execute(
        select(submission.c.id, submission.c.fence, submission.c.account)
        .where(submission.c.lease_until <= now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in lapsed:
        connection.execute(
            update(submission)
            .where(
                submission.c.id == row.id,
                submission.c.fence == row.fence,
                submission.c.state == SubmissionState.IN_FLIGHT.value,
            )
            .values(
                state=SubmissionState.UNKNOWN.value,
                outcome=Outcome.UNKNOWN.value,
                code="lease",
                lease_until=None,
            )
        )
    callback_outbox.note_submissions(connection, [row.id for row in lapsed])
    return [(row.id, row.account) for row in lapsed]


def lock_expired(connection: Connection, limit: int = 100) -> list[tuple[int, int | None]]:
    """Lock planned submissions past their validity; returns their ids, and what each resends.

    Those of a paused campaign wait on, as what it has not handed out does: resuming it sets until
    when its messages may be sent.
    """
    rows = connection.execute(
        select(submission.c.id, submission.c.resend_of)
        .where(
            submission.c.state == SubmissionState.PLANNED.value,
            submission.c.not_after <= now(),
            ~in_stopped_campaign,
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [(row.id, row.resend_of) for row in rows]


def lock_planned_of(connection: Connection, request_id: int, after: int, limit: int) -> list[int]:
    """Lock the next planned submissions of a request, those after an id; returns their ids."""
    return list(
        connection.execute(
            select(submission.c.id)
            .where(
                submission.c.request_id == request_id,
                submission.c.id > after,
                submission.c.state == SubmissionState.PLANNED.value,
            )
            .order_by(submission.c.id)
            .limit(limit)
            .with_for_update()
        ).scalars()
    )


def mark_not_sent(connection: Connection, ids: Collection[int], *states: SubmissionState) -> None:
    """End submissions that carry no message any more: any of `states` → `not_sent`."""
    if not ids:
        return
    connection.execute(
        update(submission)
        .where(
            submission.c.id.in_(list(ids)),
            or_(*(submission.c.state == state.value for state in states)),
        )
        .values(
            state=SubmissionState.NOT_SENT.value, next_at=None, lease_until=None, answered_at=now()
        )
    )
