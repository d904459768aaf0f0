"""What a gateway says more than once is one row, known by its account and its digest."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, select, update

from worker.store.db.clock import now
from worker.store.db.dialects import in_parts, insert_unless_there, one_of
from worker.store.db.pg_arrays import given, lists


def add_new(
    connection: Connection, table: Table, stamp: str, rows: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Store rows of an account that are new, stamped with the time; their ids by their digests."""
    by_digest = {row["digest"]: row for row in rows}
    if not by_digest:
        return {}
    if connection.dialect.name == "postgresql":
        names = list(rows[0])
        each = given({name: table.c[name] for name in names})
        insertion = insert_unless_there(connection, table).from_select(
            [*names, stamp], select(*each.c, now())
        )
        # It returns those that it has inserted, and no others.
        made = insertion.returning(table.c.digest, table.c.id)
        return dict(iter(connection.execute(made, lists(list(by_digest.values())))))
    mine = table.c.account == rows[0]["account"]
    for digest, _ in _known(connection, table, mine, by_digest):
        del by_digest[digest]
    if not by_digest:
        return {}
    insertion = insert_unless_there(connection, table).values({stamp: now()})
    connection.execute(insertion, list(by_digest.values()))
    return dict(_known(connection, table, mine, by_digest))


def _known(
    connection: Connection, table: Table, mine: Any, digests: Collection[str]
) -> Iterator[tuple[str, int]]:
    query = select(table.c.digest, table.c.id).where(mine)
    for some in in_parts(connection, table.c.digest, list(digests)):
        yield from connection.execute(query.where(some).order_by(table.c.id)).all()


def correct(
    connection: Connection, table: Table, inbox_id: int, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    """Correct rows that an earlier reading of a page stored otherwise; returns these.

    One that is read otherwise now is the first of the same number that is read no more: it stays
    one row, and counts once.
    """
    by_digest = {row["digest"]: row for row in rows}
    if not by_digest:
        return []
    here = table.c.account == rows[0]["account"]
    known = connection.execute(
        select(table.c.digest).where(here, one_of(connection, table.c.digest, by_digest))
    ).scalars()
    fresh: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for digest in by_digest.keys() - set(known):
        fresh[by_digest[digest]["msisdn"]].append(by_digest[digest])
    if not fresh:
        return []
    stale = connection.execute(
        select(table.c.id, table.c.msisdn)
        .where(
            here,
            table.c.inbox_id == inbox_id,
            table.c.msisdn.in_(list(fresh)),
            table.c.digest.not_in(list(by_digest)),
        )
        .order_by(table.c.id)
    ).all()
    corrected = []
    for one in stale:
        if fresh[one.msisdn]:
            connection.execute(
                update(table).where(table.c.id == one.id).values(**fresh[one.msisdn].pop(0))
            )
            corrected.append(one.id)
    query = select(table).where(table.c.id.in_(corrected)).order_by(table.c.id)
    return list(connection.execute(query)) if corrected else []
