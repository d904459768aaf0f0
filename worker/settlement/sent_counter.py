"""Ending doubts by counters: what an account's sent counter proves of its unknown submissions.

The counter only grows. Its value at a quiet moment, plus what was accepted since, is what it should
be now. After an unknown the account takes nothing new; when nothing is under way and a settling
delay has passed, two equal readings decide:

- exactly what should be: none of the unknown was taken, and their messages go back to the queue;
- what should be, plus what one set of the unknown would have added and no other set: those were
  taken and the others not; only where `sole_user` says that nobody else sends on the account;
- anything else proves nothing.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TypeVar

import httpx
import structlog
from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.delivery import account_guard, recipient_limits, submit
from worker.delivery.account_guard import GuardedClient
from worker.delivery.submit import PreparedSubmission
from worker.domain.enums import Outcome
from worker.domain.errors import WireError
from worker.feedback.collector import Collector
from worker.gateways.base import Account
from worker.gateways.results import Result
from worker.gateways.transport.client import GatewayClient
from worker.store import (
    accounts,
    events,
    outcomes,
)
from worker.store import (
    unknown as unknown_store,
)
from worker.store.db import database
from worker.store.restored_backup import RESTORED
from worker.store.unknown import Ledger, UnknownSubmission

log = structlog.get_logger()
Out = TypeVar("Out")

#: Seconds between the two readings.
BETWEEN = 1.0
#: With more unknown submissions than this their sets are not looked through.
MOST = 12


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a counter proves: which submissions were taken, which were not; neither is nothing."""

    taken: frozenset[int] = frozenset()
    not_taken: frozenset[int] = frozenset()


def judge(
    expected: int,
    found: int,
    unknown: Mapping[int, int],
    *,
    sole_user: bool,
    in_part: bool = False,
) -> Verdict:
    """Judge by a counter: `unknown` holds what each unknown submission would have added to it.

    `in_part`: one of them may have been taken in part, so that a sum explains nothing.
    """
    if found == expected:
        return Verdict(not_taken=frozenset(unknown))
    if in_part or not sole_user or len(unknown) > MOST or found < expected:
        return Verdict()
    fitting = [
        frozenset(some)
        for size in range(1, len(unknown) + 1)
        for some in combinations(unknown, size)
        if sum(unknown[one] for one in some) == found - expected
    ]
    if len(fitting) != 1:
        return Verdict()
    return Verdict(fitting[0], frozenset(unknown) - fitting[0])


