"""Due rows: whoever moves `next_at` on runs the tick, so that two beats are as good as one."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from worker.store.db.clock import later, now
from worker.store.db.dialects import insert_unless_there
from worker.store.schema.tables import tick


def ensure(connection: Connection, names: set[str]) -> None:
    """Make sure that each tick has its row, due at once."""
    made = insert_unless_there(connection, tick)
    for name in sorted(missing(connection, names)):
        connection.execute(made.values(name=name, next_at=now()))


def missing(connection: Connection, names: set[str]) -> set[str]:
    """Return the ticks that have no row yet."""
    there = connection.execute(select(tick.c.name).where(tick.c.name.in_(names))).scalars()
    return names - set(there)


def look(connection: Connection, names: set[str]) -> tuple[list[str], set[str]]:
    """Return the ticks whose time has come and which nobody is at, and those without a row yet."""
    is_due = and_(tick.c.next_at <= now(), _free).label("due")
    rows = connection.execute(select(tick.c.name, is_due).where(tick.c.name.in_(names))).all()
    return [row.name for row in rows if row.due], names - {row.name for row in rows}


_free = or_(tick.c.lease_until.is_(None), tick.c.lease_until <= now())


def take(
    connection: Connection,
    name: str,
    owner: str,
    *,
    every: float,
    lease: float,
    force: bool = False,
) -> bool:
    """Take a tick that is due (or, with `force`, that nobody is at): next time `every` from now."""
    where = [tick.c.name == name, _free]
    if not force:
        where.append(tick.c.next_at <= now())
    taken = connection.execute(
        update(tick)
        .where(*where)
        .values(next_at=later(every), lease_until=later(lease), owner=owner)
    )
    return taken.rowcount == 1


def leave(connection: Connection, name: str, owner: str) -> None:
    """Let the next one at it."""
    connection.execute(
        update(tick).where(tick.c.name == name, tick.c.owner == owner).values(lease_until=None)
    )


def cursor(connection: Connection, name: str) -> Mapping[str, Any]:
    """Return where a tick goes on; empty when it has not begun."""
    return connection.execute(select(tick.c.cursor).where(tick.c.name == name)).scalar() or {}


def write_cursor(connection: Connection, name: str, where: Mapping[str, Any]) -> None:
    """Keep where a tick goes on."""
    connection.execute(update(tick).where(tick.c.name == name).values(cursor=dict(where)))


def late(connection: Connection, name: str) -> float | None:
    """Return for how many seconds a tick has been due; None when it never had a row."""
    row = connection.execute(select(tick.c.next_at, now()).where(tick.c.name == name)).first()
    return None if row is None else float((row[1] - row[0]).total_seconds())
