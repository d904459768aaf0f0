"""What was taken of allowances, counted on the database's clock, the same for all processes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from worker import allowance as counting
from worker.allowance import Window
from worker.clock import later, now
from worker.store.rows import insert_unless_there
from worker.tables import allowance


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
    forget = later(max(window.seconds for window in claim.windows))
    fresh = insert_unless_there(connection, allowance).values(
        what=claim.what, who=claim.who, taken=[], forget_at=forget
    )
    connection.execute(fresh)
    row = connection.execute(
        select(allowance.c.taken, now().label("at")).where(here).with_for_update()
    ).one()
    at = row.at.timestamp()
    taken: Sequence[float] = row.taken
    wait = counting.wait(taken, claim.windows, at)
    if wait <= 0:
        more = [*counting.kept(taken, claim.windows, at), at]
        connection.execute(update(allowance).where(here).values(taken=more, forget_at=forget))
    return wait


def forget(connection: Connection) -> int:
    """Remove what no window counts any more; returns how many rows."""
    return connection.execute(delete(allowance).where(allowance.c.forget_at < now())).rowcount
