"""What was taken of allowances, counted on the database's clock, the same for all processes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select, update

from worker import windows
from worker.clock import now
from worker.store.rows import insert_unless_there
from worker.tables import allowance
from worker.windows import Call, Window


@dataclass(frozen=True, order=True, slots=True)
class Claim:
    """One more of `what` for `who`, if the windows have room."""

    what: str
    who: str
    windows: tuple[Window, ...]


def take(connection: Connection, claims: Iterable[Claim]) -> float:
    """Count all claims; returns 0, or the seconds to wait: then the caller rolls back.

    Rows are locked in their order, so that two takers of the same never wait for each other.
    """
    longest = 0.0
    for claim in sorted(set(claims)):
        longest = max(longest, _take(connection, claim))
    return longest


def _take(connection: Connection, claim: Claim) -> float:
    here = (allowance.c.what == claim.what) & (allowance.c.who == claim.who)
    fresh = insert_unless_there(connection, allowance).values(
        what=claim.what, who=claim.who, taken=[], forget_at=now()
    )
    connection.execute(fresh)
    row = connection.execute(
        select(allowance.c.taken, now().label("at")).where(here).with_for_update()
    ).one()
    at = windows.milliseconds(row.at)
    calls = [Call(1, moment, moment) for moment in row.taken]
    wait = windows.wait(claim.windows, calls, at, 0)
    if not wait:
        counted = windows.counting(claim.windows, [*calls, Call(1, at, at)], at)
        until = max(windows.counts_until(claim.windows, one) for one in counted)
        forget_at = datetime.fromtimestamp(until / 1000, UTC)
        taken = [one.ended for one in counted]
        connection.execute(update(allowance).where(here).values(taken=taken, forget_at=forget_at))
    return wait / 1000


def forget(connection: Connection) -> int:
    """Remove what no window counts any more; returns how many rows."""
    return connection.execute(delete(allowance).where(allowance.c.forget_at < now())).rowcount