class CounterSettler:
    """Settles the unknown submissions of accounts that have a sent counter."""

    def __init__(
        self, settings: Settings, engine: Engine, collector: Collector, owner: str
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._collector = collector
        self._owner = owner

    async def settle(self, account: Account) -> None:
        """Take the counter's baseline at a quiet moment; in doubt, judge by it."""
        before = await self._in_transaction(lambda c: _ledger(c, account))
        if not before.quiet(account.settings.settling_delay):
            return
        known = before.baseline is not None and before.baseline_after == before.last
        if not before.unknown and known:
            return
        if before.unknown and before.judged == before.last:
            return
        if before.unknown and before.baseline is None:
            # Nothing to compare with: let the probe find out whether the account works.
            await self._in_transaction(lambda c: self._leave(c, account.name, before))
            return
        found = await self._reading(account)
        after = await self._in_transaction(lambda c: _ledger(c, account))
        if found is None or not after.same_as(before):
            return
        await self._in_transaction(lambda c: self._conclude(c, account, before, found))

    async def _reading(self, account: Account) -> int | None:
        """Two equal readings, or None."""
        try:
            first = await self._collector.sent_count(account)
            await asyncio.sleep(BETWEEN)
            second = await self._collector.sent_count(account)
        except WireError:
            return None
        return first if first == second else None

    def _conclude(
        self, connection: Connection, account: Account, ledger: Ledger, found: int
    ) -> None:
        name, baseline = account.name, ledger.baseline
        if baseline is not None and ledger.unknown:
            units = {one.id: one.units(account.settings.counter_unit) for one in ledger.unknown}
            verdict = judge(
                baseline + ledger.accepted,
                found,
                units,
                sole_user=account.settings.sole_user,
                in_part=any(one.refused for one in ledger.unknown),
            )
            self._apply(connection, name, ledger.unknown, verdict, found)
            if not verdict.taken and not verdict.not_taken:
                self._leave(connection, name, ledger)
                return
            accounts.settled(connection, name)
        elif baseline is not None and found != baseline + ledger.accepted:
            # Somebody else sends on the account, or its unit is set wrong.
            detail = {"expected": baseline + ledger.accepted, "found": found}
            events.add(
                connection, "account.counter_drift", self._owner, account=name, detail=detail
            )
            log.warning("account.counter_drift", account=name, **detail)
        accounts.write_counter(
            connection,
            name,
            {"sent": found, "called": ledger.last, "floor": unknown_store.floor(connection)},
        )

    def _leave(self, connection: Connection, account: str, ledger: Ledger) -> None:
        """Nothing is proven: do not ask again before something new has happened."""
        accounts.settled(connection, account)
        known = {
            "sent": ledger.baseline,
            "called": ledger.baseline_after,
            "floor": ledger.floor,
            "judged": ledger.last,
        }
        accounts.write_counter(connection, account, known)

    def _apply(
        self,
        connection: Connection,
        account: str,
        unknown: Sequence[UnknownSubmission],
        verdict: Verdict,
        found: int,
    ) -> None:
        for one in unknown:
            if one.id in verdict.taken:
                settled = outcomes.accept(connection, one.id, one.fence, None)
                if settled:
                    unknown_store.withdraw_resend(connection, one.id)
            elif one.id in verdict.not_taken:
                settled = recipient_limits.not_taken(connection, self._settings, one)
            else:
                settled = False
            events.add(
                connection,
                "submission.settled" if settled else "submission.still_unknown",
                self._owner,
                account=account,
                submission_id=one.id,
                detail={"counter": found, "taken": one.id in verdict.taken},
            )

    async def _in_transaction(self, work: Callable[[Connection], Out]) -> Out:
        def run() -> Out:
            with database.writing(self._engine) as connection:
                return work(connection)

        return await asyncio.to_thread(run)


class RepeatSettler:
    """Sends unknown submissions again under their reference, where that makes them the same.

    Only for accounts whose settings say that the gateway takes a reference once.
    """

    def __init__(self, settings: Settings, engine: Engine, wire: GatewayClient, owner: str) -> None:
        self._settings = settings
        self._engine = engine
        self._asker = GuardedClient(settings, engine, wire)
        self._owner = owner

    async def repeat(self, account: Account) -> None:
        """Repeat what is unknown and still valid, one by one; stop at the first that stays so."""
        for one in await asyncio.to_thread(self._waiting, account):
            answer = await submit.call(one, partial(self._send, account), self._settings)
            result = answer.results.default
            if result.outcome is not Outcome.ACCEPTED:
                await asyncio.to_thread(self._refused, account, result)
                return
            await asyncio.to_thread(self._accept, one, result.gateway_id)

    async def _send(
        self, account: Account, request: httpx.Request, _seconds: float
    ) -> httpx.Response:
        return await self._asker.send(account, request)

    def _refused(self, account: Account, refusal: Result) -> None:
        with database.writing(self._engine) as connection:
            account_guard.said(connection, self._settings, account.name, refusal, self._owner)

    def _waiting(self, account: Account) -> list[PreparedSubmission]:
        with database.reading(self._engine) as connection:
            leases = unknown_store.repeatable(connection, account.name, limit=20)
            ready = [submit.again(connection, self._settings, lease) for lease in leases]
        return [one for one in ready if one is not None]

    def _accept(self, one: PreparedSubmission, gateway_id: str | None) -> None:
        with database.writing(self._engine) as connection:
            lease = one.lease
            if outcomes.accept(connection, lease.id, lease.fence, gateway_id):
                unknown_store.withdraw_resend(connection, lease.id)
                events.add(
                    connection,
                    "submission.settled",
                    self._owner,
                    account=lease.account,
                    submission_id=lease.id,
                    detail={"reference": "repeated"},
                )


def _ledger(connection: Connection, account: Account) -> Ledger:
    return unknown_store.ledger(
        connection,
        account.name,
        accounts.counter(connection, account.name),
        account.settings.counter_unit,
    )


def mark(
    connection: Connection,
    settings: Settings,
    ids: Collection[int],
    act: Callable[[Connection, Settings, UnknownSubmission], bool],
    *,
    name: str,
    who: str,
    why: str,
) -> list[int]:
    """Let a person end the doubt about submissions; returns those of which it did.

    Each leaves an event with who and why.
    """
    done = []
    for one in unknown_store.unknown_ones(connection, ids=ids):
        if act(connection, settings, one):
            events.add(
                connection,
                name,
                who,
                account=one.account,
                submission_id=one.id,
                detail={"why": why},
            )
            done.append(one.id)
    return done


def mark_submitted(connection: Connection, _: Settings, one: UnknownSubmission) -> bool:
    """A person says that the gateway took it."""
    settled = outcomes.accept(connection, one.id, one.fence, None)
    if settled:
        unknown_store.withdraw_resend(connection, one.id)
    return settled


def mark_not_sent(connection: Connection, settings: Settings, one: UnknownSubmission) -> bool:
    """A person says that the gateway took nothing: its messages go back to the queue."""
    return recipient_limits.not_taken(connection, settings, one)


def resend_once(connection: Connection, _: Settings, one: UnknownSubmission) -> bool:
    """A person has it sent once more, knowing that it may arrive twice.

    Not what stands for several messages of a restored backup: they were no one submission.
    """
    if one.code == RESTORED and one.size > 1:
        return False
    return unknown_store.resend(connection, one.id) is not None
