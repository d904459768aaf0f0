"""Count what stands in the database now, for metrics: doubts, pages, reports, events and ticks.

No statement reads a large table. Where an index holds only the rows that are asked for, the first
`MAX_COUNTED_ROWS` of them are counted; elsewhere, on MySQL and MariaDB, those among the newest
`MAX_COUNTED_ROWS` of the table.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, or_, select

from worker.domain.enums import SubmissionState
from worker.store.db import capabilities
from worker.store.db.clock import now
from worker.store.schema.tables import callback_event, inbox, report, submission, tick
from worker.store.ticks import GONE_SECONDS, SWEEP

#: The most rows that are counted of one kind.
MAX_COUNTED_ROWS = 50_000


def unknown_messages(connection: Connection) -> dict[str, int]:
    """Count the messages of submissions in doubt, by account."""
    is_unknown = submission.c.state == SubmissionState.UNKNOWN.value
    return _sums(connection, submission, is_unknown, submission.c.size)


def unread_pages(connection: Connection) -> dict[str, int]:
    """Count the raw pages that wait to be read, by account; those put aside are read."""
    return _sums(connection, inbox, inbox.c.parsed_at.is_(None))


def unmatched_reports(connection: Connection) -> dict[str, int]:
    """Count the reports whose message is not known, by account."""
    return _sums(connection, report, report.c.request_id.is_(None))


def _sums(
    connection: Connection,
    table: Any,
    condition: ColumnElement[bool],
    size: ColumnElement[int] | None = None,
) -> dict[str, int]:
    """Count rows of a table that fit a condition, or add their sizes up, by account."""
    conditions = [condition]
    if not capabilities.indexes_partially(connection):
        newest_id = connection.execute(select(func.max(table.c.id))).scalar() or 0
        conditions.append(table.c.id > newest_id - MAX_COUNTED_ROWS)
    columns = [table.c.account] if size is None else [table.c.account, size.label("size")]
    rows = select(*columns).where(*conditions).limit(MAX_COUNTED_ROWS).subquery()
    counted = func.count() if size is None else func.sum(rows.c.size)
    query = select(rows.c.account, counted).group_by(rows.c.account)
    return {account: int(count) for account, count in connection.execute(query)}


def callback_events(connection: Connection) -> dict[str, int]:
    """Count what applications are yet to be told: what `waits`, and what was `parked`."""
    state = case((callback_event.c.next_at.is_(None), "parked"), else_="waits")
    rows = select(state.label("state")).limit(MAX_COUNTED_ROWS).subquery()
    query = select(rows.c.state, func.count()).group_by(rows.c.state)
    counts = {name: int(count) for name, count in connection.execute(query)}
    return {"waits": 0, "parked": 0} | counts


def tick_delays(connection: Connection, without: Collection[str]) -> dict[str, float]:
    """Return for how many seconds each tick has been due; 0 before, and while somebody runs it.

    Ticks of `without`, which stay due while they have no work, are left out, and so is one that has
    been due for an hour: nobody runs it any more. The sweep is always told of.
    """
    # A row without an owner keeps where something goes on, and is no tick; or it was never run.
    rows = connection.execute(
        select(tick.c.name, tick.c.next_at, tick.c.lease_until, now().label("at")).where(
            or_(tick.c.owner.is_not(None), tick.c.name == SWEEP)
        )
    )
    delays = {}
    for row in rows:
        late_since = max(row.next_at, row.lease_until or row.next_at)
        delay = max(0.0, (row.at - late_since).total_seconds())
        if row.name == SWEEP or (row.name not in without and delay < GONE_SECONDS):
            delays[row.name] = delay
    return delays


def tick_failures(connection: Connection) -> dict[str, int]:
    """Return how often in a row each tick failed, of those that are run."""
    rows = connection.execute(select(tick.c.name, tick.c.failures, tick.c.next_at, now()))
    return {
        name: failures
        for name, failures, next_at, at in rows
        if (at - next_at).total_seconds() < GONE_SECONDS
    }
