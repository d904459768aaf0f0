"""Asking accounts by hand for what ticks ask them: the same calls under the same rules.

A held account is asked for nothing, and an account that a worker is asking is left alone.
"""

import asyncio
import getpass
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine

from producer.cli import output
from producer.cli.session import Session
from worker.config.settings import Settings
from worker.domain.enums import Reports
from worker.domain.errors import (
    NotAsked,
    NotSent,
    OutcomeUnknown,
    Problem,
    Refused,
)
from worker.feedback.collector import Collected, Collector
from worker.gateways.base import Account
from worker.gateways.results import Balance
from worker.gateways.transport.client import GatewayClient
from worker.store import accounts, ticks
from worker.store.accounts import AccountState
from worker.store.db import database

#: What the wire says instead of a gateway's code.
_NO_ANSWER = {NotSent.__name__, OutcomeUnknown.__name__}


class CallKind(StrEnum):
    """What an account can be asked for; also the first part of its tick's name."""

    REPORTS = "reports"
    INBOUND = "inbound"
    BALANCE = "balance"


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """What came of asking one account."""

    account: str
    pages: int = 0
    new: int = 0
    #: What went wrong, or why it was not asked.
    problem: str | None = None
    #: Seconds until it may be asked.
    wait: float = 0.0
    held: bool = False
    #: Another process is asking it just now.
    busy: bool = False

    @property
    def failed(self) -> bool:
        """Tell whether the gateway refused or did not answer."""
        return bool(self.problem) and not (self.wait or self.held or self.busy)

    def said(self) -> str | None:
        """Say what there is to say of it, with the time when it may be asked again."""
        if not self.wait:
            return self.problem
        at = datetime.now(UTC) + timedelta(seconds=self.wait)
        return f"may run again at {output.local(at)}, in {self.wait:.0f} s"

    def collected(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "account": self.account,
            "pages": self.pages,
            "new": self.new,
            "problem": self.problem,
            "wait": self.wait,
        }


def ask(here: Session, kind: CallKind, name: str | None = None) -> list[AccountAnswer]:
    """Ask one account, or all that have such a thing. Raises `Refused` for one that has not."""
    asked = [one for one in here.accounts(name) if _has(one, kind)]
    if name and not asked:
        raise Refused([Problem("account", f"{name} has no {kind} to ask for")])
    with database.reading(here.engine) as connection:
        states = accounts.states(connection, here.settings.logins)
    return asyncio.run(_ask_all(here.settings, here.engine, kind, asked, states))


def person() -> str:
    """Return the name under which a person's doings are recorded."""
    try:
        return getpass.getuser()[:60]
    except (KeyError, OSError):
        return "somebody"


def _has(account: Account, kind: CallKind) -> bool:
    now = datetime.now(UTC)
    if kind is CallKind.REPORTS:
        return account.reports is Reports.PULL
    if kind is CallKind.INBOUND:
        return account.gateway.inbound_request(now) is not None
    return account.gateway.balance_request(now) is not None


async def _ask_all(
    settings: Settings,
    engine: Engine,
    kind: CallKind,
    asked: Sequence[Account],
    states: dict[str, AccountState],
) -> list[AccountAnswer]:
    wire = GatewayClient(settings.top.transport, connections=10)
    owner = f"{person()[:30]}-{os.getpid()}-{secrets.token_hex(4)}"
    collector = Collector(settings, engine, wire, owner)
    try:
        return list(
            await asyncio.gather(
                *(_ask_one(collector, kind, one, states.get(one.name)) for one in asked)
            )
        )
    finally:
        await wire.close()


async def _ask_one(
    collector: Collector, kind: CallKind, account: Account, state: AccountState | None
) -> AccountAnswer:
    if state and state.held:
        why = " ".join(filter(None, [state.held_code, state.held_why]))
        return AccountAnswer(account.name, problem=f"held: {why}", held=True)
    tick = f"{kind}:{account.name}"
    if not await asyncio.to_thread(_take, collector, tick, account, kind):
        return AccountAnswer(
            account.name, problem="a worker is asking it now; look again", busy=True
        )
    try:
        calls: dict[CallKind, Callable[[Account], Awaitable[Collected | Balance]]] = {
            CallKind.REPORTS: collector.reports,
            CallKind.INBOUND: collector.inbound,
            CallKind.BALANCE: collector.balance,
        }
        return _answer(account, await calls[kind](account))
    finally:
        await asyncio.to_thread(_leave, collector, tick)


def _answer(account: Account, found: Collected | Balance) -> AccountAnswer:
    if isinstance(found, Collected):
        return AccountAnswer(
            account.name, found.pages, found.new, found.problem, found.wait, busy=not found.asked
        )
    if found.refusal is None:
        return AccountAnswer(account.name)
    code, words = found.refusal.code, found.refusal.words
    if code == NotAsked.__name__:
        return AccountAnswer(account.name, problem=words, busy=True)
    if code in _NO_ANSWER:
        return AccountAnswer(account.name, problem=f"did not answer: {words}")
    return AccountAnswer(account.name, problem=f"refused: {code} {words}".strip())


def _take(collector: Collector, tick: str, account: Account, kind: CallKind) -> bool:
    settings = account.settings
    every = {
        CallKind.REPORTS: settings.collect_reports_every,
        CallKind.INBOUND: settings.collect_inbound_every,
        CallKind.BALANCE: settings.check_balance_every,
    }[kind]
    patience = 10 * settings.timeout + 60.0
    with database.writing(collector.engine) as connection:
        ticks.ensure(connection, {tick})
        return ticks.take(
            connection, tick, collector.owner, every=every, lease=patience, force=True
        )


def _leave(collector: Collector, tick: str) -> None:
    with database.writing(collector.engine) as connection:
        ticks.leave(connection, tick, collector.owner)
