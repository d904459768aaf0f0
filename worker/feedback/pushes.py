"""Reads what gateways pushed: the web process has stored it raw, a worker reads it here.

Many pushes are read in one transaction. One that cannot be read at all is put aside, with its raw
bytes kept, and holds nothing up. A push changes the messages that it belongs to; it sends nothing.
"""

from collections.abc import Sequence
from itertools import groupby
from time import monotonic
from typing import Any
from urllib.parse import quote_from_bytes

import structlog
from sqlalchemy import Connection, Engine, Row

from worker.config.settings import Settings
from worker.domain.errors import Unavailable
from worker.feedback import raw_pages
from worker.gateways.base import Account
from worker.store.db import database
from worker.store.feedback import inbox
from worker.store.feedback.inbox import has_unread_pushes

log = structlog.get_logger()

#: Pushes in one transaction, and their bytes, about: some thousand reports, so that it ends long
#: before another process may begin beside it and wait for the same rows.
MAX_PUSHES = 500
MAX_BYTES = 256 * 1024
#: How long one run goes on; the next one continues.
MAX_DRAIN_SECONDS = 5.0


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
        count = _read_next(engine, settings)
        read_count += count
        if count == 0:
            break
    return read_count


def _read_next(engine: Engine, settings: Settings) -> int:
    """Read as many pushes as one transaction takes; if that fails, read them one by one."""
    try:
        return _read(engine, settings, MAX_PUSHES)
    except Unavailable:
        raise
    except Exception:  # noqa: BLE001 - whatever is wrong with one push must not stop the others
        return sum(_read_or_put_aside(engine, settings) for _ in range(MAX_PUSHES))


def _read_or_put_aside(engine: Engine, settings: Settings) -> int:
    """Read one push, or note that it cannot be read; return how many there were: 1 or 0."""
    try:
        return _read(engine, settings, 1)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - the same
        with database.writing(engine) as connection:
            rows = inbox.lock_unread_pushes(connection, push_accounts(settings), 1, MAX_BYTES)
            inbox.finish_pushes(connection, [(row.id, 0, 1) for row in rows])
        for row in rows:
            reason = type(error).__name__
            log.warning("push.put_aside", account=row.account, inbox=row.id, why=reason)
        return len(rows)


def _read(engine: Engine, settings: Settings, limit: int) -> int:
    """Read the `limit` oldest pushes in one transaction; return how many there were."""
    with database.writing(engine) as connection:
        rows = inbox.lock_unread_pushes(connection, push_accounts(settings), limit, MAX_BYTES)
        by_account = sorted(rows, key=lambda row: row.account)
        for name, account_rows in groupby(by_account, key=lambda row: str(row.account)):
            _read_account(connection, settings, settings.accounts[name], list(account_rows))
    return len(rows)


def _read_account(
    connection: Connection, settings: Settings, account: Account, rows: Sequence[Row[Any]]
) -> None:
    """Read an account's pushes, take in what they hold, and note that they were read."""
    contents = [(row.id, raw_pages.read_stored(account, row)) for row in rows]
    raw_pages.take(connection, settings, account.name, contents)
    inbox.finish_pushes(
        connection,
        [
            (inbox_id, len(push.reports) + len(push.inbound), push.damaged)
            for inbox_id, push in contents
        ],
    )
    damaged = sum(push.damaged for _, push in contents)
    if damaged:
        log.warning("push.damaged", account=account.name, first=contents[0][0], rows=damaged)


def format_target(method: str, query: bytes) -> str:
    """Return a push's method and query as they are stored; its path holds a token and is left out.

    Bytes that are not ASCII are percent-encoded, so that every charset survives.
    """
    return f"{method} ?{quoted_query(query)}" if query else method


def quoted_query(query: bytes) -> str:
    """Return a query as it came, with everything but printable ASCII percent-encoded."""
    return quote_from_bytes(query, safe="".join(map(chr, range(0x21, 0x7F))))
