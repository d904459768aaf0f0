"""Move messages to the states that their stored reports say."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, or_, update

from worker.domain.enums import MessageState
from worker.domain.message_ranges import MessageRange
from worker.store import callback_outbox
from worker.store.db import capabilities
from worker.store.db.clock import now
from worker.store.db.dialects import is_any_of, planned_by_index
from worker.store.schema.tables import message, report


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
    message moves from the states of `_states_below` only. A message without a state of its own
    moves too: it is submitted or unknown, or submitting when the answer is not recorded yet. Of
    several reports for one message the first counts.
    """
    first_reports = {(reported.request_id, reported.n): reported for reported in reversed(reports)}
    callback_outbox.note_messages(
        connection, [MessageRange(request_id, n, n + 1) for request_id, n in first_reports]
    )
    # Not by IN: it cannot be part of a statement that is run for many rows.
    is_movable = or_(
        message.c.state.is_(None),
        *(message.c.state == state.value for state in _states_below(to, parts)),
    )
    if capabilities.takes_columns(connection):
        return _apply_stored(connection, first_reports.values(), to, is_movable)
    return _apply_each(connection, first_reports.values(), to, is_movable)


def _states_below(to: MessageState, parts: int) -> set[MessageState]:
    """Return the states of its own from which a report may move a message to `to`.

    Of a text of one part `delivered` is final; of several parts `undelivered` is, since one failed
    part decides. The final one moves the message from the other one too.
    """
    final = MessageState.DELIVERED if parts == 1 else MessageState.UNDELIVERED
    below = {MessageState.SUBMITTED, MessageState.UNKNOWN}
    if to is final:
        below |= {MessageState.DELIVERED, MessageState.UNDELIVERED} - {to}
    return below


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
