"""API keys: found by their digest, made, listed, revoked."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from worker.domain.enums import Scope
from worker.store.db.clock import later, now
from worker.store.db.dialects import new_id
from worker.store.schema.tables import api_key

#: How coarse the time of the last use is, in seconds.
COARSE = 3600.0


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it stands; the key itself is known to nobody here."""

    id: int
    name: str
    scopes: frozenset[Scope]
    test: bool
    rate: float | None
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


def add(
    connection: Connection,
    name: str,
    digest: str,
    scopes: Collection[Scope],
    *,
    test: bool,
    rate: float | None,
) -> int:
    """Insert a key; returns its id."""
    row = insert(api_key).values(
        name=name,
        digest=digest,
        scopes=",".join(sorted(scopes)),
        test=test,
        rate=rate,
        created_at=now(),
    )
    return new_id(connection.execute(row))


def by_digest(connection: Connection, digest: str) -> Key | None:
    """Return the key of a digest, unless it is revoked."""
    row = connection.execute(
        select(api_key).where(api_key.c.digest == digest, api_key.c.revoked_at.is_(None))
    ).first()
    return None if row is None else _key(row)


def by_id(connection: Connection, key_id: int) -> Key | None:
    """Return a key, unless it is revoked."""
    row = connection.execute(
        select(api_key).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
    ).first()
    return None if row is None else _key(row)


def used(connection: Connection, key_id: int) -> None:
    """Note that a key is in use, once in `COARSE` seconds."""
    connection.execute(
        update(api_key)
        .where(
            api_key.c.id == key_id,
            or_(api_key.c.used_at.is_(None), api_key.c.used_at < later(-COARSE)),
        )
        .values(used_at=now())
    )


def listed(connection: Connection, name: str | None = None) -> list[Key]:
    """Return all keys, or those of a name, in the order in which they were made."""
    query = select(api_key).order_by(api_key.c.id)
    if name is not None:
        query = query.where(api_key.c.name == name)
    return [_key(row) for row in connection.execute(query)]


def revoke(connection: Connection, key_id: int) -> bool:
    """Make a key worthless; False when there is none or it was that already."""
    revoked = connection.execute(
        update(api_key)
        .where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    return revoked.rowcount == 1


def _key(row: Any) -> Key:
    return Key(
        row.id,
        row.name,
        frozenset(Scope(one) for one in row.scopes.split(",") if one),
        bool(row.test),
        row.rate,
        row.created_at,
        row.used_at,
        row.revoked_at,
    )
