"""Takes in what one stored page or push holds, some rows at a time, each time in a transaction.

One that cannot be read is put aside with the reason, its bytes kept: `xinshi doctor` names it,
`xinshi collect reparse` has it read again. So does it with one that was cut off, whose whole rows
are taken in before.
"""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

import structlog
from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.errors import Unavailable
from worker.feedback import raw_pages
from worker.gateways.page_contents import PageContents
from worker.gateways.results import Result
from worker.store.db import capabilities, database
from worker.store.feedback import inbox

log = structlog.get_logger()

#: How many rows of a page one transaction takes in; in a file, at which there is one writer at a
#: time, so few that codes need not wait long for it.
MAX_ROWS = 2000
MAX_ROWS_IN_FILE = 200
#: How long one run takes in pages; the next one goes on.
MAX_SECONDS = 3.0


class PageReading(NamedTuple):
    """What came of reading a page: its rows, the new ones among them, and what went wrong."""

    rows: int = 0
    new_rows: int = 0
    #: Why the gateway refused to give a page.
    refusal: Result | None = None
    #: Why the page was put aside.
    problem: str | None = None
    #: Why the page was cut off on its way; "" when it is whole.
    cut: str = ""


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
    if contents.cut:
        log.warning(
            "page.cut", account=account, inbox=inbox_id, rows=contents.rows, why=contents.cut
        )
    elif contents.damaged:
        log.warning("page.damaged", account=account, inbox=inbox_id, rows=contents.damaged)
    return PageReading(contents.rows, new_rows, contents.refusal, cut=contents.cut)


def _take_rows(
    engine: Engine,
    settings: Settings,
    account: str,
    inbox_id: int,
    contents: PageContents,
    deadline: float,
) -> int:
    """Take in rows, some in each transaction; return how many were new.

    Where it ends is written down with the rows. Two processes that read one page take in each row
    once: the other finds it stored.
    """
    new_rows, max_rows = 0, MAX_ROWS_IN_FILE if capabilities.is_file(engine) else MAX_ROWS
    while True:
        with database.writing(engine) as connection:
            start = inbox.lock_unread(connection, inbox_id)
            if start is None:
                return new_rows
            part = contents.part(start, max_rows)
            new_rows += raw_pages.take(connection, settings, account, [(inbox_id, part)])
            end = start + part.rows
            if end >= contents.rows:
                inbox.finish_page(
                    connection, inbox_id, contents.rows, contents.damaged, contents.cut
                )
                return new_rows
            inbox.note_rows(connection, inbox_id, end)
        if monotonic() >= deadline:
            return new_rows
