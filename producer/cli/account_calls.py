"""Ask accounts by hand for what ticks ask them for: the same calls under the same rules.

A held account is not asked, nor is an account that a worker is asking at that moment.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine

from producer.cli import output
from producer.cli.session import Session, operator_name
from producer.waiting.account_words import hold_words
from worker.config import secret_places
from worker.config.settings import Settings
from worker.domain.enums import Reports
from worker.domain.errors import (
    NotAsked,
    NotSent,
    OutcomeUnknown,
    Problem,
    ProxyRefusal,
    Refused,
)
from worker.feedback.collector import CollectionResult, Collector
from worker.gateways.base import Account
from worker.gateways.results import Balance
from worker.gateways.transport.client import GatewayClient
from worker.store import accounts, ticks
from worker.store.accounts import AccountState
from worker.store.db import database

#: Codes that stand for a call without an answer, in place of a gateway's code.
_NO_ANSWER_CODES = {NotSent.__name__, ProxyRefusal.__name__, OutcomeUnknown.__name__}


class AccountCall(StrEnum):
    """What an account can be asked for; also the first part of its tick's name."""

    REPORTS = "reports"
    INBOUND = "inbound"
    BALANCE = "balance"


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """What one account answered, or why it was not asked."""

    account: str
    page_count: int = 0
    new_count: int = 0
    #: What went wrong, or why the account was not asked.
    problem: str | None = None
    #: Seconds until the account may be asked.
    wait_seconds: float = 0.0
    held: bool = False
    #: Another process is asking the account at this moment.
    busy: bool = False
    #: Its login cannot be read here: a variable is not set, or a file cannot be read.
    lacks_secret: bool = False

    @property
    def failed(self) -> bool:
        """Whether the gateway refused the call or did not answer it."""
        return bool(self.problem) and not (self.wait_seconds or self.held or self.busy)

    def notice(self) -> str | None:
        """Return the problem, or the time at which the account may be asked; None for neither."""
        if not self.wait_seconds:
            return self.problem
        moment = datetime.now(UTC) + timedelta(seconds=self.wait_seconds)
        return f"may run again at {output.local_time(moment)}, in {self.wait_seconds:.0f} s"

    def as_json(self) -> dict[str, Any]:
        """Return the answer to a call for reports or inbound messages as JSON shows it."""
        return {
            "account": self.account,
            "pages": self.page_count,
            "new": self.new_count,
            "problem": self.problem,
            "wait": self.wait_seconds,
        }


def ask(session: Session, call: AccountCall, name: str | None = None) -> list[AccountAnswer]:
    """Ask the named account, or all accounts that can be asked; each gives one answer.

    Raises `Refused` when the named account cannot be asked for that.
    """
    accounts_to_ask = [
        account for account in session.accounts(name) if _can_be_asked(account, call)
    ]
    if name and not accounts_to_ask:
        raise Refused([Problem("account", f"{name} has no {call} to ask for")])
    with database.reading(session.engine) as connection:
        states = accounts.states(connection, session.settings.logins)
    return asyncio.run(_ask_all(session.settings, session.engine, call, accounts_to_ask, states))


def _can_be_asked(account: Account, call: AccountCall) -> bool:
    capabilities = account.gateway.capabilities
    if call is AccountCall.REPORTS:
        return account.reports is Reports.PULL
    if call is AccountCall.INBOUND:
        return capabilities.inbound
    return capabilities.balance


async def _ask_all(
    settings: Settings,
    engine: Engine,
    call: AccountCall,
    accounts_to_ask: Sequence[Account],
    states: dict[str, AccountState],
) -> list[AccountAnswer]:
    """Ask accounts at the same time, each under its tick."""
    client = GatewayClient(settings.top.transport, connections=10)
    owner = f"{operator_name()[:30]}-{os.getpid()}-{secrets.token_hex(4)}"
    collector = Collector(settings, engine, client, owner)
    try:
        return list(
            await asyncio.gather(
                *(
                    _ask_account(collector, call, account, states.get(account.name))
                    for account in accounts_to_ask
                )
            )
        )
    finally:
        await client.close()


async def _ask_account(
    collector: Collector, call: AccountCall, account: Account, state: AccountState | None
) -> AccountAnswer:
    """Ask one account, unless it is held or another process has its tick."""
    if state and state.held:
        return AccountAnswer(account.name, problem=f"held: {hold_words(state)}", held=True)
    missing = secret_places.missing_secrets(collector.settings, account.name)
    if missing:
        problem = "not asked: " + "; ".join(map(str, missing))
        return AccountAnswer(account.name, problem=problem, lacks_secret=True)
    tick = f"{call}:{account.name}"
    if not await asyncio.to_thread(_take_tick, collector, tick, account, call):
        return AccountAnswer(
            account.name, problem="a worker is asking it now; look again", busy=True
        )
    try:
        collect_by_call: dict[
            AccountCall, Callable[[Account], Awaitable[CollectionResult | Balance]]
        ] = {
            AccountCall.REPORTS: collector.collect_reports,
            AccountCall.INBOUND: collector.collect_inbound,
            AccountCall.BALANCE: collector.fetch_balance,
        }
        return _account_answer(account, await collect_by_call[call](account))
    finally:
        await asyncio.to_thread(_leave_tick, collector, tick)


def _account_answer(account: Account, gateway_answer: CollectionResult | Balance) -> AccountAnswer:
    """Return what the collector returned as an `AccountAnswer`."""
    if isinstance(gateway_answer, CollectionResult):
        return AccountAnswer(
            account.name,
            gateway_answer.pages,
            gateway_answer.new_rows,
            gateway_answer.problem,
            gateway_answer.wait_seconds,
            busy=not gateway_answer.was_asked,
        )
    if gateway_answer.refusal is None:
        return AccountAnswer(account.name)
    code, words = gateway_answer.refusal.code, gateway_answer.refusal.words
    if code == NotAsked.__name__:
        return AccountAnswer(account.name, problem=words, busy=True)
    if code in _NO_ANSWER_CODES:
        return AccountAnswer(account.name, problem=f"did not answer: {words}")
    return AccountAnswer(account.name, problem=f"refused: {code} {words}".strip())


def _take_tick(collector: Collector, tick: str, account: Account, call: AccountCall) -> bool:
    """Take the account's tick, even before it is due; False when another process has it."""
    settings = account.settings
    interval = {
        AccountCall.REPORTS: settings.collect_reports_every,
        AccountCall.INBOUND: settings.collect_inbound_every,
        AccountCall.BALANCE: settings.check_balance_every,
    }[call]
    lease_seconds = 10 * settings.timeout + 60.0
    with database.writing(collector.engine) as connection:
        ticks.ensure(connection, {tick})
        return ticks.take(
            connection, tick, collector.owner, every=interval, lease=lease_seconds, force=True
        )


def _leave_tick(collector: Collector, tick: str) -> None:
    with database.writing(collector.engine) as connection:
        ticks.release(connection, tick, collector.owner)
