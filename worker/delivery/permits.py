"""Permits: what may begin now at an account, by Redis, or by the database while Redis is gone.

They are asked for within the transaction that claims. Nobody waits for one: an account that gives
none rests, for a lane, until it may. Who finds Redis gone writes a limiter into the account's row,
which grants nothing for a second; all others go by that row, under its lock. After some seconds one
of them tries Redis again, gives the account back in the same transaction, and Redis grants nothing
for a second: what either of them granted never adds up to more than the limit.
"""

import random
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.delivery.throttle import PermitRequest, Throttle
from worker.domain.enums import MessageClass
from worker.gateways.account_settings import AccountSettings
from worker.gateways.base import Account
from worker.policy import gcra
from worker.policy.gcra import Bucket, Cost, Rates
from worker.store import account_pace
from worker.store.account_pace import Pacing
from worker.store.claims import Lease

log = structlog.get_logger()

#: Waits up to this are kept in memory and written nowhere, in seconds.
MOMENT = 1.0
#: How often Redis is tried again for an account that the database paces, in seconds.
AGAIN = 3.0
#: A lane looks no more often than this when it loses nothing by it, in seconds.
GRAIN = 0.05


def rates(settings: AccountSettings, allowed: float | None = None) -> Rates:
    """Return an account's limits, with what is `allowed` since its gateway refused."""
    return Rates(
        settings.submissions_per_second,
        settings.messages_per_second,
        settings.segments_per_second,
        allowed,
        settings.burst,
        settings.otp_reserve if shared(settings) else 0.0,
    )


def shared(settings: AccountSettings) -> bool:
    """Whether an account serves codes and other classes."""
    served = [settings.serves(one) for one in MessageClass]
    return settings.serves(MessageClass.OTP) and sum(served) > 1


def places(settings: AccountSettings) -> int:
    """Return how many submissions codes may have under way, or the others."""
    reserve = settings.otp_reserve if shared(settings) else 0.0
    return gcra.places(settings.concurrency, reserve)


def cap(account: Account, message_class: MessageClass) -> int:
    """Return the most messages in a submission of a class.

    Where there is one place, and codes need it, nothing else holds it for as long as a batch takes.
    """
    one = account.settings
    alone = one.concurrency == 1 and shared(one) and not one.batches_beside_otp
    return 1 if alone and message_class is not MessageClass.OTP else account.batch_cap


def places_of(leases: Iterable[Lease]) -> list[tuple[str, bool, str]]:
    """Return the places in Redis that leases hold, to be given back."""
    otp = MessageClass.OTP
    return [(one.account, one.message_class is otp, one.permit) for one in leases if one.permit]


