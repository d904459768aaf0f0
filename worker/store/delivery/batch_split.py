"""Split submissions: plan parts that go on with their messages, or park them for a person."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection, func, select, update

from worker.domain.enums import Outcome, SubmissionState
from worker.domain.message_ranges import MessageKey
from worker.gateways.results import Result
from worker.store.db.clock import now
from worker.store.delivery import submission_details, submission_messages
from worker.store.delivery.claims import Lease, PlannedSubmission
from worker.store.delivery.new_submissions import current_resend_of, insert_submission
from worker.store.schema.tables import event, message, request, submission


class SplitPart(NamedTuple):
    """A submission that was planned for a part; `lo` and `hi` are None when messages name it."""

    id: int
    lo: int | None
    hi: int | None
    size: int


class ParkedSubmission(NamedTuple):
    """A submission that waits for a person, and the code that it was refused with."""

    id: int
    account: str
    size: int
    code: str


def carried_keys(connection: Connection, submission_id: int) -> list[MessageKey]:
    """Return the keys of the messages that a submission carries, in order."""
    messages = submission_messages.of_submissions(connection, [submission_id], ())
    return [message.key for message in messages]


def split(
    connection: Connection,
    parent: Lease | PlannedSubmission,
    parts: Sequence[Sequence[MessageKey]],
    tries: int,
) -> list[SplitPart]:
    """Plan a submission, due now, for each part of the messages that `parent` carried.

    A range is split into ranges, in order; where the messages name `parent`, they name the new
    submission instead. `tries` is how many tries that count the messages have behind them.
    """
    messages_name_parent = parent.lo is None or _is_named(connection, parent.id)
    planned = []
    for nth, keys in enumerate(parts):
        lo = hi = None
        if not messages_name_parent:
            lo = parent.lo if nth == 0 else keys[0][1]
            hi = parent.hi if nth == len(parts) - 1 else parts[nth + 1][0][1]
        submission_id = _plan_part(connection, parent, lo, hi, len(keys), tries)
        planned.append(SplitPart(submission_id, lo, hi, len(keys)))
        if messages_name_parent:
            submission_messages.assign(connection, keys, submission_id)
    return planned


def _is_named(connection: Connection, submission_id: int) -> bool:
    """Tell whether any message names a submission."""
    naming = select(message.c.n).where(message.c.submission_id == submission_id).limit(1)
    return connection.execute(naming).first() is not None


def _plan_part(
    connection: Connection,
    parent: Lease | PlannedSubmission,
    lo: int | None,
    hi: int | None,
    size: int,
    tries: int,
) -> int:
    """Insert the planned submission of a part, and return its id."""
    return insert_submission(
        connection,
        {
            "account": parent.account,
            "message_class": parent.message_class.value,
            "state": SubmissionState.PLANNED.value,
            "request_id": parent.request_id,
            "lo": lo,
            "hi": hi,
            "size": size,
            "attempts": tries,
            "parent_id": parent.id,
            "resend_of": current_resend_of(connection, parent),
            "barred": list(parent.barred) or None,
            "next_at": now(),
            "not_after": select(request.c.not_after)
            .where(request.c.id == parent.request_id)
            .scalar_subquery(),
            "created_at": now(),
        },
    )


def break_off(
    connection: Connection,
    lease: Lease,
    keys: Sequence[MessageKey],
    state: SubmissionState,
    result: Result,
) -> Lease:
    """Move messages of an ended submission to a new one, as if that had been called by itself.

    They name the new submission. It has the lease's fence, and ended as the gateway said of these
    messages. Returns its lease.
    """
    row = connection.execute(select(submission).where(submission.c.id == lease.id)).mappings().one()
    size = submission_details.take_out(connection, lease.id, keys)
    values = {column.key: row[column] for column in submission.c if column.key != "id"}
    values |= {
        "lo": None,
        "hi": None,
        "size": size.messages,
        "segments": size.segments,
        "segment_sum": size.segment_sum,
        "parent_id": lease.id,
        "state": state.value,
        "outcome": result.outcome.value,
        "code": result.code[:64] or None,
        "words": result.words[:200] or None,
        "gateway_id": result.gateway_id or row["gateway_id"],
    }
    submission_id = insert_submission(connection, values)
    submission_messages.assign(connection, keys, submission_id)
    if size.others:
        submission_details.set_sizes(connection, {submission_id: size})
    return replace(lease, id=submission_id, lo=None, hi=None, size=len(keys))


def first_ancestor(connection: Connection, submission_id: int) -> int:
    """Return the id of the first in the line of submissions that a submission continues."""
    while True:
        query = select(submission.c.parent_id).where(submission.c.id == submission_id)
        parent_id = connection.execute(query).scalar()
        if parent_id is None:
            return submission_id
        submission_id = parent_id


def count_events_since(connection: Connection, submission_id: int, name: str, since: str) -> int:
    """Count the events called `name` of a submission since its last event called `since`."""
    is_its = event.c.submission_id == submission_id
    last_id = select(func.coalesce(func.max(event.c.id), 0)).where(is_its, event.c.name == since)
    is_later = event.c.id > last_id.scalar_subquery()
    query = select(func.count()).where(is_its, event.c.name == name, is_later)
    return int(connection.execute(query).scalar_one())


def park(connection: Connection, submission_id: int, code: str) -> None:
    """Let a planned submission wait until a person lets it go on, or its validity ends."""
    connection.execute(
        update(submission)
        .where(
            submission.c.id == submission_id,
            submission.c.state == SubmissionState.PLANNED.value,
        )
        .values(next_at=None, code=code[:64], outcome=Outcome.DEFERRED.value)
    )


_is_parked = (
    submission.c.state == SubmissionState.PLANNED.value,
    submission.c.next_at.is_(None),
    submission.c.outcome == Outcome.DEFERRED.value,
)


def parked_submissions(connection: Connection) -> list[ParkedSubmission]:
    """Return the submissions that wait for a person, the oldest first."""
    rows = connection.execute(
        select(submission.c.id, submission.c.account, submission.c.size, submission.c.code)
        .where(*_is_parked)
        .order_by(submission.c.id)
    )
    return [ParkedSubmission(row.id, row.account, row.size, row.code or "") for row in rows]


def unpark(connection: Connection, submission_id: int) -> bool:
    """Let a submission that waits for a person be claimed again; False when it does not wait."""
    updated = connection.execute(
        update(submission)
        .where(submission.c.id == submission_id, *_is_parked)
        .values(next_at=now(), outcome=None)
    )
    return updated.rowcount == 1
