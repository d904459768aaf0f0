"""Rows of a list that became no message of a campaign: store and read them.

They are numbered `n` in the order of the list; the rows of a block lie between the numbers of the
rows before it and after it, so that a block's rows can be replaced by themselves.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, func, insert, select

from worker.domain.enums import LeftOutReason
from worker.store.schema.tables import left_out_row


class LeftOutRow(NamedTuple):
    """A row that was left out: its line, its number, why; of a bad row, what is wrong with it."""

    line: int
    number: str
    reason: LeftOutReason
    problem: str | None = None


def replace(
    connection: Connection, request_id: int, lo: int, hi: int, rows: Sequence[LeftOutRow]
) -> None:
    """Store rows numbered from `lo`, in the place of all that are numbered `lo <= n < hi`."""
    connection.execute(
        delete(left_out_row).where(
            left_out_row.c.request_id == request_id,
            left_out_row.c.n >= lo,
            left_out_row.c.n < hi,
        )
    )
    add(connection, request_id, lo, rows)


def add(connection: Connection, request_id: int, lo: int, rows: Sequence[LeftOutRow]) -> None:
    """Store rows numbered from `lo`."""
    if rows:
        connection.execute(
            insert(left_out_row),
            [{"request_id": request_id, "n": n, **row._asdict()} for n, row in enumerate(rows, lo)],
        )


def last_n(connection: Connection, request_id: int) -> int:
    """Return the number of the last row that is stored of a campaign; -1 where there is none."""
    n = connection.execute(
        select(func.max(left_out_row.c.n)).where(left_out_row.c.request_id == request_id)
    ).scalar()
    return -1 if n is None else int(n)


def read(connection: Connection, request_id: int, after_n: int, limit: int) -> list[Row[Any]]:
    """Return a campaign's rows behind number `after_n`, in order, at most `limit` of them."""
    return list(
        connection.execute(
            select(left_out_row)
            .where(left_out_row.c.request_id == request_id, left_out_row.c.n > after_n)
            .order_by(left_out_row.c.n)
            .limit(limit)
        )
    )
