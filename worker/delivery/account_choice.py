"""Choose the account that takes due work, and decide whether a probe asks it first."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.delivery import permits
from worker.delivery.permits import Permits
from worker.delivery.template_forms import TemplateForms
from worker.domain.enums import MessageClass
from worker.domain.renderings import Rendering
from worker.gateways.base import Account, Content
from worker.policy import eligibility, routing
from worker.policy.account_health import HEALTHY, Health
from worker.policy.eligibility import (
    AccountOption,
    AccountStatus,
    Exclusion,
    RoutingQuery,
)
from worker.store.delivery import account_doubts
from worker.store.delivery.account_doubts import Doubt

#: How long due work waits when no account can take it now, and when all slots are taken, in
#: seconds.
NO_ACCOUNT_WAIT = 2.0
CROWDED_WAIT = 0.1
#: The most messages in the submission that finds out whether a login is accepted: a refusal in
#: words that nobody knows leaves them unknown.
MAX_PROVING_MESSAGES = 50


class WaitReason(Enum):
    """Why due work is not submitted now."""

    #: The accounts that could take it give no permit for a moment.
    NO_PERMIT = auto()
    #: All slots are taken, or another call is finding out whether the login is accepted.
    CROWDED = auto()
    #: It is marketing, and the sending hours have not begun.
    HOURS = auto()
    #: Every account is excluded: held, in doubt, or unable to carry it.
    NO_ACCOUNT = auto()
    #: It is a single message that waits for equal ones, to go with them in one submission.
    GATHERING = auto()


class Wait(NamedTuple):
    """That due work has to wait: why, and for how many seconds."""

    reason: WaitReason
    #: 0.0 when the wait is not worth a write: the work stays due.
    seconds: float


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """An account with a free slot, and how many messages the submission there may carry."""

    account: Account
    batch_cap: int
    #: Whether the submission asks a doubtful account if it works.
    probe: bool
    #: The content as the account is sent it, and the rendering of its template, if it has one.
    content: Content
    rendering: Rendering | None = None
    #: What it was chosen from.
    options: Sequence[AccountOption] = ()
    #: How many more submissions may begin there now.
    further_slots: int = 0

    @property
    def binding_id(self) -> int | None:
        """The binding by which a template is rendered; None where there is none."""
        return None if self.rendering is None else self.rendering.binding_id


@dataclass
class AccountSelector:
    """The accounts that one claim may choose from, with the slots that it has taken so far."""

    settings: Settings
    message_class: MessageClass
    #: Free slots by account: how many submissions may still begin there.
    free_slots: dict[str, int]
    held_accounts: frozenset[str]
    doubts: Mapping[str, Doubt]
    #: The accounts that have a submission in flight.
    busy_accounts: frozenset[str]
    #: When the claim began, aware.
    at: datetime
    #: Asked before any submission begins.
    permits: Permits
    #: Accounts that are to get less than all of their traffic.
    healths: Mapping[str, Health] = field(default_factory=dict)
    #: True when due work waits for nothing but a free slot: look again soon.
    crowded: bool = False
    #: The renderings of templates.
    forms: TemplateForms = field(default_factory=TemplateForms)

    @property
    def full(self) -> bool:
        """Whether no account has a free slot."""
        return all(slots <= 0 for slots in self.free_slots.values())

    @property
    def total_free_slots(self) -> int:
        """How many submissions may still begin at all accounts together."""
        return sum(slots for slots in self.free_slots.values() if slots > 0)

    @property
    def closed_accounts(self) -> set[str]:
        """The accounts that take nothing now: they are held, or have no free slot."""
        return {name for name, slots in self.free_slots.items() if slots <= 0} | self.held_accounts

    def options(self, query: RoutingQuery) -> list[AccountOption]:
        """Say of each account whether it may be asked now, and with what chance it is chosen."""
        return routing.explain(self.settings.accounts.values(), query, self._status)

    def _status(self, account_name: str) -> AccountStatus:
        """Return how an account stands for this claim, as routing asks for it."""
        doubt = self.doubts.get(account_name)
        return AccountStatus(
            held=account_name in self.held_accounts,
            probe_before_batches=doubt is not None,
            probe_before_singles=doubt is not None and (doubt.stops_singles or doubt.settling),
            health=self.healths.get(account_name, HEALTHY),
            free_slots=self.free_slots[account_name],
            slots=permits.class_slots(self.settings.accounts[account_name].settings),
        )

    def choose(self, connection: Connection, query: RoutingQuery) -> AccountChoice | Wait:
        """Take a slot at an account, or a probe; return the choice, or how long to wait."""
        options = self.options(query)
        drawn = routing.pick(options, random.random)
        probed = self._take_due_probe(connection, options, drawn)
        if probed is not None:
            return self._choice(probed, self._probe_cap(probed), query, options, probe=True)
        if drawn is None:
            return self._wait(options)
        account = drawn.account
        self.free_slots[account.name] -= 1
        cap = permits.max_batch_size(account, self.message_class)
        choice = self._choice(account, cap, query, options, probe=False)
        return replace(choice, further_slots=drawn.free_slots - 1)

    @staticmethod
    def _choice(
        account: Account,
        cap: int,
        query: RoutingQuery,
        options: Sequence[AccountOption],
        *,
        probe: bool,
    ) -> AccountChoice:
        """Return an account as it was chosen, with the content as it is sent it."""
        rendering = query.renderings.get(account.name) if query.renderings else None
        content = eligibility.sent_content(account, query)
        return AccountChoice(
            account, cap, probe=probe, content=content, rendering=rendering, options=options
        )

    def _wait(self, options: Sequence[AccountOption]) -> Wait:
        """Return how long work waits that none of the options can take now."""
        exclusions = {option.exclusion for option in options}
        full = [option.account.name for option in options if option.exclusion is Exclusion.FULL]
        rest = self.permits.wait_for(full, others=not self.full)
        if rest is not None and Exclusion.DOUBT not in exclusions:
            return Wait(WaitReason.NO_PERMIT, rest)
        proving = any(
            option.exclusion is Exclusion.DOUBT and self._waits_for_proof(option.account)
            for option in options
        )
        if proving or full:
            self.crowded = True
            return Wait(WaitReason.CROWDED, CROWDED_WAIT)
        if Exclusion.DOUBT not in exclusions and Exclusion.HOURS in exclusions:
            hours = [
                option.wait_seconds for option in options if option.exclusion is Exclusion.HOURS
            ]
            return Wait(WaitReason.HOURS, min(hours))
        return Wait(WaitReason.NO_ACCOUNT, NO_ACCOUNT_WAIT)

    def _take_due_probe(
        self, connection: Connection, options: Sequence[AccountOption], drawn: AccountOption | None
    ) -> Account | None:
        """Take the right to probe the first doubtful account whose probe is due, and return it.

        Where another account was drawn, only one whose priority is not lower, and never by a code.
        """
        if drawn is not None and self.message_class is MessageClass.OTP:
            return None
        least = drawn.account.settings.priority if drawn is not None else None
        for option in options:
            if option.exclusion is not Exclusion.DOUBT:
                continue
            worthy = least is None or option.account.settings.priority >= least
            if worthy and self._take_probe(connection, option.account):
                return option.account
        return None

    def _probe_cap(self, account: Account) -> int:
        """Return the most messages in a probe: one, or some where only the login is unproven."""
        if self.doubts[account.name].doubts:
            return 1
        return min(permits.max_batch_size(account, self.message_class), MAX_PROVING_MESSAGES)

    def may_probe(self, account_name: str) -> bool:
        """Tell whether the one submission that asks a doubtful account may go now."""
        doubt = self.doubts[account_name]
        logins = self.settings.logins
        same_login = logins.accounts_sharing(account_name) if doubt.unproven else [account_name]
        free = self.busy_accounts.isdisjoint(same_login) and self.free_slots[account_name] > 0
        return doubt.probe_due and not doubt.settling and free

    def _take_probe(self, connection: Connection, account: Account) -> bool:
        """Take the right to ask an account by one submission; False when it may not be asked.

        Its slots are closed for the rest of the claim, so that the probe is alone.
        """
        if not self.may_probe(account.name):
            return False
        logins, doubt = self.settings.logins, self.doubts[account.name]
        self.free_slots[account.name] = 0
        probed_rows = {account.name} if doubt.doubts else set()
        if doubt.unproven:
            probed_rows.add(logins.keeper(account.name))
        seconds, login = self.in_flight_seconds(account), logins.fingerprints[account.name]
        return all(
            account_doubts.take_probe(connection, account_name, seconds, login)
            for account_name in sorted(probed_rows)
        )

    def give_probe_back(self, connection: Connection, account: Account) -> None:
        """Let the next claim probe an account, once its rest is over: it gives no permit now."""
        rest = self.permits.rests.get(account.name, CROWDED_WAIT)
        for account_name in sorted({account.name, self.settings.logins.keeper(account.name)}):
            account_doubts.release_probe(connection, account_name, rest)

    def _waits_for_proof(self, account: Account) -> bool:
        """Whether another call is finding out if the login of an account is accepted."""
        doubt = self.doubts[account.name]
        return doubt.unproven and not doubt.doubts

    def in_flight_seconds(self, account: Account) -> float:
        """Return for how long a submission may be in flight at an account: lease and timeout."""
        return self.settings.top.lease + account.settings.timeout
