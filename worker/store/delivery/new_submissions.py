"""Insert submissions: for fresh messages in flight from the start, for others planned."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Float,
    Insert,
    Select,
    and_,
    any_,
    bindparam,
    func,
    insert,
    select,
    update,
)

from worker.domain.enums import SubmissionState
from worker.store.db import capabilities
from worker.store.db.clock import later, now
from worker.store.db.dialects import inserted_id
from worker.store.db.pg_arrays import packed_columns, parameter_array, parameter_table
from worker.store.delivery.claims import Lease, PlannedSubmission, SingleMessage
from worker.store.intake.requests import finish
from worker.store.schema.tables import message, request, submission


def insert_submission(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert one submission with these columns, and return its id."""
    return inserted_id(connection.execute(insert(submission).values(values)))


def insert_ranges(
    connection: Connection,
    leases: Sequence[Lease],
    *,
    segments: Sequence[int],
    valid_until: Sequence[datetime | None],
    seconds: float,
    owner: str,
) -> list[Lease]:
    """Insert submissions for fresh ranges of requests, written ahead as by `claims.write_ahead`.

    For each lease: `segments` of one message, and until when its request is valid. The leases come
    in with id 0; they are returned in the same order with the ids of their submissions.
    """
    rows = _submission_rows(leases, segments, valid_until, owner)
    ids = _insert_rows(connection, rows, seconds)
    return [
        replace(lease, id=submission_id, segments=segment_count)
        for lease, submission_id, segment_count in zip(leases, ids, segments, strict=True)
    ]


def insert_singles(
    connection: Connection,
    leases: Sequence[Lease],
    *,
    segments: Sequence[int],
    valid_until: Sequence[datetime | None],
    seconds: float,
    owner: str,
) -> list[Lease]:
    """Insert submissions for the last messages of requests, as `insert_ranges` does.

    The requests have then handed out all of their messages. On PostgreSQL the messages are read in
    the same statement.
    """
    if not capabilities.takes_columns(connection):
        finish(connection, [lease.request_id for lease in leases])
        return insert_ranges(
            connection,
            leases,
            segments=segments,
            valid_until=valid_until,
            seconds=seconds,
            owner=owner,
        )
    rows = _submission_rows(leases, segments, valid_until, owner)
    inserted = connection.execute(
        _insertion_of_singles(tuple(rows[0])), packed_columns(rows) | {"seconds": seconds}
    )
    rows_by_request = {row.request_id: row for row in inserted}
    return [
        _lease_of_single(lease, rows_by_request[lease.request_id], segment_count)
        for lease, segment_count in zip(leases, segments, strict=True)
    ]


def _lease_of_single(lease: Lease, row: Any, segments: int) -> Lease:
    """Return a lease with the id and the message that `_insertion_of_singles` returned for it."""
    single_message = SingleMessage(row.msisdn, dict(row.variables) if row.variables else None)
    has_ended = row.msisdn is None
    messages = () if has_ended else (single_message,)
    return replace(lease, id=row.id, segments=segments, prefetched_messages=messages)


@cache
def _insertion_of_singles(names: tuple[str, ...]) -> Select[Any]:
    """Build the statement for rows with these names; one serves any number of rows."""
    request_ids = parameter_array("request_id", request.c.id)
    handed_out = (
        update(request)
        .where(request.c.id == any_(request_ids))
        .values(next_n=request.c.total, next_at=None)
    )
    inserted = _insertion(names).cte("made")
    carried = and_(
        message.c.request_id == inserted.c.request_id,
        message.c.n == inserted.c.lo,
        message.c.state.is_(None),
        message.c.submission_id.is_(None),
    )
    return (
        select(inserted.c.id, inserted.c.request_id, message.c.msisdn, message.c.variables)
        .select_from(inserted.outerjoin(message, carried))
        .add_cte(handed_out.cte("handed_out"))
    )


def _submission_rows(
    leases: Sequence[Lease],
    segments: Sequence[int],
    valid_until: Sequence[datetime | None],
    owner: str,
) -> list[dict[str, Any]]:
    """Return the columns of submissions in flight, without those that the clock decides."""
    return [
        {
            "account": lease.account,
            "message_class": lease.message_class.value,
            "state": SubmissionState.IN_FLIGHT.value,
            "request_id": lease.request_id,
            "lo": lease.lo,
            "hi": lease.hi,
            "size": lease.size,
            "segments": segment_count,
            "fence": lease.fence,
            "owner": owner,
            "attempts": lease.attempts,
            "reference": lease.reference or None,
            "binding_id": lease.binding_id,
            "not_after": not_after,
        }
        for lease, segment_count, not_after in zip(leases, segments, valid_until, strict=True)
    ]


