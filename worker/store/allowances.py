"""What was taken of allowances, counted on the database's clock, the same for all processes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, tuple_, update

from worker.domain import recipient_windows
from worker.domain.recipient_windows import CountedCall, Window
from worker.store.db.clock import now
from worker.store.db.dialects import insert_unless_there
from worker.store.schema.tables import allowance


@dataclass(frozen=True, order=True, slots=True)
class AllowanceClaim:
    """One more of `what` for `who`, if the windows have room."""

    what: str
    who: str
    windows: tuple[Window, ...]


def take(connection: Connection, wanted: Sequence[Collection[AllowanceClaim]]) -> list[float]:
    """Count the claims of each order, all of an order or none; in the orders' order.

    Returns for each 0, or the seconds to wait: then nothing was counted for it. Rows are locked in
    one order, so that two takers of the same never wait for each other.
    """
    names = sorted({(claim.what, claim.who) for claims in wanted for claim in claims})
    if not names:
        return [0.0] * len(wanted)
    at, taken = _locked(connection, names)
    waits = [_count(taken, set(claims), at) for claims in wanted]
    limits = {(claim.what, claim.who): claim.windows for claims in wanted for claim in claims}
    changed = {
        (claim.what, claim.who)
        for claims, wait in zip(wanted, waits, strict=True)
        if not wait
        for claim in claims
    }
    rows = [_row(name, limits[name], taken[name], at) for name in sorted(changed)]
    if rows:
        here = (allowance.c.what == bindparam("one")) & (allowance.c.who == bindparam("whose"))
        connection.execute(
            update(allowance)
            .where(here)
            .values(taken=bindparam("moments"), forget_at=bindparam("until")),
            rows,
        )
    return [wait / 1000 for wait in waits]


Name = tuple[str, str]


def _locked(connection: Connection, names: Sequence[Name]) -> tuple[int, dict[Name, list[int]]]:
    """Return the database's time and what was taken, in milliseconds, under the rows' locks."""
    fresh = insert_unless_there(connection, allowance).values(taken=[], forget_at=now())
    connection.execute(fresh, [{"what": what, "who": who} for what, who in names])
    rows = connection.execute(
        select(allowance.c.what, allowance.c.who, allowance.c.taken, now().label("at"))
        .where(tuple_(allowance.c.what, allowance.c.who).in_(names))
        .order_by(allowance.c.what, allowance.c.who)
        .with_for_update()
    ).all()
    at = max(recipient_windows.milliseconds(row.at) for row in rows)
    return at, {(row.what, row.who): list(row.taken) for row in rows}


def _count(taken: Mapping[Name, list[int]], claims: Collection[AllowanceClaim], at: int) -> float:
    wait = max((_wait(taken[claim.what, claim.who], claim, at) for claim in claims), default=0)
    if not wait:
        for claim in claims:
            taken[claim.what, claim.who].append(at)
    return wait


def _wait(taken: Sequence[int], claim: AllowanceClaim, at: int) -> int:
    return recipient_windows.wait(claim.windows, [CountedCall(1, one, one) for one in taken], at, 0)


def _row(name: Name, limits: Sequence[Window], taken: Sequence[int], at: int) -> dict[str, Any]:
    counted = recipient_windows.counting(limits, [CountedCall(1, one, one) for one in taken], at)
    until = max(recipient_windows.counts_until(limits, one) for one in counted)
    return {
        "one": name[0],
        "whose": name[1],
        "moments": [one.ended for one in counted],
        "until": datetime.fromtimestamp(until / 1000, UTC),
    }


def forget(connection: Connection) -> int:
    """Remove what no window counts any more; returns how many rows."""
    return connection.execute(delete(allowance).where(allowance.c.forget_at < now())).rowcount
