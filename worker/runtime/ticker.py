"""The ticks of one worker process: what is due is done by whichever process moves its row on.

A thread with an event loop of its own; it looks by itself, so that ticks go on without beat and
without a broker. A doorbell only makes it look at once.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Engine

from worker import failpoints
from worker.config.settings import Settings
from worker.delivery import account_guard, health_monitor, record
from worker.domain.enums import Reports, SubmissionState
from worker.domain.errors import XinshiError
from worker.feedback import collector as collector_module
from worker.feedback import pushes
from worker.feedback import reports as reports_module
from worker.feedback.collector import Collector
from worker.gateways.base import Account
from worker.gateways.transport.client import GatewayClient
from worker.intake import campaigns
from worker.runtime.background_service import BackgroundService
from worker.settlement.sent_counter import CounterSettler, RepeatSettler
from worker.store import (
    accounts,
    allowances,
    inbox,
    messages,
    outcomes,
    recipient_calls,
    reports,
    requests,
    spool,
    spool_entries,
    ticks,
    unknown,
)
from worker.store.db import database

log = structlog.get_logger()

#: How often an unknown submission is sent again under its reference, where that is safe.
REPEAT_EVERY = 10.0
#: How soon after each other pushes are read, when there are any.
PUSHES_EVERY = 0.1
#: How often calls to numbers are forgotten that count no more, and how many rows in a run.
FORGET_EVERY = 60.0
FORGET_AT_ONCE = 500
FORGET_TIMES = 100


@dataclass(frozen=True)
class Tick:
    """Something that is done every so often, by one process at a time."""

    every: float
    #: How long a run may take before another process may start one.
    lease: float
    run: Callable[[], Awaitable[None]]
    #: Asked before it is taken, in a thread: False leaves it due. It costs a reading, not a write.
    wanted: Callable[[], bool] | None = None


class Ticker(BackgroundService):
    """Looks for due ticks until it is stopped."""

    def __init__(self, settings: Settings, engine: Engine, owner: str) -> None:
        super().__init__("ticks")
        self.settings = settings
        self.engine = engine
        self.owner = owner
        self._running: set[asyncio.Task[None]] = set()

    async def _drive(self) -> None:
        wire = GatewayClient(self.settings.top.transport, connections=10)
        all_ticks = self._ticks(wire)
        try:
            while not self._stopping:
                self._bell.clear()
                await self._look(all_ticks)
                await self._wait(self.settings.top.look_every)
            if self._running:
                await asyncio.wait(self._running)
        finally:
            await wire.close()

    async def _look(self, all_ticks: Mapping[str, Tick]) -> None:
        try:
            # On each machine for itself: a spool lies on its own disk.
            await asyncio.to_thread(drain_spools, self.engine, self.settings, self.owner)
            for name in await asyncio.to_thread(self._due, set(all_ticks)):
                wanted = all_ticks[name].wanted
                if wanted is not None and not await asyncio.to_thread(wanted):
                    continue
                if await asyncio.to_thread(self._take, name, all_ticks[name]):
                    task = asyncio.create_task(self._do(name, all_ticks[name]))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
        except XinshiError as error:
            log.warning("tick.look_failed", why=str(error))
        except Exception as error:
            # A fault of ours, or of this machine's disk: the next look may do better.
            log.exception("tick.look_failed", why=type(error).__name__)

    def _due(self, names: set[str]) -> list[str]:
        with database.reading(self.engine) as connection:
            found, missing = ticks.look(connection, names)
        if missing:
            with database.writing(self.engine) as connection:
                ticks.ensure(connection, missing)
        return found

    def _take(self, name: str, tick: Tick) -> bool:
        with database.writing(self.engine) as connection:
            return ticks.take(connection, name, self.owner, every=tick.every, lease=tick.lease)

    async def _do(self, name: str, tick: Tick) -> None:
        try:
            await tick.run()
        except XinshiError as error:
            log.warning("tick.failed", tick=name, why=str(error))
        except Exception as error:
            # A fault of ours in one tick must not end the others.
            log.exception("tick.failed", tick=name, why=type(error).__name__)
        finally:
            with contextlib.suppress(XinshiError):
                await asyncio.to_thread(self._leave, name)

    def _leave(self, name: str) -> None:
        with database.writing(self.engine) as connection:
            ticks.leave(connection, name, self.owner)

    def _ticks(self, wire: GatewayClient) -> dict[str, Tick]:
        """All ticks of this configuration, by name."""
        collector = Collector(self.settings, self.engine, wire, self.owner)
        top = self.settings.top
        # Two sweeps at once do no harm; one that was killed must not keep the next one waiting.
        found = {
            "sweep": Tick(top.sweep_every, 2 * top.sweep_every, self._sweep),
            health_monitor.NAME: Tick(top.health_every, 2 * top.health_every + 30.0, self._examine),
            "forget": Tick(FORGET_EVERY, FORGET_EVERY, self._forget),
        }
        if pushes.receivers(self.settings):
            found["pushes"] = Tick(
                PUSHES_EVERY,
                2 * pushes.LONGEST + 60.0,
                self._pushes,
                partial(pushes.wait, self.engine, self.settings),
            )
        for name, account in self.settings.accounts.items():
            can, settings = account.gateway.capabilities, account.settings
            patience = collector_module.lease(account)
            if account.reports is not Reports.NONE:
                found[f"close_out:{name}"] = Tick(60.0, 60.0, self._closing(name))
            if account.reports is Reports.PULL:
                found[f"reports:{name}"] = Tick(
                    settings.collect_reports_every, patience, self._for(account, collector.reports)
                )
            if can.inbound:
                found[f"inbound:{name}"] = Tick(
                    settings.collect_inbound_every, patience, self._for(account, collector.inbound)
                )
            if can.repeatable:
                repeater = RepeatSettler(self.settings, self.engine, wire, self.owner)
                found[f"repeat:{name}"] = Tick(
                    REPEAT_EVERY,
                    10 * settings.timeout + 60.0,
                    self._for(account, repeater.repeat),
                )
            if can.sent_count:
                settler = CounterSettler(self.settings, self.engine, collector, self.owner)
                # Two readings of the counter; whoever was killed between them is not waited for.
                reading_twice = 3 * settings.timeout + 5.0
                found[f"settle:{name}"] = Tick(
                    top.sweep_every, reading_twice, self._for(account, settler.settle)
                )
            if can.balance:
                found[f"balance:{name}"] = Tick(
                    settings.check_balance_every, patience, self._for(account, collector.balance)
                )
        return found

    def _for(
        self, account: Account, ask: Callable[[Account], Awaitable[object]]
    ) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            # A held account is asked for nothing.
            if account.name not in await asyncio.to_thread(self._held):
                await ask(account)

        return run

    def _closing(self, account: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            await asyncio.to_thread(close_out, self.engine, self.settings, account)

        return run

    def _held(self) -> frozenset[str]:
        with database.reading(self.engine) as connection:
            return accounts.held(connection, self.settings.logins)

    async def _forget(self) -> None:
        await asyncio.to_thread(forget, self.engine)

    async def _examine(self) -> None:
        await asyncio.to_thread(health_monitor.examine, self.engine, self.settings, self.owner)

    async def _pushes(self) -> None:
        await asyncio.to_thread(pushes.drain, self.engine, self.settings)

    async def _sweep(self) -> None:
        await asyncio.to_thread(sweep, self.engine, self.settings, self.owner)


def sweep(engine: Engine, settings: Settings, owner: str) -> None:
    """Put right what was left behind; each step commits for itself."""
    failpoints.reach("sweep.before")
    rescue(engine, settings, owner)
    expire(engine)
    campaigns.end_cancelled(engine)
    for campaign_id in campaigns.finish_drained(engine):
        log.info("campaign.done", campaign=campaign_id)
    reread_pages(engine, settings)
    match_reports(engine, settings)


def forget(engine: Engine) -> None:
    """Remove the calls and codes to numbers that no limit counts any more, some at a time."""
    for _ in range(FORGET_TIMES):
        with database.writing(engine) as connection:
            if recipient_calls.forget(connection, FORGET_AT_ONCE) < FORGET_AT_ONCE:
                break
    with database.writing(engine) as connection:
        allowances.forget(connection)


def rescue(engine: Engine, settings: Settings, owner: str) -> None:
    """End leases that ran out: nobody knows what became of their calls."""
    with database.writing(engine) as connection:
        lost = outcomes.sweep(connection)
        for one, account in lost:
            accounts.doubt(connection, account, account_guard.settle_for(settings, account))
            record.unknown(connection, one, account, owner, "lease", mapped=True)
    if lost:
        log.warning("leases.ended", unknown=len(lost))


def drain_spools(engine: Engine, settings: Settings, owner: str) -> None:
    """Write what this machine's disk kept for the database: outcomes of the dead, and pages."""
    folder = spool.folder(settings)
    with spool.left_behind(folder, spool.Kind.OUTCOMES) as rows:
        calls = list(spool_entries.outcomes(rows))
        if calls:
            with database.writing(engine) as connection:
                record.record(connection, calls, settings, owner, ours=False)
            log.warning("spool.drained", outcomes=len(calls))
    with spool.left_behind(folder, spool.Kind.PAGE) as rows:
        if rows:
            with database.writing(engine) as connection:
                kept = sum(spool_entries.keep_page(connection, row) for row in rows)
            log.warning("spool.drained", pages=kept)


