"""Choosing: which account takes what is due now, and whether it is asked by a probe first."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.delivery import permits
from worker.delivery.permits import Permits
from worker.domain.enums import MessageClass
from worker.gateways.base import Account
from worker.policy import routing
from worker.policy.account_health import WELL, Health
from worker.policy.routing import (
    AccountOption,
    AccountStatus,
    Exclusion,
    RoutingQuery,
)
from worker.store import accounts
from worker.store.accounts import Doubt

#: How long what is due waits when no account can take it now, and when all places are taken.
NO_ACCOUNT_WAIT = 2.0
CROWDED_WAIT = 0.1
#: The most messages in the submission that finds out whether a login is accepted: a refusal in
#: words that nobody knows leaves them unknown.
MAX_PROVING_MESSAGES = 50


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """An account with a free place, and how many messages the submission there may carry."""

    account: Account
    cap: int
    probe: bool
    #: What it was chosen from.
    options: Sequence[AccountOption] = ()
    #: How many more submissions may begin there now.
    more: int = 0


@dataclass
class AccountSelector:
    """The accounts as one claim of a class found them, and the places that it has taken since."""

    settings: Settings
    message_class: MessageClass
    owner: str
    #: Free places by account: how many submissions may still begin.
    room: dict[str, int]
    held: frozenset[str]
    doubts: Mapping[str, Doubt]
    #: The accounts with something under way.
    busy: frozenset[str]
    at: datetime
    #: True when something waits for a free place only: look again soon.
    crowded: bool = False
    #: Accounts that are to get less than all of their traffic.
    healths: Mapping[str, Health] = field(default_factory=dict)
    #: Asked before anything begins; when nothing is given, the database decides by itself.
    permits: Permits | None = None

    @property
    def full(self) -> bool:
        """Whether no account has a place left."""
        return all(places <= 0 for places in self.room.values())

    @property
    def _permits(self) -> Permits:
        if self.permits is None:
            self.permits = permits.by_database(self.settings, self.message_class)
        return self.permits

    def options(self, asked: RoutingQuery) -> list[AccountOption]:
        """Say of each account whether it may be asked now, and with what chance it is chosen."""
        return routing.explain(self.settings.accounts.values(), asked, self._stands)

    def _stands(self, name: str) -> AccountStatus:
        doubt = self.doubts.get(name)
        return AccountStatus(
            held=name in self.held,
            no_batches=doubt is not None,
            no_singles=doubt is not None and (doubt.of_singles or doubt.settling),
            health=self.healths.get(name, WELL),
            free=self.room[name],
            places=permits.places(self.settings.accounts[name].settings),
        )

    def _choose(self, connection: Connection, asked: RoutingQuery) -> AccountChoice | float:
        """Take a place at an account, or say in how many seconds to ask again."""
        options = self.options(asked)
        chosen = routing.pick(options, random.random)
        probed = self._probed(connection, options, chosen)
        if probed is not None:
            cap = min(permits.cap(probed, self.message_class), MAX_PROVING_MESSAGES)
            cap = 1 if self.doubts[probed.name].doubts else cap
            return AccountChoice(probed, cap, probe=True, options=options)
        if chosen is not None:
            account = chosen.account
            self.room[account.name] -= 1
            return AccountChoice(
                account,
                permits.cap(account, self.message_class),
                probe=False,
                options=options,
                more=chosen.places - 1,
            )
        out = {one.out for one in options}
        full = [one.account.name for one in options if one.out is Exclusion.FULL]
        resting = self._permits.wait(full, others=any(free > 0 for free in self.room.values()))
        if resting is not None and Exclusion.DOUBT not in out:
            return resting
        proving = any(one.out is Exclusion.DOUBT and self._proving(one.account) for one in options)
        self.crowded = self.crowded or proving or Exclusion.FULL in out
        if proving or Exclusion.FULL in out:
            return CROWDED_WAIT
        if Exclusion.DOUBT not in out and Exclusion.HOURS in out:
            return min(one.wait for one in options if one.out is Exclusion.HOURS)
        return NO_ACCOUNT_WAIT

    def _probed(
        self, connection: Connection, options: Sequence[AccountOption], chosen: AccountOption | None
    ) -> Account | None:
        """Return the account that is to be asked whether it works, if its turn has come.

        Where another account was chosen: one that is not worth less, and never by a code.
        """
        if chosen is not None and self.message_class is MessageClass.OTP:
            return None
        least = chosen.account.settings.priority if chosen is not None else None
        for one in options:
            if one.out is not Exclusion.DOUBT:
                continue
            worthy = least is None or one.account.settings.priority >= least
            if worthy and self._probe(connection, one.account):
                return one.account
        return None

    def may_probe(self, name: str) -> bool:
        """Tell whether the one submission that asks a doubtful account may go now."""
        doubt = self.doubts[name]
        same = self.settings.logins.same(name) if doubt.unproven else [name]
        free = self.busy.isdisjoint(same) and self.room[name] > 0
        return doubt.probe_due and not doubt.settling and free

    def _probe(self, connection: Connection, account: Account) -> bool:
        """Take the right to ask an account by one submission, alone."""
        name, logins = account.name, self.settings.logins
        doubt = self.doubts[name]
        if not self.may_probe(name):
            return False
        self.room[name] = 0
        rights = {name} if doubt.doubts else set()
        if doubt.unproven:
            rights.add(logins.keeper(name))
        return all(
            accounts.take_probe(connection, one, self._patience(account), logins.fingerprints[name])
            for one in sorted(rights)
        )

    def _give_probe(self, connection: Connection, account: Account) -> None:
        """Let another take the right to ask an account: it gives no permit now."""
        for one in sorted({account.name, self.settings.logins.keeper(account.name)}):
            accounts.give_probe(
                connection, one, self._permits.rests.get(account.name, CROWDED_WAIT)
            )

    def _proving(self, account: Account) -> bool:
        """Whether another call is finding out if the login of an account is accepted."""
        doubt = self.doubts[account.name]
        return doubt.unproven and not doubt.doubts

    def _patience(self, account: Account) -> float:
        return self.settings.top.lease + account.settings.timeout
