"""Collects what gateways keep for us: reports, inbound messages, balances.

A read at these gateways destroys what it returns. So the raw page is committed to `inbox` before a
byte of it is parsed, and parsing can be repeated.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

import httpx
import structlog
from sqlalchemy import Connection, Engine

from worker import failpoints
from worker.config.settings import Settings
from worker.delivery import account_guard
from worker.delivery.account_guard import GuardedClient
from worker.domain.enums import Outcome
from worker.domain.errors import NotAsked, WireError, XinshiError
from worker.feedback import page_intake, raw_pages
from worker.feedback.page_writer import PageWriter
from worker.gateways import reading
from worker.gateways.base import Account
from worker.gateways.page_contents import TOO_LONG
from worker.gateways.results import Balance, Result
from worker.gateways.transport import answer_bounds
from worker.gateways.transport.client import GatewayClient
from worker.policy import inbound_cursor
from worker.policy.inbound_cursor import InboundCursor
from worker.store import (
    accounts,
    spool,
    spool_entries,
    ticks,
)
from worker.store.db import clock, database
from worker.store.feedback.page_pieces import RawPage

log = structlog.get_logger()
Out = TypeVar("Out")

#: Pages that one collection reads at the most; the next tick goes on.
MAX_PAGES = 50
#: After so long a collection asks for no further page; the next tick goes on.
MAX_COLLECT_SECONDS = 5.0
#: The pause between two tries to store a page that neither the database nor the disk takes.
RETRY_SECONDS = 1.0
#: A page with fewer rows than this was the last one.
FULL_PAGE_ROWS = 50
_KIND_NAMES = {"reports": "reports", "inbound": "inbound messages"}


@dataclass(frozen=True, slots=True)
class CollectionResult:
    """What a collection brought: pages, rows that were new, and why it ended early, if it did."""

    pages: int = 0
    new_rows: int = 0
    problem: str | None = None
    #: Seconds until the gateway may be asked again, where it wants to be asked rarely.
    wait_seconds: float = 0.0
    #: False when it was not its turn, and nothing was sent.
    was_asked: bool = True


class FetchedPage(NamedTuple):
    """How one request for a page ended: its rows, those that were new, and what went wrong."""

    rows: int
    new_rows: int
    problem: str | None
    #: True when it is stored, and cannot be read: to fetch it again would not help.
    put_aside: bool = False
    #: Why it was cut off on its way; "" when it is whole.
    cut: str = ""

    @property
    def is_done(self) -> bool:
        """Whether fetching it again would bring nothing more."""
        return self.put_aside or (self.problem is None and self.cut in {"", TOO_LONG})


def lease_seconds(account: Account) -> float:
    """Return how long a collection may hold its tick before another process takes it over."""
    seconds = MAX_COLLECT_SECONDS + page_intake.MAX_SECONDS
    return seconds + 2 * account.settings.timeout + 5.0


class Collector:
    """Asks accounts for what their gateways keep; the caller holds the account's tick."""

    def __init__(
        self, settings: Settings, engine: Engine, client: GatewayClient, owner: str
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.owner = owner
        self._client = GuardedClient(settings, engine, client)

    async def collect_reports(self, account: Account) -> CollectionResult:
        """Read reports until there are no more."""
        return await self._collect_pages(account, "reports", account.gateway.reports_request)

    async def collect_inbound(self, account: Account) -> CollectionResult:
        """Read inbound messages: an hour where the gateway keeps them by the hour, else all."""
        if account.gateway.capabilities.inbound_by_hour:
            return await self._collect_hour(account)
        return await self._collect_pages(account, "inbound", account.gateway.inbound_request)

    async def _collect_pages(
        self,
        account: Account,
        kind: str,
        build_request: Callable[[datetime], httpx.Request | None],
    ) -> CollectionResult:
        """Read pages until one is small, or time is up; the next tick goes on."""
        collected, deadline = CollectionResult(), time.monotonic() + MAX_COLLECT_SECONDS
        while collected.pages < MAX_PAGES and time.monotonic() < deadline:
            request = build_request(datetime.now(UTC))
            if request is None:
                return CollectionResult(problem=f"has no {_KIND_NAMES[kind]} to collect")
            try:
                page = await self._fetch_page(account, kind, request)
            except NotAsked as error:
                return CollectionResult(
                    collected.pages, collected.new_rows, str(error), was_asked=False
                )
            collected = CollectionResult(
                collected.pages + 1, collected.new_rows + page.new_rows, page.problem
            )
            if page.problem or page.rows < FULL_PAGE_ROWS:
                break
        return collected

    async def fetch_balance(self, account: Account) -> Balance:
        """Ask for the balance and the sent counter, store the answer and return the balance."""
        request = account.gateway.balance_request(datetime.now(UTC))
        if request is None:
            return Balance()
        try:
            answer = await self._client.send(account, request)
            balance = await asyncio.to_thread(reading.read_balance, account.gateway, answer)
            await self._note_answer(account, balance.refusal)
            sent_count = await self.fetch_sent_count(account) if balance.refusal is None else None
        except WireError as error:
            return Balance(refusal=Result(Outcome.UNKNOWN, type(error).__name__, str(error)))
        if balance.refusal is None:
            await self._in_transaction(
                lambda connection: _write_balance(connection, account, balance, sent_count)
            )
        return balance

    async def fetch_sent_count(self, account: Account) -> int | None:
        """Ask for the sent counter; None when the account has none or refuses to tell it.

        Raises `WireError` when the gateway does not answer.
        """
        request = account.gateway.sent_count_request(datetime.now(UTC))
        if request is None:
            return None
        answer = await self._client.send(account, request)
        counter = reading.read_sent_count(account.gateway, answer)
        await self._note_answer(account, counter.refusal)
        return counter.sent

    async def _collect_hour(self, account: Account) -> CollectionResult:
        """Read the inbound messages of the hour whose turn it is, if the gateway may be asked."""
        tick = f"inbound:{account.name}"
        stored, now = await self._in_transaction(
            lambda connection: (ticks.read_cursor(connection, tick), clock.read(connection))
        )
        cursor = await self._cut_back(tick, inbound_cursor.load(stored, now), now)
        wait = inbound_cursor.seconds_until_read(
            cursor, account.gateway.capabilities.inbound_spacing, now
        )
        if wait > 0:
            return CollectionResult(
                problem=f"may be asked again in {wait:.0f} s", wait_seconds=wait
            )
        hour = inbound_cursor.next_hour(cursor, now)
        request = account.gateway.inbound_request(now, hour)
        if request is None:
            return CollectionResult(problem="has no inbound messages to collect")
        # The spacing counts from the request, whatever comes of it.
        asked_cursor = inbound_cursor.after_asking(cursor, now)
        await self._write_cursor(tick, inbound_cursor.dump(asked_cursor))
        try:
            page = await self._fetch_page(account, "inbound", request)
        except NotAsked as error:
            await self._write_cursor(tick, inbound_cursor.dump(cursor))
            return CollectionResult(problem=str(error), was_asked=False)
        if page.is_done:
            await self._write_cursor(
                tick, inbound_cursor.dump(inbound_cursor.after_reading(cursor, hour, now))
            )
        return CollectionResult(1, page.new_rows, page.problem)

    async def _cut_back(self, tick: str, cursor: InboundCursor, now: datetime) -> InboundCursor:
        """Cut a stored cursor back that is ahead of the database's clock, and write it down."""
        possible = inbound_cursor.cut_back(cursor, now)
        if possible != cursor:
            log.warning("inbound.cursor_cut_back", tick=tick, since=possible.since.isoformat())
            await self._write_cursor(tick, inbound_cursor.dump(possible))
        return possible

    async def _write_cursor(self, tick: str, cursor: Mapping[str, Any]) -> None:
        await self._in_transaction(lambda connection: ticks.write_cursor(connection, tick, cursor))

    async def _fetch_page(self, account: Account, kind: str, request: httpx.Request) -> FetchedPage:
        """Fetch one page, store it raw, and then parse it."""
        try:
            response = await self._client.send(account, request, answer_bounds.PAGE)
        except NotAsked:
            raise
        except WireError as error:
            return FetchedPage(0, 0, f"did not answer: {error}")
        failpoints.reach("collect.answered")
        inbox_id = await self._store_page(account.name, kind, response)
        failpoints.reach("collect.page_stored")
        return await self._take_in(account, kind, inbox_id, response)

    async def _store_page(self, account: str, kind: str, response: httpx.Response) -> int:
        """Commit a raw page to the inbox; return its id.

        Its gateway has forgotten it. So a page that the database does not take is left on this
        machine's disk, and a later look of any worker of the machine writes it to the inbox; the
        database's error is raised then. While the disk does not take it either, both are tried
        again.
        """
        page = RawPage(
            account,
            kind,
            response.content,
            status=response.status_code,
            headers=raw_pages.kept_headers(response),
        )
        writer = PageWriter(self.engine, page)

        def spool_page() -> None:
            row = spool_entries.page_row(page, writer.begun_id)
            spool.write_free_file(spool.folder(self.settings), spool.SpoolFileKind.PAGE, row)

        while True:
            try:
                return await asyncio.to_thread(writer.write)
            except XinshiError:
                try:
                    await asyncio.to_thread(spool_page)
                except OSError as error:
                    log.error("spool.failed", why=error.strerror)  # noqa: TRY400 - that is enough
                else:
                    log.warning("page.spooled", account=account, kind=kind)
                    raise
            await asyncio.sleep(RETRY_SECONDS)

    async def _take_in(
        self, account: Account, kind: str, inbox_id: int, response: httpx.Response
    ) -> FetchedPage:
        """Take in a stored page, and note what its refusal, if it is one, says of the account."""
        page = await asyncio.to_thread(
            page_intake.take_in,
            self.engine,
            self.settings,
            account.name,
            inbox_id,
            partial(raw_pages.read_page, account, kind, response),
            time.monotonic() + page_intake.MAX_SECONDS,
        )
        if page.problem is not None:
            return FetchedPage(0, 0, page.problem, put_aside=True)
        await self._note_answer(account, page.refusal)
        refusal = page.refusal
        problem = None if refusal is None else f"refused: {refusal.code} {refusal.words}".strip()
        return FetchedPage(page.rows, page.new_rows, problem, cut=page.cut)

    async def _note_answer(self, account: Account, refusal: Result | None) -> None:
        """Note in a transaction that an account answered, or why it refused."""
        await self._in_transaction(
            lambda connection: account_guard.note_answer(
                connection, self.settings, account.name, refusal, self.owner
            )
        )

    async def _in_transaction(self, work: Callable[[Connection], Out]) -> Out:
        def run() -> Out:
            with database.writing(self.engine) as connection:
                return work(connection)

        return await asyncio.to_thread(run)


def _write_balance(
    connection: Connection, account: Account, balance: Balance, sent_count: int | None
) -> None:
    stored: Mapping[str, Any] = {
        "pools": [
            {
                "name": pool.name,
                "remaining": pool.remaining,
                "postpaid": pool.postpaid,
                "used": pool.used,
            }
            for pool in balance.pools
        ],
        "sent": sent_count,
    }
    accounts.write_balance(connection, account.name, stored)
