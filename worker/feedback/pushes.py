"""Reads what gateways pushed: the web process has stored it raw, a worker reads it here.

Many short pushes are read in one transaction, long ones apart and some rows at a time. One that
cannot be read at all is put aside, with its raw bytes kept, and holds nothing up. A push changes
the messages that it belongs to; it sends nothing.
"""

from collections.abc import Sequence
from itertools import groupby
from time import monotonic
from urllib.parse import quote_from_bytes

import structlog
from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.errors import Unavailable
from worker.feedback import raw_pages, unread_pages
from worker.gateways.page_contents import PageContents
from worker.store.db import database
from worker.store.feedback import inbox
from worker.store.feedback.inbox import has_unread_pushes

log = structlog.get_logger()

#: Pushes in one transaction, and their bytes: a few thousand reports at the most, so that it ends
#: long before another process may begin beside it and wait for the same rows.
MAX_PUSHES = 500
MAX_BYTES = 128 * 1024
#: How long one run goes on; the next one continues.
MAX_DRAIN_SECONDS = 3.0


def push_accounts(settings: Settings) -> list[str]:
    """Return the names of the accounts that pushes are taken for."""
    return [name for name, account in settings.accounts.items() if account.settings.push_tokens]


def has_waiting(engine: Engine, settings: Settings) -> bool:
    """Tell whether a push waits to be read."""
    with database.reading(engine) as connection:
        return has_unread_pushes(connection, push_accounts(settings))


def drain(engine: Engine, settings: Settings) -> int:
    """Read the pushes that wait; return how many were read."""
    read_count, deadline = 0, monotonic() + MAX_DRAIN_SECONDS
    while monotonic() < deadline:
        count = _read_next(engine, settings, deadline)
        read_count += count
        if count == 0:
            break
    return read_count


def _read_next(engine: Engine, settings: Settings, deadline: float) -> int:
    """Read as many pushes as one transaction takes; if that fails, read each of them apart."""
    accounts = push_accounts(settings)
    with database.reading(engine) as connection:
        ids = inbox.next_pushes(connection, accounts, MAX_PUSHES, MAX_BYTES)
    if len(ids) > 1:
        try:
            return _read_together(engine, settings, ids)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one of them must not stop the others
            log.warning("push.read_apart", first=ids[0], why=type(error).__name__)
    unread_pages.read_apart(engine, settings, ids, deadline)
    return len(ids)


def _read_together(engine: Engine, settings: Settings, ids: Sequence[int]) -> int:
    """Read pushes in one transaction; return how many of them nobody had read meanwhile.

    Their bytes are read before it begins: while SQLite's write lock is held, nobody else writes.
    """
    with database.reading(engine) as connection:
        rows = inbox.unread_pushes(connection, ids)
    contents = {row.id: raw_pages.read_stored(settings.accounts[row.account], row) for row in rows}
    with database.writing(engine) as connection:
        unread = inbox.lock_unread_pushes(connection, list(contents))
        for account, account_rows in groupby(
            sorted((row for row in rows if row.id in unread), key=lambda row: str(row.account)),
            key=lambda row: str(row.account),
        ):
            pushes = [(row.id, contents[row.id]) for row in account_rows]
            _take_pushes(connection, settings, account, pushes)
    return len(unread)


def _take_pushes(
    connection: Connection,
    settings: Settings,
    account: str,
    pushes: Sequence[tuple[int, PageContents]],
) -> None:
    """Take in what an account's pushes hold, and note that they were read."""
    raw_pages.take(connection, settings, account, pushes)
    inbox.finish_pushes(
        connection, [(inbox_id, push.rows, push.damaged) for inbox_id, push in pushes]
    )
    damaged = sum(push.damaged for _, push in pushes)
    if damaged:
        log.warning("push.damaged", account=account, first=pushes[0][0], rows=damaged)


def format_target(method: str, query: bytes) -> str:
    """Return a push's method and query as they are stored; its path holds a token and is left out.

    Bytes that are not ASCII are percent-encoded, so that every charset survives.
    """
    return f"{method} ?{quoted_query(query)}" if query else method


def quoted_query(query: bytes) -> str:
    """Return a query as it came, with everything but printable ASCII percent-encoded."""
    return quote_from_bytes(query, safe="".join(map(chr, range(0x21, 0x7F))))