class Rests:
    """The accounts that give a lane no permit for a moment; remembered here, written nowhere."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def note(self, rests: Mapping[str, float]) -> None:
        """Remember for how many seconds accounts rest."""
        now = time.monotonic()
        self._until |= {name: now + min(wait, MOMENT) for name, wait in rests.items()}

    def left(self) -> dict[str, float]:
        """Return the accounts that rest still, and for how many seconds."""
        now = time.monotonic()
        self._until = {name: until for name, until in self._until.items() if until > now}
        return {name: until - now for name, until in self._until.items()}


@dataclass
class Permits:
    """What one claim may begin, and what it was granted."""

    settings: Settings
    throttle: Throttle
    message_class: MessageClass
    standing: Mapping[str, Pacing]
    #: What is under way, by account and whether it is otp.
    under_way: Counter[tuple[str, bool]]
    #: Accounts that give no permit now: how many seconds they rest.
    rests: dict[str, float]
    #: Places taken in Redis: account, whether it is otp, receipt.
    taken: list[tuple[str, bool, str]] = field(default_factory=list)
    _locked: dict[str, Pacing] | None = None

    @property
    def _otp(self) -> bool:
        return self.message_class is MessageClass.OTP

    def room(self) -> dict[str, int]:
        """Return how many submissions may begin at each account, as far as places go."""
        for name, one in self.standing.items():
            rest = one.learned.rest(one.now)
            if rest:
                self.rests[name] = max(rest, self.rests.get(name, 0.0))
        return {
            name: 0 if name in self.rests else self._free(account, self.under_way)
            for name, account in self.settings.accounts.items()
        }

    def _free(self, account: Account, under_way: Counter[tuple[str, bool]]) -> int:
        mine = under_way[account.name, self._otp]
        others = under_way[account.name, not self._otp]
        one = account.settings
        return max(0, min(one.concurrency - mine - others, places(one) - mine))

    def prepare(self, connection: Connection) -> None:
        """Lock the accounts, in order and before anything else, when the database has to decide."""
        if self.throttle.pause:
            self._lock(connection)

    def wait(self, names: Iterable[str], *, others: bool) -> float | None:
        """Return how long something waits that could only go by these accounts.

        None when one of them has no place rather than no permit. 0.0 when it is not worth writing
        down: a moment, while nothing behind it could go by `others`.
        """
        waits = [self.rests.get(name) for name in names]
        known = [one for one in waits if one is not None]
        if not known or len(known) < len(waits):
            return None
        shortest = min(known)
        return 0.0 if shortest <= MOMENT and not others else shortest

    def ask(
        self, connection: Connection, account: Account, costs: Sequence[Cost], lease: float
    ) -> list[str]:
        """Take permits for the first so many submissions, and return their receipts.

        Whoever gets fewer than asked for finds in `rests` how long the account gives none.
        """
        pacing = self.standing.get(account.name, Pacing())
        through = gcra.buckets(rates(account.settings, pacing.allowed), otp=self._otp)
        granted = None
        if pacing.state is None and not self.throttle.pause:
            granted = self._by_redis(account, through, costs, lease)
        elif pacing.state is None and through and self.throttle.there:
            # Another may have given the account back to Redis: this process has yet to see it.
            self.rests[account.name] = self.throttle.pause
            return []
        if granted is None:
            granted = self._by_database(connection, account, through, costs)
        return granted

    def _by_redis(
        self, account: Account, through: Sequence[Bucket], costs: Sequence[Cost], lease: float
    ) -> list[str] | None:
        call = secrets.token_hex(8)
        receipts = [f"{call}/{nth}" for nth in range(len(costs))]
        said = self.throttle.ask(self._wanted(account, through, receipts, costs, lease))
        if said is None:
            return None
        granted = receipts[: said.granted]
        self.taken += [(account.name, self._otp, one) for one in granted]
        if said.granted < len(costs) and not said.full:
            self._rest(account.name, said.wait, through, costs[said.granted], said.granted)
        return granted

    def _wanted(
        self,
        account: Account,
        through: Sequence[Bucket],
        receipts: Sequence[str],
        costs: Sequence[Cost],
        lease: float,
    ) -> PermitRequest:
        name, one = account.name, account.settings
        return PermitRequest(
            name,
            self._otp,
            through,
            receipts,
            costs,
            one.concurrency,
            places(one),
            self.under_way[name, True] + self.under_way[name, False],
            lease,
        )

    def _rest(
        self, name: str, wait: int, through: Sequence[Bucket], cost: Cost, granted: int
    ) -> None:
        """Look again when a permit is there; a little later, if no capacity is lost by it.

        Who got none looks later than who got one: so not all processes look for each permit.
        """
        rest = max(wait / gcra.SECOND, 0.001)
        if not self._otp:
            spare = min((one.burst - one.fill(cost) for one in through), default=0) / 2
            rest = max(rest, min(GRAIN, spare / gcra.SECOND))
        if not (self._otp or granted):
            apart = max((one.fill(cost) for one in through), default=0) / gcra.SECOND
            rest += min(GRAIN, apart) * random.uniform(0.5, 1.5)  # noqa: S311 - spread, no secret
        self.rests[name] = rest

    def _by_database(
        self,
        connection: Connection,
        account: Account,
        through: Sequence[Bucket],
        costs: Sequence[Cost],
    ) -> list[str]:
        pacing = self._lock(connection)[account.name]
        if through and not self._stands_in(connection, account, pacing):
            return []
        now_taken = account_pace.under_way(connection, account.name)
        costs = costs[: self._free(account, now_taken)]
        if through and pacing.state is not None and costs:
            answer, after = gcra.ask(pacing.state, pacing.at, through, costs)
            self._write(connection, account.name, replace(pacing, state=after))
            if answer.granted < len(costs):
                next_one = costs[answer.granted]
                self._rest(account.name, answer.wait, through, next_one, answer.granted)
                costs = costs[: answer.granted]
        return [""] * len(costs)

    def _stands_in(self, connection: Connection, account: Account, pacing: Pacing) -> bool:
        """Whether the database's limiter grants anything to this class now."""
        name = account.name
        if pacing.state is None:
            if self.standing.get(name, Pacing()).state is not None:
                # Redis has it again.
                self.rests[name] = GRAIN
                return False
            self._begin(connection)
            return False
        if pacing.at >= pacing.retry and not self.throttle.pause:
            if self._given_back(connection, account):
                return False
            pacing = replace(pacing, retry=pacing.at + round(AGAIN * 1_000_000))
            self._write(connection, name, pacing)
        if self.message_class is MessageClass.MARKETING:
            self.rests[name] = MOMENT
            return False
        return True

    def _begin(self, connection: Connection) -> None:
        """Let the database pace all accounts that have to be: Redis is gone for each of them."""
        for name, pacing in self._lock(connection).items():
            paced = rates(self.settings.accounts[name].settings, pacing.allowed)
            if paced and pacing.state is None:
                retry = pacing.at + round(AGAIN * 1_000_000)
                begun = replace(pacing, state=gcra.fresh(pacing.at), retry=retry)
                self._write(connection, name, begun)
                self.rests[name] = MOMENT
                log.warning("throttle.gone", account=name)

    def _given_back(self, connection: Connection, account: Account) -> bool:
        """Let Redis pace an account again, if it is there; it begins anew."""
        wanted = self._wanted(account, (), (), (), account.settings.timeout)
        if self.throttle.ask(replace(wanted, anew=True)) is None:
            return False
        self._write(connection, account.name, Pacing())
        self.rests[account.name] = MOMENT
        log.info("throttle.back", account=account.name)
        return True

    def _lock(self, connection: Connection) -> dict[str, Pacing]:
        if self._locked is None:
            self._locked = account_pace.lock(connection, self.settings.accounts)
        return self._locked

    def _write(self, connection: Connection, name: str, pacing: Pacing) -> None:
        account_pace.write(connection, name, pacing.state, pacing.retry)
        self._lock(connection)[name] = pacing


def look(
    connection: Connection,
    settings: Settings,
    message_class: MessageClass,
    throttle: Throttle,
    resting: Mapping[str, float],
) -> tuple[Permits, Sequence[Any]]:
    """Return what a claim of a class needs to ask for permits, and what was seen of all accounts.

    `resting` are in its memory.
    """
    seen = account_pace.look(connection, message_class)
    rowless = settings.accounts.keys() - {row.account for row in seen}
    under_way = account_pace.under_way(connection) if rowless else account_pace.under_way_of(seen)
    standing = account_pace.standing_of(seen)
    permits = Permits(settings, throttle, message_class, standing, under_way, dict(resting))
    return permits, seen


def by_database(settings: Settings, message_class: MessageClass) -> Permits:
    """Return permits that need no Redis and know of nothing under way."""
    return Permits(settings, Throttle(None), message_class, {}, Counter(), {})
