"""Collecting what gateways keep for us: reports, inbound messages, balances.

Reads at these gateways destroy what they return, so the raw page is committed to `inbox` before a
byte of it is read, and reading it can be repeated.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import structlog
from sqlalchemy import Connection, Engine, Row

from worker import failpoints
from worker.config.settings import Settings
from worker.delivery import account_guard
from worker.delivery.account_guard import GuardedClient
from worker.domain.enums import Outcome
from worker.domain.errors import NotAsked, WireError, XinshiError
from worker.feedback import inbound as inbound_module
from worker.feedback import reports as reports_module
from worker.gateways.base import Account
from worker.gateways.results import Balance, Page, Result
from worker.gateways.transport.client import GatewayClient
from worker.policy import inbound_cursor
from worker.store import accounts, inbox, spool, spool_entries, ticks
from worker.store.db import database

log = structlog.get_logger()
Out = TypeVar("Out")

#: Pages read in one go; the next tick goes on.
MOST_PAGES = 50
#: No page is asked for after so many seconds; the next tick goes on.
LONGEST = 5.0
#: How long a page waits that neither the database nor the disk takes, in seconds.
AFTER_A_FAILURE = 1.0
#: A page with fewer rows than this was the last one.
SMALL_PAGE = 50
_WORDS = {"reports": "reports", "inbound": "inbound messages"}


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection brought: pages, rows that were new, and why it ended early, if it did."""

    pages: int = 0
    new: int = 0
    problem: str | None = None
    #: Seconds until the gateway may be asked again, where it wants to be asked rarely.
    wait: float = 0.0
    #: False when it was not its turn, and nothing was sent.
    asked: bool = True


def lease(account: Account) -> float:
    """How long one collection may take: another process then takes it over, not much later."""
    return LONGEST + 2 * account.settings.timeout + 5.0


