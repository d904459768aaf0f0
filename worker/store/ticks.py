"""Read and write ticks: which are due, who runs them, where they go on.

The process that moves `next_at` on runs the tick, so two schedulers do no more than one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, false, or_, select, update

from worker.store.db.clock import later, now
from worker.store.db.dialects import insert_if_absent
from worker.store.schema.tables import tick

#: A tick that failed so often in a row does not come right by itself.
FAILING_RUNS = 2
#: A tick that nobody has run for so long is run no more.
GONE_SECONDS = 3600.0
#: A tick that every process runs, by which it shows that workers run at all.
SWEEP = "sweep"


def ensure(connection: Connection, names: set[str]) -> None:
    """Make sure that each tick has its row, due at once."""
    insertion = insert_if_absent(connection, tick)
    for name in sorted(missing_names(connection, names)):
        connection.execute(insertion.values(name=name, next_at=now()))


def missing_names(connection: Connection, names: set[str]) -> set[str]:
    """Return the ticks that have no row yet."""
    existing = connection.execute(select(tick.c.name).where(tick.c.name.in_(names))).scalars()
    return names - set(existing)


def due_and_missing(
    connection: Connection, names: set[str], seconds: float = 0.0
) -> tuple[list[str], set[str]]:
    """Return the ticks that are due and that nobody runs, and those that have no row yet.

    With `seconds` those that have been due, and free, for so long.
    """
    since = later(-seconds)
    is_free = or_(tick.c.lease_until.is_(None), tick.c.lease_until <= since)
    is_due = and_(tick.c.next_at <= since, is_free).label("due")
    rows = connection.execute(select(tick.c.name, is_due).where(tick.c.name.in_(names))).all()
    return [row.name for row in rows if row.due], names - {row.name for row in rows}


_is_free = or_(tick.c.lease_until.is_(None), tick.c.lease_until <= now())


def take(
    connection: Connection,
    name: str,
    owner: str,
    *,
    every: float,
    lease: float,
    force: bool = False,
) -> bool:
    """Take a tick that is due, or with `force` one that nobody runs; False when it cannot be had.

    It is due next in `every` seconds, and `owner` has it for `lease` seconds.
    """
    conditions = [tick.c.name == name, _is_free]
    if not force:
        conditions.append(tick.c.next_at <= now())
    taking = connection.execute(
        update(tick)
        .where(*conditions)
        .values(next_at=later(every), lease_until=later(lease), owner=owner)
    )
    return taking.rowcount == 1


def run_in(connection: Connection, name: str, seconds: float) -> None:
    """Let a tick be due in some seconds, whenever it was due."""
    ensure(connection, {name})
    connection.execute(update(tick).where(tick.c.name == name).values(next_at=later(seconds)))


def release(connection: Connection, name: str, owner: str, problem: str | None = None) -> None:
    """End the lease of a tick, so that another process can take it when it is due.

    `problem` is why this run failed; failures in a row are counted, a run that did not fail ends
    them.
    """
    failures = 0 if problem is None else tick.c.failures + 1
    connection.execute(
        update(tick)
        .where(tick.c.name == name, tick.c.owner == owner)
        .values(lease_until=None, failures=failures, problem=problem and problem[:200])
    )


class FailingTick(NamedTuple):
    """A tick whose last runs failed: how many in a row, and why the last one did."""

    name: str
    failures: int
    problem: str


def failing(connection: Connection) -> list[FailingTick]:
    """Return the ticks whose last `FAILING_RUNS` runs or more failed, by name.

    One that has been due for long is of an account that is configured no longer.
    """
    rows = connection.execute(
        select(tick.c.name, tick.c.failures, tick.c.problem)
        .where(tick.c.failures >= FAILING_RUNS, tick.c.next_at >= later(-GONE_SECONDS))
        .order_by(tick.c.name)
    )
    return [FailingTick(row.name, row.failures, row.problem or "") for row in rows]


def read_cursor(connection: Connection, name: str) -> Mapping[str, Any]:
    """Return where a tick goes on; empty when it has never stored that."""
    return connection.execute(select(tick.c.cursor).where(tick.c.name == name)).scalar() or {}


def lock_cursor(connection: Connection, name: str) -> Mapping[str, Any]:
    """Lock a tick's row, made if need be, and return where it goes on as `read_cursor` does."""
    ensure(connection, {name})
    query = select(tick.c.cursor).where(tick.c.name == name)
    return connection.execute(query.with_for_update()).scalar() or {}


def write_cursor(connection: Connection, name: str, cursor: Mapping[str, Any]) -> None:
    """Store where a tick goes on."""
    connection.execute(update(tick).where(tick.c.name == name).values(cursor=dict(cursor)))


def late_seconds(connection: Connection, name: str) -> float | None:
    """Return for how many seconds a tick has been due, negative before; None without a row."""
    row = connection.execute(select(tick.c.next_at, now()).where(tick.c.name == name)).first()
    return None if row is None else float((row[1] - row[0]).total_seconds())


def try_write(connection: Connection) -> None:
    """Write and change no row: it fails where nothing may be written."""
    connection.execute(update(tick).where(false()).values(name=tick.c.name))
