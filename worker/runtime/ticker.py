"""Runs the ticks of one worker process: of those that are due, the ones whose row it moves on.

A thread with an event loop of its own looks by itself, so that ticks go on without beat and without
a broker. A doorbell only makes it look at once.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Engine

from worker import outages
from worker.config.settings import Settings
from worker.delivery import health_monitor
from worker.domain.enums import Reports
from worker.domain.errors import XinshiError
from worker.feedback import named_reports, opt_out_origins, pushes, unnamed_reports, unread_pages
from worker.feedback.collector import Collector, lease_seconds
from worker.gateways.base import Account
from worker.gateways.transport.client import GatewayClient
from worker.intake import campaign_numbers
from worker.runtime import maintenance
from worker.runtime.background_service import BackgroundService
from worker.settlement import queries
from worker.settlement.queries import QuerySettler
from worker.settlement.repeat import RepeatSettler
from worker.settlement.sent_counter import CounterSettler
from worker.store import accounts, ticks
from worker.store.db import database

log = structlog.get_logger()

# Intervals of ticks, in seconds; the others are settings.
#: How often an unknown submission is sent again under its reference, where that is safe.
REPEAT_EVERY = 10.0
#: How soon after each other pushes are read, when there are any.
PUSHES_EVERY = 0.1
#: How often the origins of new opt-outs are looked up.
OPT_OUTS_EVERY = 60.0
#: How long a run that reads pages, or matches reports, may take; it ends itself long before.
FEEDBACK_LEASE = 60.0
#: How soon at the earliest the numbers of a part of a campaign follow those of another.
NUMBERS_EVERY = 1.0
#: How often calls to numbers are forgotten that count no more.
FORGET_EVERY = 60.0
#: How often reports that are overdue are given up.
CLOSE_OUT_EVERY = 60.0


@dataclass(frozen=True)
class Tick:
    """Something that is done every so often, by one process at a time. Times are in seconds."""

    every: float
    #: How long a run may take before another process may start one.
    lease: float
    run: Callable[[], Awaitable[None]]
    #: Asked before it is taken, in a thread: False leaves it due. It costs a reading, not a write.
    has_work: Callable[[], bool] | None = None


class Ticker(BackgroundService):
    """Looks for due ticks and runs them until it is stopped."""

    def __init__(
        self, settings: Settings, engine: Engine, owner: str, *, head_start: float = 0.0
    ) -> None:
        """Make it; other processes have a `head_start`, in seconds, to take what is due."""
        super().__init__("ticks")
        self.settings = settings
        self.engine = engine
        self.owner = owner
        self._head_start = head_start
        self._running: set[asyncio.Task[None]] = set()

    async def _drive(self) -> None:
        client = GatewayClient(self.settings.top.transport, connections=10)
        all_ticks = self._all_ticks(client)
        try:
            while not self._stopping:
                self._bell.clear()
                await self._look(all_ticks)
                await self._wait(self.settings.top.look_every)
            if self._running:
                await asyncio.wait(self._running)
        finally:
            await client.close()

    async def _look(self, all_ticks: Mapping[str, Tick]) -> None:
        """Drain this machine's spools, then take the ticks that are due and begin to run them."""
        # On each machine for itself: a spool lies on its own disk.
        drain = partial(maintenance.drain_spools, self.engine, self.settings, self.owner)
        await self._try_look(asyncio.to_thread(drain))
        await self._try_look(self._begin_due(all_ticks))

    async def _begin_due(self, all_ticks: Mapping[str, Tick]) -> None:
        """Take the ticks that are due, and begin to run them."""
        for name in await asyncio.to_thread(self._due, set(all_ticks)):
            has_work = all_ticks[name].has_work
            if has_work is not None and not await asyncio.to_thread(has_work):
                continue
            if await asyncio.to_thread(self._take, name, all_ticks[name]):
                task = asyncio.create_task(self._run_tick(name, all_ticks[name]))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _try_look(self, look: Awaitable[None]) -> None:
        """Await one part of a look; if it fails, the other parts and the next look go on."""
        try:
            await look
        except XinshiError as error:
            if not outages.DATABASE.is_away:
                log.warning("tick.look_failed", why=str(error))
        except Exception as error:
            # A fault of ours, or of this machine's disk: the next look may do better.
            log.exception("tick.look_failed", why=type(error).__name__)

    def _due(self, names: set[str]) -> list[str]:
        """Return the names of the ticks that are to be taken; those without a row are given one."""
        with database.reading(self.engine) as connection:
            due, missing = ticks.due_and_missing(connection, names, self._head_start)
        if missing:
            with database.writing(self.engine) as connection:
                ticks.ensure(connection, missing)
        return due

    def _take(self, name: str, tick: Tick) -> bool:
        """Take a tick by moving its row on; False when another process was quicker."""
        with database.writing(self.engine) as connection:
            return ticks.take(connection, name, self.owner, every=tick.every, lease=tick.lease)

    async def _run_tick(self, name: str, tick: Tick) -> None:
        """Run a tick that was taken, and then let it be taken again."""
        problem: str | None = None
        try:
            await tick.run()
        except XinshiError as error:
            problem = f"{type(error).__name__}: {error}"
            if not outages.DATABASE.is_away:
                log.warning("tick.failed", tick=name, why=str(error))
        except Exception as error:
            # A fault of ours in one tick must not end the others.
            problem = type(error).__name__
            log.exception("tick.failed", tick=name, why=problem)
        finally:
            with contextlib.suppress(XinshiError):
                await asyncio.to_thread(self._release, name, problem)

    def _release(self, name: str, problem: str | None) -> None:
        with database.writing(self.engine) as connection:
            ticks.release(connection, name, self.owner, problem)

    def _all_ticks(self, client: GatewayClient) -> dict[str, Tick]:
        """Return all ticks of this configuration, by name."""
        collector = Collector(self.settings, self.engine, client, self.owner)
        all_ticks = dict(self._common_ticks())
        for account in self.settings.accounts.values():
            all_ticks.update(self._collecting_ticks(account, collector))
            all_ticks.update(self._settling_ticks(account, collector, client))
        return all_ticks

    def _common_ticks(self) -> Iterator[tuple[str, Tick]]:
        """Yield the ticks that are not an account's."""
        top, engine, settings = self.settings.top, self.engine, self.settings
        # Two sweeps at once do no harm; one that was killed must not keep the next one waiting.
        sweep = _in_thread(maintenance.sweep, engine, settings, self.owner)
        yield ticks.SWEEP, Tick(top.sweep_every, 2 * top.sweep_every, sweep)
        # What gateways said has ticks of its own: whatever is wrong with it stops nothing else.
        for name, work in (
            ("pages", unread_pages.read_waiting),
            (named_reports.TICK_NAME, named_reports.match_named),
            (unnamed_reports.TICK_NAME, unnamed_reports.adopt_ids),
        ):
            yield name, Tick(top.sweep_every, FEEDBACK_LEASE, _in_thread(work, engine, settings))
        look_up = _in_thread(opt_out_origins.look_up, engine, settings)
        has_unchecked = partial(opt_out_origins.has_unchecked, engine)
        opt_outs_tick = Tick(OPT_OUTS_EVERY, FEEDBACK_LEASE, look_up, has_unchecked)
        yield opt_out_origins.TICK_NAME, opt_outs_tick
        numbers_tick = Tick(
            NUMBERS_EVERY,
            FEEDBACK_LEASE,
            _in_thread(campaign_numbers.store_part, engine),
            partial(campaign_numbers.has_work, engine),
        )
        yield campaign_numbers.TICK_NAME, numbers_tick
        examine = _in_thread(health_monitor.examine, engine, settings, self.owner)
        yield (
            health_monitor.TICK_NAME,
            Tick(top.health_every, 2 * top.health_every + 30.0, examine),
        )
        forget = _in_thread(maintenance.forget, engine)
        yield "forget", Tick(FORGET_EVERY, FORGET_EVERY, forget)
        if pushes.push_accounts(settings):
            drain = _in_thread(pushes.drain, engine, settings)
            has_waiting = partial(pushes.has_waiting, engine, settings)
            drain_lease = 2 * pushes.MAX_DRAIN_SECONDS + 60.0
            yield "pushes", Tick(PUSHES_EVERY, drain_lease, drain, has_waiting)

    def _collecting_ticks(
        self, account: Account, collector: Collector
    ) -> Iterator[tuple[str, Tick]]:
        """Yield the ticks that ask an account's gateway for reports, replies and the balance."""
        name, settings = account.name, account.settings
        capabilities, lease = account.gateway.capabilities, lease_seconds(account)
        if account.reports is Reports.PULL:
            collect = self._unless_held(account, collector.collect_reports)
            yield f"reports:{name}", Tick(settings.collect_reports_every, lease, collect)
        if capabilities.inbound:
            collect = self._unless_held(account, collector.collect_inbound)
            yield f"inbound:{name}", Tick(settings.collect_inbound_every, lease, collect)
        if capabilities.balance:
            fetch = self._unless_held(account, collector.fetch_balance)
            yield f"balance:{name}", Tick(settings.check_balance_every, lease, fetch)

    def _settling_ticks(
        self, account: Account, collector: Collector, client: GatewayClient
    ) -> Iterator[tuple[str, Tick]]:
        """Yield the ticks that end an account's doubts, and its waiting for reports."""
        name, timeout = account.name, account.settings.timeout
        capabilities = account.gateway.capabilities
        if account.reports is not Reports.NONE:
            close_out = _in_thread(maintenance.close_out, self.engine, self.settings, name)
            yield f"close_out:{name}", Tick(CLOSE_OUT_EVERY, CLOSE_OUT_EVERY, close_out)
        if capabilities.repeatable:
            repeater = RepeatSettler(self.settings, self.engine, client, self.owner)
            repeat = self._unless_held(account, repeater.repeat)
            yield f"repeat:{name}", Tick(REPEAT_EVERY, 10 * timeout + 60.0, repeat)
        if capabilities.query:
            asker = QuerySettler(self.settings, self.engine, client, self.owner)
            ask = self._unless_held(account, asker.settle)
            every = max(queries.ASK_EVERY, capabilities.query_spacing)
            yield f"query:{name}", Tick(every, queries.MAX_RUN_SECONDS + 2 * timeout + 60.0, ask)
        if capabilities.sent_count:
            settler = CounterSettler(self.settings, self.engine, collector, self.owner)
            settle = self._unless_held(account, settler.settle)
            # Time for two readings of the counter; a run that was killed between them is given up.
            two_readings = 3 * timeout + 5.0
            yield f"settle:{name}", Tick(self.settings.top.sweep_every, two_readings, settle)

    def _unless_held(
        self, account: Account, ask: Callable[[Account], Awaitable[object]]
    ) -> Callable[[], Awaitable[None]]:
        """Return the run of a tick that asks an account: a held account is asked for nothing."""

        async def run() -> None:
            if account.name not in await asyncio.to_thread(self._held_accounts):
                await ask(account)

        return run

    def _held_accounts(self) -> frozenset[str]:
        with database.reading(self.engine) as connection:
            return accounts.held_names(connection, self.settings.logins)


def _in_thread(work: Callable[..., object], *arguments: object) -> Callable[[], Awaitable[None]]:
    """Return the run of a tick that does blocking work in a thread."""

    async def run() -> None:
        await asyncio.to_thread(work, *arguments)

    return run
