"""Find the reports that bear an id which no submission has.

Such a report may come before our own answer, or after an answer without an id; or it is about
somebody else's message.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from worker.store.db.clock import now
from worker.store.db.dialects import any_of_in_parts
from worker.store.feedback.reports import names_a_submission
from worker.store.schema.tables import report

_waits = report.c.request_id.is_(None) & report.c.gateway_id.is_not(None)


def exist(connection: Connection, accounts: Collection[str]) -> bool:
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