def _insert_rows(connection: Connection, rows: list[dict[str, Any]], seconds: float) -> list[int]:
    """Insert rows with leases of `seconds`, and return their ids in the order of the rows.

    It takes one statement where the database can return the ids of several rows.
    """
    if capabilities.takes_columns(connection):
        return _insert_arrays(connection, rows, seconds)
    clock = {"lease_until": later(seconds), "created_at": now(), "called_at": now()}
    statement = insert(submission).values(clock)
    if capabilities.orders_returned_ids(connection):
        inserted = connection.execute(
            statement.returning(submission.c.id, sort_by_parameter_order=True), rows
        )
        return list(inserted.scalars())
    return [inserted_id(connection.execute(statement.values(**row))) for row in rows]


def _insert_arrays(connection: Connection, rows: list[dict[str, Any]], seconds: float) -> list[int]:
    """Do what `_insert_rows` does on PostgreSQL: the rows go column by column."""
    inserted = connection.execute(
        _insertion(tuple(rows[0])), packed_columns(rows) | {"seconds": seconds}
    )
    ids = {(row.request_id, row.lo): row.id for row in inserted}
    return [ids[row["request_id"], row["lo"]] for row in rows]


@cache
def _insertion(names: tuple[str, ...]) -> Insert:
    """Build the INSERT of rows with these names; one serves any number of rows."""
    rows = parameter_table({name: submission.c[name] for name in names})
    values = select(*rows.c, later(bindparam("seconds", type_=Float)), now(), now())
    columns = [*names, "lease_until", "created_at", "called_at"]
    insertion = insert(submission).from_select(columns, values)
    return insertion.returning(submission.c.id, submission.c.request_id, submission.c.lo)


def plan_continuation(
    connection: Connection,
    lease: Lease | PlannedSubmission,
    *,
    wait: float,
    tries: int,
    barred: Sequence[int | str] | None = None,
    code: str | None = None,
) -> int:
    """Plan the submission that goes on with a lease's messages in `wait` seconds; returns its id.

    `tries` is how many tries that count these messages have behind them, `barred` what cannot carry
    them in their form: None for what it was. `code` is why they go on elsewhere, if they do.
    """
    lo, hi = lease.lo, lease.hi
    continuation_id = insert_submission(
        connection,
        {
            "account": lease.account,
            "message_class": lease.message_class.value,
            "state": SubmissionState.PLANNED.value,
            "request_id": lease.request_id,
            "lo": lo,
            "hi": hi,
            "size": lease.size if hi is None or lo is None else hi - lo,
            "attempts": tries,
            "parent_id": lease.id,
            "resend_of": current_resend_of(connection, lease),
            "barred": list(lease.barred if barred is None else barred) or None,
            "code": code[:64] if code else None,
            "next_at": later(wait),
            "not_after": _select_valid_until(lease).scalar_subquery(),
            "created_at": now(),
        },
    )
    connection.execute(
        update(message)
        .where(message.c.submission_id == lease.id, message.c.state.is_(None))
        .values(submission_id=continuation_id)
    )
    return continuation_id


def current_resend_of(connection: Connection, lease: Lease | PlannedSubmission) -> int | None:
    """Return which unknown submission this one sends once more, as it stands now.

    None also when that submission was proven not taken meanwhile.
    """
    if lease.resend_of is None:
        return None
    stored = select(submission.c.resend_of).where(submission.c.id == lease.id)
    return connection.execute(stored).scalar()


def _select_valid_until(lease: Lease | PlannedSubmission) -> Select[Any]:
    """Select until when all messages of a submission, maybe of several requests, are valid."""
    if lease.lo is not None:
        return select(request.c.not_after).where(request.c.id == lease.request_id)
    return (
        select(func.min(request.c.not_after))
        .join(message, message.c.request_id == request.c.id)
        .where(message.c.submission_id == lease.id, message.c.state.is_(None))
    )
