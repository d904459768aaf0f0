"""Append to and read the record of what happened, who did it and why."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select

from worker.store.db.clock import later, now
from worker.store.schema.tables import event, submission

#: How far back a search by name goes: there may be one event for each submission.
MAX_SEARCHED_EVENTS = 1_000_000


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


def add_for_submissions(
    connection: Connection,
    name: str,
    who: str,
    submissions: Sequence[tuple[int, str, Mapping[str, Any]]],
) -> None:
    """Append an event for each submission, given as its id, its account and the detail."""
    rows = [
        {
            "name": name,
            "who": who[:64],
            "account": account,
            "submission_id": submission_id,
            "detail": dict(detail),
        }
        for submission_id, account, detail in submissions
    ]
    if rows:
        connection.execute(insert(event).values(at=now()), rows)


def newest(
    connection: Connection, limit: int, filters: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """Return the newest events, the newest first.

    `filters`: `name` is a whole name or its first word (`campaign`); `account`; `who`;
    `request_id`, a campaign's id or a request's; `since`, aware. None does not filter.
    """
    query = select(event).order_by(event.c.id.desc()).limit(limit)
    for column in ("account", "who", "request_id"):
        if filters.get(column) is not None:
            query = query.where(event.c[column] == filters[column])
    if name := filters.get("name"):
        query = query.where(or_(event.c.name == name, event.c.name.startswith(f"{name}.")))
    if filters.get("since") is not None:
        query = query.where(event.c.at >= filters["since"])
    return [dict(row) for row in connection.execute(query).mappings()]


def recent(connection: Connection, name: str, seconds: float, limit: int) -> list[Row[Any]]:
    """Return up to `limit` events of a name from the last `seconds`, the newest first.

    Only the last `MAX_SEARCHED_EVENTS` events are searched.
    """
    newest = select(func.max(event.c.id)).scalar_subquery()
    query = select(event.c.account, event.c.at, event.c.detail).where(
        event.c.name == name,
        event.c.at >= later(-seconds),
        event.c.id > newest - MAX_SEARCHED_EVENTS,
    )
    return list(connection.execute(query.order_by(event.c.id.desc()).limit(limit)))


def of_message(
    connection: Connection, request_id: int, n: int, submission_ids: Collection[int]
) -> list[Row[Any]]:
    """Return the events of a message and of its submissions, the oldest first."""
    of_message = (event.c.request_id == request_id) & (event.c.n == n)
    condition = or_(of_message, event.c.submission_id.in_(list(submission_ids)))
    return list(connection.execute(select(event).where(condition).order_by(event.c.id)))


def of_submission(connection: Connection, submission_id: int) -> list[dict[str, Any]]:
    """Return the events of a submission, the oldest first, as JSON shows them."""
    rows = connection.execute(
        select(event).where(event.c.submission_id == submission_id).order_by(event.c.id)
    )
    return [
        {"at": row.at.isoformat(), "name": row.name, "who": row.who, "detail": row.detail}
        for row in rows
    ]


def unmapped_answers(connection: Connection, limit: int) -> list[Row[str, Any, str, str]]:
    """Return account, code and words of answers that stood in no table, the newest first.

    Only the last `MAX_SEARCHED_EVENTS` events are searched.
    """
    newest = select(func.max(event.c.id)).scalar_subquery()
    rows = connection.execute(
        select(event.c.account, event.c.detail, submission.c.code, submission.c.words)
        .join(submission, submission.c.id == event.c.submission_id)
        .where(event.c.name == "submission.unknown", event.c.id > newest - MAX_SEARCHED_EVENTS)
        .order_by(event.c.id.desc())
        .limit(limit)
    )
    return [row for row in rows if (row.detail or {}).get("mapped") is False]
