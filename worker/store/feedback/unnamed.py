"""Find reports that name no submission that we know, and submissions whose id we never learned.

Such a report may come before our own answer, or after an answer without an id.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    bindparam,
    select,
    update,
)

from worker.domain.transitions import ADOPTING_SUBMISSION_STATES
from worker.store.db.clock import later, now
from worker.store.db.dialects import any_of_in_parts
from worker.store.feedback.reports import Origin, names_a_submission, origin_of
from worker.store.schema.tables import report, submission

#: Written out: a server that plans for any state would not use the index of these two.
_STATES: BindParameter[Any] = bindparam(
    "states",
    [state.value for state in ADOPTING_SUBMISSION_STATES],
    expanding=True,
    literal_execute=True,
)
_is_unnamed = submission.c.gateway_id.is_(None) & submission.c.state.in_(_STATES)
_waits = report.c.request_id.is_(None) & report.c.gateway_id.is_not(None)


def submissions(
    connection: Connection, accounts: Collection[str], seconds: float, limit: int
) -> list[Origin]:
    """Return the newest submissions of accounts whose id at the gateway is not known.

    They are unknown, or were accepted without an id, not more than `seconds` ago.
    """
    query = (
        select(submission)
        .where(
            submission.c.account.in_(list(accounts)),
            _is_unnamed,
            submission.c.called_at >= later(-seconds),
        )
        .order_by(submission.c.id.desc())
        .limit(limit)
    )
    return [origin_of(row) for row in connection.execute(query)]


def submissions_by_id(connection: Connection, ids: Collection[int]) -> list[Origin]:
    """Return submissions, whatever became of them."""
    query = select(submission).where(submission.c.id.in_(list(ids)))
    return [origin_of(row) for row in connection.execute(query)]


def lock_submissions(connection: Connection, ids: Collection[int]) -> dict[int, Origin]:
    """Lock the submissions whose id is still not known, and return them by our id."""
    query = select(submission).where(submission.c.id.in_(list(ids)), _is_unnamed)
    rows = connection.execute(query.order_by(submission.c.id).with_for_update())
    return {row.id: origin_of(row) for row in rows}


def has_reports(connection: Connection, accounts: Collection[str]) -> bool:
    """Tell whether a report of these accounts waits for its message."""
    query = select(report.c.id).where(_waits, report.c.account.in_(list(accounts))).limit(1)
    return connection.execute(query).first() is not None


def uncompared(connection: Connection, accounts: Collection[str], limit: int) -> list[Row[Any]]:
    """Return id and gateway's id of up to `limit` reports that were compared with nothing yet."""
    query = (
        select(report.c.id, report.c.gateway_id)
        .where(_waits, report.c.compared_at.is_(None), report.c.account.in_(list(accounts)))
        .order_by(report.c.id)
        .limit(limit)
    )
    return list(connection.execute(query))


def gateway_ids_about(
    connection: Connection, accounts: Collection[str], msisdns: Sequence[str], since: datetime
) -> set[str]:
    """Return the gateway's ids in waiting reports about these numbers, and about masked ones.

    Only of reports that came `since` then.
    """
    query = _waiting(accounts, report.c.gateway_id).where(report.c.received_at >= since)
    conditions = [*any_of_in_parts(connection, report.c.msisdn, msisdns)]
    conditions.append(report.c.msisdn.like("%*%"))
    return {
        gateway_id
        for condition in conditions
        for gateway_id in connection.execute(query.where(condition)).scalars()
    }


def of_gateway_ids(
    connection: Connection, accounts: Collection[str], gateway_ids: Collection[str]
) -> list[Row[Any]]:
    """Return all waiting reports under the gateway's ids that no submission has."""
    query = _waiting(accounts, report).where(~names_a_submission()).order_by(report.c.id)
    return [
        row
        for is_named in any_of_in_parts(connection, report.c.gateway_id, list(gateway_ids))
        for row in connection.execute(query.where(is_named))
    ]


def _waiting(accounts: Collection[str], *columns: Any) -> Select[Any]:
    return select(*columns).where(_waits, report.c.account.in_(list(accounts)))


def note_compared(connection: Connection, report_ids: Iterable[int]) -> None:
    """Note that reports were compared with all submissions whose id is not known."""
    for is_compared in any_of_in_parts(connection, report.c.id, list(report_ids)):
        connection.execute(update(report).where(is_compared).values(compared_at=now()))


def adopt(connection: Connection, submission_id: int, gateway_id: str) -> None:
    """Store the id that a gateway gave to a submission, learned from its reports."""
    connection.execute(
        update(submission)
        .where(submission.c.id == submission_id, submission.c.gateway_id.is_(None))
        .values(gateway_id=gateway_id)
    )
