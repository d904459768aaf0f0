"""Reading what gateways pushed: the web process has kept it raw, a worker reads it here.

Many pushes are read in one transaction. One that cannot be read at all is put aside, with its raw
bytes kept, and holds nothing up. A push changes messages that it belongs to; it sends nothing.
"""

from collections.abc import Sequence
from itertools import groupby
from time import monotonic
from typing import Any
from urllib.parse import quote_from_bytes

import httpx
import structlog
from sqlalchemy import Connection, Engine, Row

from worker.config.settings import Settings
from worker.domain.errors import Unavailable
from worker.feedback import inbound as inbound_module
from worker.feedback import reports as reports_module
from worker.gateways.base import Account
from worker.store import pushes
from worker.store.db import database

log = structlog.get_logger()

#: Pushes in one transaction, and their bytes, about: some thousand reports, so that it ends long
#: before another process may begin beside it and wait for the same rows.
MANY = 500
MOST_BYTES = 256 * 1024
#: How long one run goes on, in seconds; the next one continues.
LONGEST = 5.0


def receivers(settings: Settings) -> list[str]:
    """Return the names of the accounts that pushes are taken for."""
    return [name for name, one in settings.accounts.items() if one.settings.push_tokens]


def wait(engine: Engine, settings: Settings) -> bool:
    """Tell whether there is anything to read."""
    with database.reading(engine) as connection:
        return pushes.some_wait(connection, receivers(settings))


def drain(engine: Engine, settings: Settings) -> int:
    """Read the pushes that wait; returns how many were read."""
    done, until = 0, monotonic() + LONGEST
    while monotonic() < until:
        count = _some(engine, settings)
        done += count
        if count == 0:
            break
    return done


def _some(engine: Engine, settings: Settings) -> int:
    """Read as many as one transaction takes; if that fails, one by one."""
    try:
        return _read(engine, settings, MANY)
    except Unavailable:
        raise
    except Exception:  # noqa: BLE001 - whatever is wrong with one push must not stop the others
        return sum(_one(engine, settings) for _ in range(MANY))


def _one(engine: Engine, settings: Settings) -> int:
    try:
        return _read(engine, settings, 1)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - the same
        with database.writing(engine) as connection:
            rows = pushes.waiting(connection, receivers(settings), 1, MOST_BYTES)
            pushes.parsed(connection, [(row.id, 0, 1) for row in rows])
        for row in rows:
            why = type(error).__name__
            log.warning("push.put_aside", account=row.account, inbox=row.id, why=why)
        return len(rows)


def _read(engine: Engine, settings: Settings, many: int) -> int:
    with database.writing(engine) as connection:
        rows = pushes.waiting(connection, receivers(settings), many, MOST_BYTES)
        by_account = sorted(rows, key=lambda row: row.account)
        for name, group in groupby(by_account, key=lambda row: str(row.account)):
            _take(connection, settings, settings.accounts[name], list(group))
    return len(rows)


def _take(
    connection: Connection, settings: Settings, account: Account, rows: Sequence[Row[Any]]
) -> None:
    read = [(row.id, account.gateway.read_push(request(row))) for row in rows]
    sharing = sorted(settings.sharing(account.name), key=account.name.__ne__)
    reports = [(one, report) for one, found in read for report in found.reports]
    inbound = [(one, reply) for one, found in read for reply in found.inbound]
    if reports:
        reports_module.take_many(connection, sharing, reports)
    if inbound:
        inbound_module.take_many(connection, account.name, inbound)
    pushes.parsed(
        connection,
        [(one, len(found.reports) + len(found.inbound), found.damaged) for one, found in read],
    )
    damaged = sum(found.damaged for _, found in read)
    if damaged:
        log.warning("push.damaged", account=account.name, first=read[0][0], rows=damaged)


def target(method: str, query: bytes) -> str:
    """Write down a push's method and query; the path holds a token and is not kept.

    Bytes that are no ASCII are percent-encoded, so that every charset survives.
    """
    return f"{method} ?{quoted(query)}" if query else method


def quoted(query: bytes) -> str:
    """Return a query as it came, with what is no printable ASCII percent-encoded."""
    return quote_from_bytes(query, safe="".join(map(chr, range(0x21, 0x7F))))


def request(row: Row[Any]) -> httpx.Request:
    """Return a push as its gateway reads it."""
    method, _, query = (row.target or "POST").partition(" ?")
    url = httpx.URL("http://push/", query=query.encode("ascii"))
    return httpx.Request(method, url, headers=row.headers or {}, content=bytes(row.body))
