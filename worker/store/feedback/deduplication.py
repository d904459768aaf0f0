"""Store what a gateway may say more than once as one row, known by its account and its digest."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, select, update

from worker.store.db import capabilities
from worker.store.db.clock import now
from worker.store.db.dialects import any_of_in_parts, insert_if_absent, is_any_of
from worker.store.db.pg_arrays import packed_columns, parameter_table


def add_new(
    connection: Connection, table: Table, time_column: str, rows: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Insert those rows of an account that are new, and return their ids by their digests.

    `time_column` is the column that gets the time of now.
    """
    rows_by_digest = {row["digest"]: row for row in rows}
    if not rows_by_digest:
        return {}
    if capabilities.takes_columns(connection):
        names = list(rows[0])
        parameters = parameter_table({name: table.c[name] for name in names})
        insertion = insert_if_absent(connection, table).from_select(
            [*names, time_column], select(*parameters.c, now())
        )
        # It returns the rows that it has inserted, and no others.
        returning = insertion.returning(table.c.digest, table.c.id)
        inserted = connection.execute(returning, packed_columns(list(rows_by_digest.values())))
        return dict(iter(inserted))
    of_account = table.c.account == rows[0]["account"]
    for digest, _ in _stored_ids(connection, table, of_account, rows_by_digest):
        del rows_by_digest[digest]
    if not rows_by_digest:
        return {}
    insertion = insert_if_absent(connection, table).values({time_column: now()})
    connection.execute(insertion, list(rows_by_digest.values()))
    return dict(_stored_ids(connection, table, of_account, rows_by_digest))


def _stored_ids(
    connection: Connection, table: Table, of_account: Any, digests: Collection[str]
) -> Iterator[tuple[str, int]]:
    """Yield the digests that are stored for an account, with the ids of their rows."""
    query = select(table.c.digest, table.c.id).where(of_account)
    for is_digest in any_of_in_parts(connection, table.c.digest, list(digests)):
        yield from connection.execute(query.where(is_digest).order_by(table.c.id)).all()


def correct_misread(
    connection: Connection, table: Table, inbox_id: int, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    """Correct rows that an earlier reading of a page stored otherwise, and return these.

    `rows` are all that the page says now. One whose digest is not stored takes the place of the
    first stored row of the same number that the page does not say any more: it stays one row, and
    counts once.
    """
    rows_by_digest = {row["digest"]: row for row in rows}
    if not rows_by_digest:
        return []
    of_account = table.c.account == rows[0]["account"]
    stored_digests = connection.execute(
        select(table.c.digest).where(
            of_account, is_any_of(connection, table.c.digest, rows_by_digest)
        )
    ).scalars()
    new_rows: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for digest in rows_by_digest.keys() - set(stored_digests):
        new_rows[rows_by_digest[digest]["msisdn"]].append(rows_by_digest[digest])
    if not new_rows:
        return []
    is_stale = (
        of_account,
        table.c.inbox_id == inbox_id,
        table.c.msisdn.in_(list(new_rows)),
        table.c.digest.not_in(list(rows_by_digest)),
    )
    stale = connection.execute(
        select(table.c.id, table.c.msisdn).where(*is_stale).order_by(table.c.id)
    ).all()
    corrected_ids = []
    for stale_row in stale:
        if new_rows[stale_row.msisdn]:
            correction = new_rows[stale_row.msisdn].pop(0)
            connection.execute(update(table).where(table.c.id == stale_row.id).values(**correction))
            corrected_ids.append(stale_row.id)
    query = select(table).where(table.c.id.in_(corrected_ids)).order_by(table.c.id)
    return list(connection.execute(query)) if corrected_ids else []