def expire(engine: Engine) -> None:
    """End what waits past its validity."""
    with database.writing(engine) as connection:
        requests.expire(connection)
        over = []
        for one, first in outcomes.expired(connection):
            if first is not None:
                unknown.give_back(connection, one, first)
            if first is not None or messages.expire(connection, one):
                over.append(one)
        if over:
            outcomes.close(connection, over, SubmissionState.PLANNED)


def reread_pages(engine: Engine, settings: Settings) -> None:
    """Read the raw pages that a crash left unread."""
    with database.reading(engine) as connection:
        rows = inbox.waiting(connection, 100)
    for row in rows:
        with database.writing(engine) as connection:
            collector_module.reread(connection, settings, row)


def match_reports(engine: Engine, settings: Settings) -> None:
    """Try again the reports that matched nothing."""
    after, turn = 0, int(time.time() / settings.top.sweep_every)
    while True:
        with database.writing(engine) as connection:
            rows = reports.unmatched(connection, 500, settings.top.close_out_after, after, turn)
            for account in {row.account for row in rows}:
                here = [row for row in rows if row.account == account]
                reports_module.apply(connection, settings.sharing(account), here)
        if not rows:
            return
        after = rows[-1].id


def close_out(engine: Engine, settings: Settings, account: str) -> None:
    """Stop waiting for reports that are too late; the messages stay what they are."""
    name = f"close_out:{account}"
    with database.writing(engine) as connection:
        after = ticks.cursor(connection, name).get("last", 0)
        last = outcomes.close_out(connection, account, after, settings.top.close_out_after, 1000)
        if last:
            ticks.write_cursor(connection, name, {"last": last})
