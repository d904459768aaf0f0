"""Find the numbers that accounts wrote to lately and that fit masked ones, in one pass."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, String, and_, func, select

from worker.domain.transitions import MAYBE_TAKEN_SUBMISSION_STATES
from worker.store.db.clock import later
from worker.store.db.dialects import MAX_NAMED_VALUES
from worker.store.schema.tables import message, request, submission

#: How long a submission may have waited for its call, in seconds.
MAX_WAIT_SECONDS = 24 * 3600.0


def fitting(
    connection: Connection, accounts: Collection[str], masks: Collection[str], seconds: float
) -> list[Row[Any]]:
    """Return number and extension of what accounts sent in the last `seconds`, where a mask fits.

    A mask is a number with its middle hidden by `*`. All are looked for together: the statements
    are as many as there are forms of masks, and not as there are masks.
    """
    floor = _first_id_since(connection, seconds + MAX_WAIT_SECONDS)
    if floor is None:
        return []
    recent = (
        submission.c.id >= floor,
        submission.c.account.in_(list(accounts)),
        submission.c.called_at >= later(-seconds),
        submission.c.state.in_([state.value for state in MAYBE_TAKEN_SUBMISSION_STATES]),
    )
    rows: list[Row[Any]] = []
    for fits in _conditions(masks):
        for query in _queries():
            rows += connection.execute(query.where(*recent, fits))
    return rows


def _first_id_since(connection: Connection, seconds: float) -> int | None:
    """Return the id of the oldest submission that is younger than `seconds`; None without one.

    Submissions have no index by time and their ids grow with it: a few ids are looked up.
    """
    since = connection.execute(select(later(-seconds))).scalar_one()
    newest = connection.execute(select(func.max(submission.c.id))).scalar()
    low, high = 1, (newest or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            select(submission.c.id, submission.c.created_at)
            .where(submission.c.id >= middle)
            .order_by(submission.c.id)
            .limit(1)
        ).first()
        if row is None or row.created_at >= since:
            high = middle
        else:
            low = row.id + 1
    return low if newest is not None and low <= newest else None


def _conditions(masks: Collection[str]) -> Iterator[ColumnElement[bool]]:
    """Yield a condition for each form of masks: how much they show in front, and at the end."""
    ends_by_form: dict[tuple[int, int, int], set[str]] = defaultdict(set)
    for mask in masks:
        head, tail = mask.split("*", 1)[0], mask.rsplit("*", 1)[1]
        ends_by_form[len(mask), len(head), len(tail)].add(head + tail)
    number = message.c.msisdn
    for (length, head_length, tail_length), ends in ends_by_form.items():
        shown = func.substr(number, 1, head_length, type_=String()).concat(
            func.substr(number, length - tail_length + 1, tail_length, type_=String())
        )
        sorted_ends = sorted(ends)
        for start in range(0, len(sorted_ends), MAX_NAMED_VALUES):
            is_shown = shown.in_(sorted_ends[start : start + MAX_NAMED_VALUES])
            yield and_(func.length(number) == length, is_shown)


def _queries() -> Iterator[Select[Any]]:
    """Yield the queries of what submissions carry: by their range, and by name."""
    in_range = and_(
        message.c.request_id == submission.c.request_id,
        message.c.n >= submission.c.lo,
        message.c.n < submission.c.hi,
        message.c.submission_id.is_(None),
    )
    for is_carried in (in_range, message.c.submission_id == submission.c.id):
        yield (
            select(message.c.msisdn, request.c.extension)
            .select_from(submission)
            .join(message, is_carried)
            .join(request, request.c.id == message.c.request_id)
            .distinct()
        )
