"""Find the pages and pushes that wait for a person: put aside, or not read for long."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from worker.store.db.clock import later
from worker.store.schema.tables import inbox


class TroubledPages(NamedTuple):
    """How many pages and pushes of an account are in one kind of trouble, and since which id."""

    account: str
    #: Why they were put aside or cut off; None when they wait to be read.
    problem: str | None
    pages: int
    first_id: int


def put_aside(connection: Connection, seconds: float) -> list[TroubledPages]:
    """Return the pages of the last `seconds` that were put aside or cut off, by account and why."""
    return _troubled_pages(
        connection, inbox.c.problem.is_not(None), inbox.c.received_at >= later(-seconds)
    )


def overdue(connection: Connection, seconds: float) -> list[TroubledPages]:
    """Return the pages that wait to be read for more than `seconds`, by account."""
    return _troubled_pages(
        connection, inbox.c.parsed_at.is_(None), inbox.c.received_at < later(-seconds)
    )


def _troubled_pages(
    connection: Connection, *conditions: ColumnElement[bool]
) -> list[TroubledPages]:
    query = (
        select(inbox.c.account, inbox.c.problem, func.count(), func.min(inbox.c.id))
        .where(*conditions)
        .group_by(inbox.c.account, inbox.c.problem)
        .order_by(inbox.c.account, inbox.c.problem)
    )
    return [TroubledPages(*row) for row in connection.execute(query)]
