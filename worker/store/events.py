"""The append-only record of what happened, who did it and why."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select

from worker.clock import now
from worker.tables import event


def add(
    connection: Connection,
    name: str,
    who: str,
    *,
    account: str | None = None,
    request_id: int | None = None,
    n: int | None = None,
    submission_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append an event. `detail` holds no number, text or secret."""
    connection.execute(
        insert(event).values(
            at=now(),
            name=name,
            who=who[:64],
            account=account,
            request_id=request_id,
            n=n,
            submission_id=submission_id,
            detail=detail,
        )
    )


def of_message(
    connection: Connection, request_id: int, n: int, submission_id: int | None
) -> list[Row[Any]]:
    """Return what happened to a message and to its submission, the oldest first."""
    its_own = (event.c.request_id == request_id) & (event.c.n == n)
    its_submission = event.c.submission_id == submission_id
    about = its_own if submission_id is None else or_(its_own, its_submission)
    return list(connection.execute(select(event).where(about).order_by(event.c.id)))
