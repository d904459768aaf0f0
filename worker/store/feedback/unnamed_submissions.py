"""Find the submissions whose id at the gateway we never learned, and write down learned ids."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, select, update

from worker.domain.transitions import ADOPTING_SUBMISSION_STATES
from worker.store.db.clock import later
from worker.store.feedback.reports import Origin, origin_of
from worker.store.schema.tables import submission

#: Written out: a server that plans for any state would not use the index of these two.
_STATES: BindParameter[Any] = bindparam(
    "states",
    [state.value for state in ADOPTING_SUBMISSION_STATES],
    expanding=True,
    literal_execute=True,
)
_is_unnamed = submission.c.gateway_id.is_(None) & submission.c.state.in_(_STATES)


def newest(
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


def by_ids(connection: Connection, ids: Collection[int]) -> list[Origin]:
    """Return submissions, whatever became of them."""
    query = select(submission).where(submission.c.id.in_(list(ids)))
    return [origin_of(row) for row in connection.execute(query)]


def lock(connection: Connection, ids: Collection[int]) -> dict[int, Origin]:
    """Lock the submissions whose id is still not known, and return them by our id."""
    query = select(submission).where(submission.c.id.in_(list(ids)), _is_unnamed)
    rows = connection.execute(query.order_by(submission.c.id).with_for_update())
    return {row.id: origin_of(row) for row in rows}


def adopt(connection: Connection, submission_id: int, gateway_id: str) -> None:
    """Store the id that a gateway gave to a submission, learned from its reports."""
    connection.execute(
        update(submission)
        .where(submission.c.id == submission_id, submission.c.gateway_id.is_(None))
        .values(gateway_id=gateway_id)
    )
