"""How much is waiting, and how much went through in the last hour, minute by minute.

History is looked at from its newest end only, by primary keys: what it costs does not grow.
"""

from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from worker.domain.enums import SubmissionState
from worker.store.db.clock import later, now
from worker.store.schema.tables import report, request, submission

#: Rows of history that are looked at, at the most.
MOST = 200_000
MINUTES = 60


class _minutes_ago(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """Whole minutes from a moment to the database's now."""

    inherit_cache = True
    name = "minutes_ago"


@compiles(_minutes_ago)
def _postgresql(element: _minutes_ago, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    return f"CAST(floor(extract(epoch FROM statement_timestamp() - {at}) / 60) AS integer)"


@compiles(_minutes_ago, "sqlite")
def _sqlite(element: _minutes_ago, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    return f"CAST((julianday('now') - julianday({at})) * 1440 AS integer)"


@compiles(_minutes_ago, "mysql")
@compiles(_minutes_ago, "mariadb")
def _mysql(element: _minutes_ago, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    return f"TIMESTAMPDIFF(MINUTE, {at}, UTC_TIMESTAMP(6))"


def last_hour(connection: Connection) -> dict[str, list[int]]:
    """Count messages by what became of them, for each of the last 60 minutes, the oldest first.

    `taken`, `rejected` and `unknown` by submissions, `delivered` and `undelivered` by reports.
    """
    found: dict[str, list[int]] = defaultdict(lambda: [0] * MINUTES)
    names = {
        SubmissionState.ACCEPTED.value: "taken",
        SubmissionState.REJECTED.value: "rejected",
        SubmissionState.UNKNOWN.value: "unknown",
    }
    at = func.coalesce(submission.c.answered_at, submission.c.called_at)
    ended = select(submission.c.state, _minutes_ago(at), func.sum(submission.c.size)).where(
        submission.c.id > _newest(connection, submission.c.id) - MOST,
        at > later(-60.0 * MINUTES),
        submission.c.state.in_(list(names)),
    )
    told = select(report.c.status, _minutes_ago(report.c.received_at), func.count()).where(
        report.c.id > _newest(connection, report.c.id) - MOST,
        report.c.received_at > later(-60.0 * MINUTES),
        report.c.status.in_(["delivered", "undelivered"]),
    )
    for query in (
        ended.group_by(submission.c.state, _minutes_ago(at)),
        told.group_by(report.c.status, _minutes_ago(report.c.received_at)),
    ):
        for name, minute, count in connection.execute(query):
            if 0 <= minute < MINUTES:
                found[names.get(name, name)][MINUTES - 1 - minute] += int(count)
    return {name: found[name] for name in (*names.values(), "delivered", "undelivered")}


def _newest(connection: Connection, column: Any) -> int:
    return connection.execute(select(func.max(column))).scalar() or 0


def waiting(connection: Connection) -> dict[str, int]:
    """Count the messages that wait to be handed to a gateway now, by class."""
    found: Counter[str] = Counter()
    fresh = select(request.c.message_class, func.sum(request.c.total - request.c.next_n)).where(
        request.c.next_at <= now()
    )
    planned = select(submission.c.message_class, func.sum(submission.c.size)).where(
        submission.c.state == SubmissionState.PLANNED.value
    )
    for query in (
        fresh.group_by(request.c.message_class),
        planned.group_by(submission.c.message_class),
    ):
        for name, count in connection.execute(query):
            found[name] += int(count)
    return dict(found)
