"""Reads the pages and pushes that wait in the inbox, each apart: none of them holds up another.

A page is taken in some rows at a time, each time in a short transaction. One that cannot be read is
put aside with the reason, its bytes kept: `xinshi doctor` names it, `xinshi collect reparse` has it
read again.
"""

from collections.abc import Callable, Collection
from functools import partial
from time import monotonic
from typing import NamedTuple

import structlog
from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.errors import Unavailable
from worker.feedback import raw_pages
from worker.gateways.reading import PageContents
from worker.gateways.results import Result
from worker.store.db import database
from worker.store.feedback import inbox

log = structlog.get_logger()

#: How many rows of a page one transaction takes in.
MAX_ROWS = 2000
#: How long one run takes in pages; the next one goes on.
MAX_SECONDS = 3.0
#: How many unread pages one run reads at the most.
MAX_PAGES = 100
#: After so many pages that the database did not take, a run ends.
MAX_UNAVAILABLE = 3


class PageReading(NamedTuple):
    """What came of reading a page: its rows, the new ones among them, and what went wrong."""

    rows: int = 0
    new_rows: int = 0
    #: Why the gateway refused to give a page.
    refusal: Result | None = None
    #: Why the page was put aside.
    problem: str | None = None


def read_waiting(engine: Engine, settings: Settings) -> None:
    """Read pages that a crash, or a run that had no more time, left unread.

    Pages of accounts that are not configured wait until they are.
    """
    with database.reading(engine) as connection:
        ids = inbox.unread_page_ids(connection, list(settings.accounts), MAX_PAGES)
    read_apart(engine, settings, ids, monotonic() + MAX_SECONDS)


def read_apart(engine: Engine, settings: Settings, ids: Collection[int], deadline: float) -> None:
    """Read pages or pushes one after the other until `deadline` (monotonic).

    Raises `Unavailable` at the end when the database did not take all of them.
    """
    errors: list[Unavailable] = []
    for inbox_id in ids:
        if monotonic() >= deadline or len(errors) == MAX_UNAVAILABLE:
            break
        try:
            _read_row(engine, settings, inbox_id, deadline)
        except Unavailable as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _read_row(engine: Engine, settings: Settings, inbox_id: int, deadline: float) -> None:
    with database.reading(engine) as connection:
        row = inbox.find(connection, inbox_id)
    if row is not None:
        account = settings.accounts[row.account]
        read = partial(raw_pages.read_stored, account, row)
        take_in(engine, settings, account.name, inbox_id, read, deadline)


def take_in(
    engine: Engine,
    settings: Settings,
    account: str,
    inbox_id: int,
    read: Callable[[], PageContents],
    deadline: float,
) -> PageReading:
    """Read a stored page or push by `read`, and take in its rows until `deadline` (monotonic).

    What it has no time for waits for the next run. Whatever reading or storing it raises puts it
    aside, but for `Unavailable`.
    """
    try:
        contents = read()
        new_rows = _take_rows(engine, settings, account, inbox_id, contents, deadline)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a page stops no other
        problem = f"cannot be read: {type(error).__name__}"
        with database.writing(engine) as connection:
            inbox.put_aside(connection, inbox_id, problem)
        log.warning("page.put_aside", account=account, inbox=inbox_id, why=type(error).__name__)
        return PageReading(problem=f"{problem}; put aside as {inbox_id}")
    if contents.damaged:
        log.warning("page.damaged", account=account, inbox=inbox_id, rows=contents.damaged)
    return PageReading(contents.rows, new_rows, contents.refusal)


def _take_rows(
    engine: Engine,
    settings: Settings,
    account: str,
    inbox_id: int,
    contents: PageContents,
    deadline: float,
) -> int:
    """Take in rows, `MAX_ROWS` in a transaction; return how many were new.

    Where it ends is written down with the rows. Two processes that read one page take in each row
    once: the other finds it stored.
    """
    new_rows = 0
    while True:
        with database.writing(engine) as connection:
            start = inbox.lock_unread(connection, inbox_id)
            if start is None:
                return new_rows
            part = contents.part(start, MAX_ROWS)
            new_rows += raw_pages.take(connection, settings, account, [(inbox_id, part)])
            end = start + part.rows
            if end >= contents.rows:
                inbox.finish_page(connection, inbox_id, contents.rows, contents.damaged)
                return new_rows
            inbox.note_rows(connection, inbox_id, end)
        if monotonic() >= deadline:
            return new_rows
