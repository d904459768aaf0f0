"""The append-only record of what happened, who did it and why."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select

from worker.store.db.clock import now
from worker.store.schema.tables import event, submission

#: There may be one for each submission: a search by name goes no further back.
LOOKED_THROUGH = 1_000_000


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


def add_each(
    connection: Connection,
    name: str,
    who: str,
    about: Sequence[tuple[int, str, Mapping[str, Any]]],
) -> None:
    """Append an event of each submission: its id, its account, the detail."""
    rows = [
        {
            "name": name,
            "who": who[:64],
            "account": account,
            "submission_id": one,
            "detail": dict(detail),
        }
        for one, account, detail in about
    ]
    if rows:
        connection.execute(insert(event).values(at=now()), rows)


def of_message(
    connection: Connection, request_id: int, n: int, submissions: Collection[int]
) -> list[Row[Any]]:
    """Return what happened to a message and to its submissions, the oldest first."""
    its_own = (event.c.request_id == request_id) & (event.c.n == n)
    about = or_(its_own, event.c.submission_id.in_(list(submissions)))
    return list(connection.execute(select(event).where(about).order_by(event.c.id)))


def of_submission(connection: Connection, submission_id: int) -> list[dict[str, Any]]:
    """Return what happened to a submission, the oldest first, as JSON shows it."""
    rows = connection.execute(
        select(event).where(event.c.submission_id == submission_id).order_by(event.c.id)
    )
    return [
        {"at": row.at.isoformat(), "name": row.name, "who": row.who, "detail": row.detail}
        for row in rows
    ]


def unmapped(connection: Connection, limit: int) -> list[Row[str, Any, str, str]]:
    """Return account, code and words of answers that stood in no table, the newest first.

    Only the last `LOOKED_THROUGH` events are looked through.
    """
    newest = select(func.max(event.c.id)).scalar_subquery()
    rows = connection.execute(
        select(event.c.account, event.c.detail, submission.c.code, submission.c.words)
        .join(submission, submission.c.id == event.c.submission_id)
        .where(event.c.name == "submission.unknown", event.c.id > newest - LOOKED_THROUGH)
        .order_by(event.c.id.desc())
        .limit(limit)
    )
    return [row for row in rows if (row.detail or {}).get("mapped") is False]
