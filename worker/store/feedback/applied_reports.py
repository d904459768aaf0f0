"""Move messages to the states that their stored reports say."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, func, or_, update

from worker.domain.enums import MessageState
from worker.domain.message_ranges import MessageRange
from worker.store import callback_outbox
from worker.store.db import capabilities
from worker.store.db.clock import now
from worker.store.db.dialects import is_any_of, planned_by_index
from worker.store.schema.tables import message, report, submission


class ReportedMessage(NamedTuple):
    """A message and what a stored report says of it: the report's id, code and time."""

    report_id: int
    request_id: int
    n: int
    code: str
    reported_at: datetime | None


def apply_reports(
    connection: Connection, reports: Sequence[ReportedMessage], to: MessageState, *, parts: int
) -> int:
    """Move messages to the state that their stored reports say; returns how many moved.

    `to` is `delivered` or `undelivered`, `parts` the number of parts of each message's text. A
    message moves from the states of `_is_movable` only. Of several reports for one message the
    first counts.
    """
    first_reports = {(reported.request_id, reported.n): reported for reported in reversed(reports)}
    callback_outbox.note_messages(
        connection, [MessageRange(request_id, n, n + 1) for request_id, n in first_reports]
    )
    is_movable = _is_movable(to, parts)
    if capabilities.takes_columns(connection):
        return _apply_stored(connection, first_reports.values(), to, is_movable)
    return _apply_each(connection, first_reports.values(), to, is_movable)


def _is_movable(to: MessageState, parts: int) -> ColumnElement[bool]:
    """Return the condition that a report may move a message from its state to `to`.

    A message without a state of its own moves too: it is submitted or unknown, or submitting when
    the answer is not recorded yet. Of a text of one part `delivered` is final and moves the message
    from `undelivered` too; of several parts it is the other way round, since one failed part
    decides. A code that was sent twice is delivered when either of its submissions says so, in
    however many parts each account sends it.
    """
    # Not by IN: it cannot be part of a statement that is run for many rows.
    is_waiting = or_(
        message.c.state.is_(None),
        message.c.state == MessageState.SUBMITTED.value,
        message.c.state == MessageState.UNKNOWN.value,
    )
    if to is MessageState.DELIVERED:
        is_lower = message.c.state == MessageState.UNDELIVERED.value
        return or_(is_waiting, is_lower if parts == 1 else and_(is_lower, _was_resent()))
    is_lower = message.c.state == MessageState.DELIVERED.value
    return is_waiting if parts == 1 else or_(is_waiting, and_(is_lower, ~_was_resent()))


def _was_resent() -> ColumnElement[bool]:
    """Return the condition that a message is carried by a resend."""
    is_carrier = submission.c.id == message.c.submission_id
    return exists().where(is_carrier, submission.c.resend_of.is_not(None)).correlate(message)


def _apply_stored(
    connection: Connection,
    reports: Collection[ReportedMessage],
    to: MessageState,
    is_movable: ColumnElement[bool],
) -> int:
    """Move messages in one statement that reads the stored reports: only their ids are sent."""
    is_reported = and_(
        is_any_of(connection, report.c.id, [reported.report_id for reported in reports]),
        message.c.request_id == report.c.request_id,
        message.c.n == report.c.n,
    )
    facts = {"code": report.c.code, "finished_at": func.coalesce(report.c.reported_at, now())}
    moving = update(message).where(is_reported, is_movable).values(state=to.value, **facts)
    with planned_by_index(connection):
        return connection.execute(moving).rowcount


def _apply_each(
    connection: Connection,
    reports: Collection[ReportedMessage],
    to: MessageState,
    is_movable: ColumnElement[bool],
) -> int:
    """Move messages by a statement that is run with the code and the time of each report."""
    finished_at = bindparam("at", type_=message.c.finished_at.type)
    return connection.execute(
        update(message)
        .where(message.c.request_id == bindparam("of"), message.c.n == bindparam("nth"), is_movable)
        .values(
            state=to.value,
            code=bindparam("said"),
            finished_at=func.coalesce(finished_at, now()),
        ),
        [
            {
                "of": reported.request_id,
                "nth": reported.n,
                "said": reported.code,
                "at": reported.reported_at,
            }
            for reported in reports
        ],
    ).rowcount
