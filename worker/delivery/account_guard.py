"""Accounts at fault: what an answer says of its account, and who may be asked now.

A gateway that says that the account is at fault is not asked again: the account is held, for the
time that the code table says or until a person releases it, and one smallest submission asks first
when that is over. A login that the gateway has not accepted yet is proven by one call at a time,
over all processes and all of its endpoints: if it is refused, that was the only one.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import httpx
import structlog
from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import (
    Advice,
    Fault,
    Outcome,
    SubmissionState,
)
from worker.domain.errors import NotAsked
from worker.gateways.base import Account
from worker.gateways.results import Result
from worker.gateways.transport.client import GatewayClient
from worker.store import accounts, events
from worker.store.db import database
from worker.store.outcomes import CallOutcome

log = structlog.get_logger()
Out = TypeVar("Out")

#: Seconds beyond the settling delay that reading a counter twice may take.
SETTLING_SLACK = 15.0
#: How long a refusal that was to be gone the second time holds its account, in seconds.
ONCE_MORE_FAILED = 600.0
#: How often a call that waits for another's proof looks, in seconds.
LOOK = 0.1
#: Answers of something that stands before the gateway, or of nothing that can be read.
_NOT_ITS_WORD = re.compile(r"HTTP ([235]\d\d|408)|unreadable|fault")

Known = Mapping[str, tuple[int, str | None]]


def weigh(
    connection: Connection,
    calls: Sequence[CallOutcome],
    settings: Settings,
    owner: str,
    *,
    ours: bool = True,
) -> None:
    """Let submissions speak for their accounts; `ours` if they were called with these settings.

    An outcome that nobody knows is a doubt, a known one is trust, an accepted one proves the login,
    and what the account is to blame for holds it. A call that never left says nothing.
    """
    names = {call.lease.account for call in calls}
    known = dict(accounts.known(connection, names | {settings.logins.keeper(one) for one in names}))
    for call in calls:
        _weigh(connection, call, settings, known)
        if ours and call.result.outcome is Outcome.ACCEPTED:
            _prove(connection, settings, call.lease.account, known, owner)
        result = call.result
        if result.advice is Advice.ONCE_MORE and call.lease.attempts > 1:
            result = replace(result, outcome=Outcome.ACCOUNT_HELD, hold=ONCE_MORE_FAILED)
        _heed(connection, settings, call.lease.account, result, known, owner, ours=ours)


def _weigh(
    connection: Connection,
    call: CallOutcome,
    settings: Settings,
    known: dict[str, tuple[int, str | None]],
) -> None:
    name, outcome = call.lease.account, call.result.outcome
    doubts, proven = known.get(name, (0, None))
    doubted = doubts > 0
    unproven = _unproven(settings, name, known)
    keeper = settings.logins.keeper(name)
    if call.state is SubmissionState.UNKNOWN:
        accounts.doubt(connection, name, settle_for(settings, name))
        known[name] = (doubts + 1, proven)
    elif outcome is Outcome.NOT_SENT and doubted:
        accounts.give_probe(connection, name)
    elif outcome is not Outcome.ACCOUNT_HELD and doubted:
        accounts.trust(connection, name, settings.logins.fingerprints.get(name, ""))
        known[name] = (0, proven)
    if unproven and (keeper != name or call.state is not SubmissionState.UNKNOWN):
        accounts.give_probe(connection, keeper)


def said(
    connection: Connection, settings: Settings, account: str, refusal: Result | None, owner: str
) -> None:
    """Note how an account answered a call that submits nothing; None when it did what was asked."""
    keeper = settings.logins.keeper(account)
    known = accounts.known(connection, {account, keeper})
    if refusal is None:
        _prove(connection, settings, account, known, owner)
    elif not _heed(connection, settings, account, refusal, known, owner) and _unproven(
        settings, account, known
    ):
        accounts.give_probe(connection, keeper)


def _unproven(settings: Settings, name: str, known: Known) -> bool:
    login = settings.logins.fingerprints.get(name)
    return login is not None and known.get(settings.logins.keeper(name), (0, None))[1] != login


def _prove(connection: Connection, settings: Settings, name: str, known: Known, owner: str) -> None:
    """Note that the gateway accepts the login: from now on everything goes."""
    if not _unproven(settings, name, known):
        return
    keeper = settings.logins.keeper(name)
    accounts.ensure(connection, keeper)
    if accounts.prove(connection, keeper, settings.logins.fingerprints[name]):
        events.add(connection, "account.proven", owner, account=name)


def _heed(
    connection: Connection,
    settings: Settings,
    name: str,
    refusal: Result,
    known: Known,
    owner: str,
    *,
    ours: bool = True,
) -> bool:
    """Hold an account that a refusal says is at fault; a login's fault is that of all who have it.

    So is a refusal in words that nobody knows of a login that was never accepted: asking again
    could lock it.
    """
    unproven = ours and _unproven(settings, name, known)
    held = refusal.outcome is Outcome.ACCOUNT_HELD
    if not held and not (unproven and _unheard_of(refusal)):
        return False
    by_login = refusal.fault is Fault.LOGIN or (unproven and refusal.fault is None)
    login = settings.logins.fingerprints.get(name) if ours and by_login else None
    for one in settings.logins.same(name) if login else [name]:
        if accounts.hold(connection, one, refusal.code, refusal.words, refusal.hold, login):
            accounts.distrust(connection, one, refusal.hold)
            events.add(
                connection,
                "account.held",
                owner,
                account=one,
                detail={"code": refusal.code, "seconds": refusal.hold},
            )
            log.warning("account.held", account=one, code=refusal.code, seconds=refusal.hold)
    return True


def _unheard_of(refusal: Result) -> bool:
    """Whether a gateway answered in its own words, and no table has them."""
    return (
        refusal.outcome is Outcome.UNKNOWN
        and not refusal.mapped
        and _NOT_ITS_WORD.fullmatch(refusal.code) is None
    )


def settle_for(settings: Settings, account: str) -> float | None:
    """How long a doubtful account takes nothing so that its counter can tell; None without one."""
    known = settings.accounts.get(account)
    if known is None or not known.gateway.capabilities.sent_count:
        return None
    return known.settings.settling_delay + 2 * known.settings.timeout + SETTLING_SLACK


class GuardedClient:
    """Asks accounts for what submits nothing, one call at a time while a login is not proven."""

    def __init__(self, settings: Settings, engine: Engine, wire: GatewayClient) -> None:
        self._settings = settings
        self._engine = engine
        self._wire = wire

    async def send(self, account: Account, request: httpx.Request) -> httpx.Response:
        """Send a request and return the answer; whoever reads it tells `said` what it says.

        A held account is asked for nothing. For another call's proof of the login it waits as long
        as that may take. Raises `NotAsked` when its turn does not come, else as the wire does.
        """
        timeout = account.settings.timeout
        until = time.monotonic() + timeout + 1.0
        while not await asyncio.to_thread(self._may, account):
            if time.monotonic() > until:
                msg = "another call is finding out whether its login is accepted; ask again later"
                raise NotAsked(msg)
            await asyncio.sleep(LOOK)
        try:
            return await self._wire.call(request, timeout)
        except BaseException:
            await asyncio.to_thread(self._give, account)
            raise

    def _may(self, account: Account) -> bool:
        """Whether it is the turn of a call now. Raises `NotAsked` when the account is held."""
        name, logins = account.name, self._settings.logins
        keeper, login = logins.keeper(name), logins.fingerprints[name]
        with database.reading(self._engine) as connection:
            state = accounts.states(connection, logins).get(name)
            proven = accounts.known(connection, {keeper}).get(keeper, (0, None))[1] == login
        if state is not None and state.held:
            msg = " ".join(filter(None, ["held:", state.held_code, state.held_why]))
            raise NotAsked(msg)
        if proven:
            return True
        with database.writing(self._engine) as connection:
            # The call, and what is written of its answer.
            seconds = account.settings.timeout + self._settings.top.lease
            return accounts.take_probe(connection, keeper, seconds, login, counts=False)

    def _give(self, account: Account) -> None:
        keeper = self._settings.logins.keeper(account.name)
        with database.writing(self._engine) as connection:
            proven = accounts.known(connection, {keeper}).get(keeper, (0, None))[1]
            if proven != self._settings.logins.fingerprints[account.name]:
                accounts.give_probe(connection, keeper)