class Collector:
    """Asks accounts for what they keep; the caller holds the account's tick."""

    def __init__(self, settings: Settings, engine: Engine, wire: GatewayClient, owner: str) -> None:
        self.settings = settings
        self.engine = engine
        self.owner = owner
        self._asker = GuardedClient(settings, engine, wire)

    async def reports(self, account: Account) -> Collected:
        """Read reports until there are no more."""
        return await self._pages(account, "reports", account.gateway.reports_request)

    async def inbound(self, account: Account) -> Collected:
        """Read inbound messages: an hour where the gateway tells hours apart, else all."""
        if account.gateway.capabilities.inbound_by_hour:
            return await self._hour(account)
        return await self._pages(account, "inbound", account.gateway.inbound_request)

    async def _pages(
        self, account: Account, kind: str, ask: Callable[[datetime], httpx.Request | None]
    ) -> Collected:
        """Read pages until one is small; the next tick goes on with what is left."""
        done, until = Collected(), time.monotonic() + LONGEST
        while done.pages < MOST_PAGES and time.monotonic() < until:
            request = ask(datetime.now(UTC))
            if request is None:
                return Collected(problem=f"has no {_WORDS[kind]} to collect")
            try:
                rows, new, problem = await self._page(account, kind, request)
            except NotAsked as error:
                return Collected(done.pages, done.new, str(error), asked=False)
            done = Collected(done.pages + 1, done.new + new, problem)
            if problem or rows < SMALL_PAGE:
                break
        return done

    async def balance(self, account: Account) -> Balance:
        """Ask for the balance and the sent counter, and keep what was said."""
        at = datetime.now(UTC)
        request = account.gateway.balance_request(at)
        if request is None:
            return Balance()
        try:
            found = account.gateway.read_balance(await self._asker.send(account, request))
            await self._in_transaction(lambda c: self._said(c, account, found.refusal))
            sent = await self.sent_count(account) if found.refusal is None else None
        except WireError as error:
            return Balance(refusal=Result(Outcome.UNKNOWN, type(error).__name__, str(error)))
        if found.refusal is None:
            await self._in_transaction(lambda c: _keep_balance(c, account, found, sent))
        return found

    async def sent_count(self, account: Account) -> int | None:
        """Ask for the sent counter; None when the account has none or would not say.

        Raises `WireError` when it does not answer.
        """
        request = account.gateway.sent_count_request(datetime.now(UTC))
        if request is None:
            return None
        found = account.gateway.read_sent_count(await self._asker.send(account, request))
        await self._in_transaction(lambda c: self._said(c, account, found.refusal))
        return found.sent

    async def _hour(self, account: Account) -> Collected:
        at = datetime.now(UTC)
        tick = f"inbound:{account.name}"
        stored = await self._in_transaction(lambda c: ticks.cursor(c, tick))
        cursor = inbound_cursor.load(stored, at)
        wait = inbound_cursor.wait(cursor, account.gateway.capabilities.inbound_spacing, at)
        if wait > 0:
            return Collected(problem=f"may be asked again in {wait:.0f} s", wait=wait)
        hour = inbound_cursor.next_hour(cursor, at)
        request = account.gateway.inbound_request(at, hour)
        if request is None:
            return Collected(problem="has no inbound messages to collect")
        # The spacing counts from the request, whatever comes of it.
        asked = inbound_cursor.dump(inbound_cursor.asked(cursor, at))
        await self._in_transaction(lambda c: ticks.write_cursor(c, tick, asked))
        try:
            _, new, problem = await self._page(account, "inbound", request)
        except NotAsked as error:
            await self._in_transaction(lambda c: ticks.write_cursor(c, tick, stored))
            return Collected(problem=str(error), asked=False)
        if problem is None:
            done = inbound_cursor.dump(inbound_cursor.read(cursor, hour, at))
            await self._in_transaction(lambda c: ticks.write_cursor(c, tick, done))
        return Collected(1, new, problem)

    async def _page(
        self, account: Account, kind: str, request: httpx.Request
    ) -> tuple[int, int, str | None]:
        """Fetch, keep and read one page: rows, how many were new, and what went wrong."""
        try:
            response = await self._asker.send(account, request)
        except NotAsked:
            raise
        except WireError as error:
            return 0, 0, f"did not answer: {error}"
        failpoints.reach("collect.answered")
        inbox_id = await self._keep(account.name, kind, response)
        failpoints.reach("collect.page_stored")
        return await self._in_transaction(
            lambda c: self._read(c, account, kind, inbox_id, response)
        )

    async def _keep(self, account: str, kind: str, response: httpx.Response) -> int:
        """Commit a raw page to the inbox; returns its id.

        Its gateway has forgotten it: what the database does not take is left on this machine's disk
        for whoever comes first when it does.
        """
        headers = {"content-type": response.headers.get("content-type", "")}
        body, status = response.content, response.status_code

        def leave() -> None:
            row = spool_entries.page(account, kind, body, status, headers)
            spool.leave(spool.folder(self.settings), spool.Kind.PAGE, row)

        while True:
            try:
                return await self._in_transaction(
                    lambda c: inbox.keep(c, account, kind, body, status=status, headers=headers)
                )
            except XinshiError:
                try:
                    await asyncio.to_thread(leave)
                except OSError as error:
                    log.error("spool.failed", why=error.strerror)  # noqa: TRY400 - that is enough
                else:
                    log.warning("page.spooled", account=account, kind=kind)
                    raise
            await asyncio.sleep(AFTER_A_FAILURE)

    def _read(
        self,
        connection: Connection,
        account: Account,
        kind: str,
        inbox_id: int,
        response: httpx.Response,
    ) -> tuple[int, int, str | None]:
        rows, new, refusal = read(connection, self.settings, account, kind, inbox_id, response)
        self._said(connection, account, refusal)
        problem = None if refusal is None else f"refused: {refusal.code} {refusal.words}".strip()
        return rows, new, problem

    def _said(self, connection: Connection, account: Account, refusal: Result | None) -> None:
        account_guard.said(connection, self.settings, account.name, refusal, self.owner)

    async def _in_transaction(self, work: Callable[[Connection], Out]) -> Out:
        def run() -> Out:
            with database.writing(self.engine) as connection:
                return work(connection)

        return await asyncio.to_thread(run)


def read(
    connection: Connection,
    settings: Settings,
    account: Account,
    kind: str,
    inbox_id: int,
    response: httpx.Response,
) -> tuple[int, int, Result | None]:
    """Read a raw page that is in the inbox, and note that it was read; only one reader does.

    Returns its rows, how many were new, and why the gateway refused, if it did.
    """
    if not inbox.begin(connection, inbox_id):
        return 0, 0, None
    if kind == "reports":
        page: Page[Any] = account.gateway.read_reports(response)
        sharing = sorted(settings.sharing(account.name), key=account.name.__ne__)
        new = reports_module.take(connection, sharing, inbox_id, page.items)
    else:
        page = account.gateway.read_inbound(response)
        new = inbound_module.take(connection, account.name, inbox_id, page.items)
    inbox.parsed(connection, inbox_id, len(page.items), page.damaged)
    if page.damaged:
        log.warning("page.damaged", account=account.name, inbox=inbox_id, rows=page.damaged)
    return len(page.items), new, page.refusal


def reread(connection: Connection, settings: Settings, row: Row[Any]) -> int:
    """Read a raw page again that was not read to its end; returns how many rows were new."""
    account = settings.accounts.get(row.account)
    if account is None:
        return 0
    response = httpx.Response(row.status or 200, headers=row.headers or {}, content=row.body)
    return read(connection, settings, account, row.kind, row.id, response)[1]


def _keep_balance(
    connection: Connection, account: Account, found: Balance, sent: int | None
) -> None:
    said: Mapping[str, Any] = {
        "pools": [
            {
                "name": pool.name,
                "remaining": pool.remaining,
                "postpaid": pool.postpaid,
                "used": pool.used,
            }
            for pool in found.pools
        ],
        "sent": sent,
    }
    accounts.write_balance(connection, account.name, said)
