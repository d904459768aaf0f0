"""Count what is taken of allowances, on the database's clock and for all processes alike."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, tuple_, update

from worker.domain import recipient_windows
from worker.domain.recipient_windows import CountedCall, Window
from worker.store.db.clock import now
from worker.store.db.dialects import insert_if_absent
from worker.store.schema.tables import allowance


@dataclass(frozen=True, order=True, slots=True)
class AllowanceClaim:
    """A wish to count `count` more of `what` for `who`, if the windows have room for all of them.

    No window may be smaller than `count`.
    """

    what: str
    who: str
    windows: tuple[Window, ...]
    count: int = 1


def take(connection: Connection, orders: Sequence[Collection[AllowanceClaim]]) -> list[float]:
    """Count the claims of each order, in their sequence: all claims of an order, or none.

    Returns for each order 0, or the seconds to wait: then nothing was counted for it. Rows are
    locked in the order of their names, so that two takers of the same never wait for each other.
    """
    windows_by_name = {
        (claim.what, claim.who): claim.windows for claims in orders for claim in claims
    }
    if not windows_by_name:
        return [0.0] * len(orders)
    at, times_by_name = _lock(connection, sorted(windows_by_name))
    waits = [_count(times_by_name, set(claims), at) for claims in orders]
    counted_names = {
        (claim.what, claim.who)
        for claims, wait in zip(orders, waits, strict=True)
        if not wait
        for claim in claims
    }
    rows = [
        _update_row(name, windows_by_name[name], times_by_name[name], at)
        for name in sorted(counted_names)
    ]
    if rows:
        is_named = (allowance.c.what == bindparam("counted")) & (
            allowance.c.who == bindparam("whose")
        )
        connection.execute(
            update(allowance)
            .where(is_named)
            .values(taken=bindparam("moments"), forget_at=bindparam("until")),
            rows,
        )
    return [wait / 1000 for wait in waits]


#: A row's key: what is counted, and for whom.
_Name = tuple[str, str]


def _lock(connection: Connection, names: Sequence[_Name]) -> tuple[int, dict[_Name, list[int]]]:
    """Lock rows; return the database's time and when each was taken, in milliseconds."""
    insertion = insert_if_absent(connection, allowance).values(taken=[], forget_at=now())
    connection.execute(insertion, [{"what": what, "who": who} for what, who in names])
    rows = connection.execute(
        select(allowance.c.what, allowance.c.who, allowance.c.taken, now().label("at"))
        .where(tuple_(allowance.c.what, allowance.c.who).in_(names))
        .order_by(allowance.c.what, allowance.c.who)
        .with_for_update()
    ).all()
    at = max(recipient_windows.epoch_milliseconds(row.at) for row in rows)
    return at, {(row.what, row.who): list(row.taken) for row in rows}


def _count(
    times_by_name: Mapping[_Name, list[int]], claims: Collection[AllowanceClaim], at: int
) -> float:
    """Return 0 and count claims when all have room; else the milliseconds to wait."""
    wait = max(
        (_wait(times_by_name[claim.what, claim.who], claim, at) for claim in claims), default=0
    )
    if not wait:
        for claim in claims:
            times_by_name[claim.what, claim.who] += [at] * claim.count
    return wait


def _wait(times: Sequence[int], claim: AllowanceClaim, at: int) -> int:
    """Return the milliseconds until the last of a claim fits, as if the others came just now."""
    times_with_others = [*times, *[at] * (claim.count - 1)]
    return recipient_windows.wait(claim.windows, _as_calls(times_with_others), at, 0)


def _update_row(
    name: _Name, windows: Sequence[Window], times: Sequence[int], at: int
) -> dict[str, Any]:
    counted = recipient_windows.counted_calls(windows, _as_calls(times), at)
    counted_until = max(recipient_windows.counts_until(windows, call) for call in counted)
    return {
        "counted": name[0],
        "whose": name[1],
        "moments": [call.ended for call in counted],
        "until": datetime.fromtimestamp(counted_until / 1000, UTC),
    }


def _as_calls(times: Sequence[int]) -> list[CountedCall]:
    """Return each time as a call that began and ended then, which windows can count."""
    return [CountedCall(1, time, time) for time in times]


def forget(connection: Connection, limit: int) -> int:
    """Delete up to `limit` rows of which no window counts anything any more; return how many."""
    names = connection.execute(
        select(allowance.c.what, allowance.c.who)
        .where(allowance.c.forget_at < now())
        .order_by(allowance.c.what, allowance.c.who)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if names:
        is_named = tuple_(allowance.c.what, allowance.c.who).in_([tuple(name) for name in names])
        connection.execute(delete(allowance).where(is_named))
    return len(names)
