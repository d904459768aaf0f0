"""What changed, for whoever is told: noted in the transaction that changes it.

A note names messages and says nothing of them. Those of requests without a callback cost one look.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, exists, insert, select

from worker.store.db.clock import now
from worker.store.schema.tables import (
    callback,
    callback_event,
    message,
    request,
    submission,
)

#: Messages told in one event.
MOST = 500


@dataclass(frozen=True, slots=True)
class MessageRange:
    """Messages `lo <= n < hi` of a request."""

    request_id: int
    lo: int
    hi: int


def note(connection: Connection, spans: Iterable[MessageRange]) -> None:
    """Note that messages changed, for the callbacks of their requests; others cost one look."""
    by_request: dict[int, list[MessageRange]] = defaultdict(list)
    for span in spans:
        by_request[span.request_id].append(span)
    if not by_request:
        return
    told = connection.execute(
        select(request.c.id, request.c.callback_id).where(
            request.c.id.in_(list(by_request)), request.c.callback_id.is_not(None)
        )
    ).all()
    rows = [
        {"callback_id": of, "request_id": one, "lo": lo, "hi": hi}
        for one, of in told
        for lo, hi in _pieces(by_request[one])
    ]
    if rows:
        connection.execute(insert(callback_event).values(created_at=now(), next_at=now()), rows)


def of_submissions(connection: Connection, ids: Collection[int]) -> None:
    """Note that the messages of submissions changed with them."""
    if not ids or not connection.execute(select(exists().select_from(callback))).scalar():
        return
    rows = connection.execute(
        select(submission)
        .join(request, request.c.id == submission.c.request_id)
        .where(submission.c.id.in_(list(ids)), request.c.callback_id.is_not(None))
    )
    spans = [
        MessageRange(row.request_id, row.lo, row.hi) for row in rows.all() if row.lo is not None
    ]
    named = connection.execute(
        select(message.c.request_id, message.c.n).where(message.c.submission_id.in_(list(ids)))
    )
    spans += [MessageRange(one, n, n + 1) for one, n in named]
    note(connection, spans)


def came_in(connection: Connection, inbound_ids: Sequence[int]) -> None:
    """Note that inbound messages came, for the callbacks that are told of them."""
    if not inbound_ids:
        return
    told = connection.execute(
        select(callback.c.id).where(callback.c.inbound, callback.c.removed_at.is_(None))
    ).scalars()
    rows = [{"callback_id": of, "inbound_id": one} for of in told.all() for one in inbound_ids]
    if rows:
        connection.execute(insert(callback_event).values(created_at=now(), next_at=now()), rows)


def _pieces(spans: Sequence[MessageRange]) -> Iterable[tuple[int, int]]:
    """Join what touches, and cut it into pieces that one event tells."""
    joined: list[list[int]] = []
    for span in sorted(spans, key=lambda one: one.lo):
        if joined and span.lo <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], span.hi)
        else:
            joined.append([span.lo, span.hi])
    for lo, hi in joined:
        for at in range(lo, hi, MOST):
            yield at, min(at + MOST, hi)
