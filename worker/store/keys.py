"""Read and write API keys; a key is found by its digest."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from worker.domain.enums import Scope
from worker.store.db.clock import later, now
from worker.store.db.dialects import inserted_id
from worker.store.schema.tables import api_key

#: How exact the time of the last use is, in seconds.
USE_RESOLUTION_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key without the key itself, which is stored nowhere."""

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
    """Insert a key; return its id."""
    insertion = insert(api_key).values(
        name=name,
        digest=digest,
        scopes=",".join(sorted(scopes)),
        test=test,
        rate=rate,
        created_at=now(),
    )
    return inserted_id(connection.execute(insertion))


def find_by_digest(connection: Connection, digest: str) -> ApiKey | None:
    """Return the key of a digest; None when there is none, or it is revoked."""
    row = connection.execute(
        select(api_key).where(api_key.c.digest == digest, api_key.c.revoked_at.is_(None))
    ).first()
    return None if row is None else _key(row)


def find_by_id(connection: Connection, key_id: int) -> ApiKey | None:
    """Return a key; None when there is none, or it is revoked."""
    row = connection.execute(
        select(api_key).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
    ).first()
    return None if row is None else _key(row)


def note_use(connection: Connection, key_id: int) -> None:
    """Note that a key is in use, once in `USE_RESOLUTION_SECONDS`."""
    connection.execute(
        update(api_key)
        .where(
            api_key.c.id == key_id,
            or_(api_key.c.used_at.is_(None), api_key.c.used_at < later(-USE_RESOLUTION_SECONDS)),
        )
        .values(used_at=now())
    )


def lock_sender(connection: Connection, name: str) -> None:
    """Lock a sender's keys until the transaction ends, so that its callers take turns."""
    connection.execute(select(api_key.c.id).where(api_key.c.name == name).with_for_update())


def list_keys(connection: Connection, name: str | None = None) -> list[ApiKey]:
    """Return all keys, or those of a name, in the order in which they were made."""
    query = select(api_key).order_by(api_key.c.id)
    if name is not None:
        query = query.where(api_key.c.name == name)
    return [_key(row) for row in connection.execute(query)]


def revoke(connection: Connection, key_id: int) -> bool:
    """Revoke a key for good; False when there is none or it is revoked already."""
    revocation = connection.execute(
        update(api_key)
        .where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    return revocation.rowcount == 1


def _key(row: Any) -> ApiKey:
    return ApiKey(
        row.id,
        row.name,
        frozenset(Scope(scope) for scope in row.scopes.split(",") if scope),
        bool(row.test),
        row.rate,
        row.created_at,
        row.used_at,
        row.revoked_at,
    )
