"""Take permits for what may begin now at an account: from Redis, or the database without Redis.

They are asked for within the transaction that claims. Nobody waits for one: an account that gives
none rests, for a lane, until it may. A claim that finds Redis gone writes a limiter into the
account's row, which grants nothing for a second; all others go by that row, under its lock. After
some seconds one of them tries Redis again, gives the account back in the same transaction, and
Redis grants nothing for a second: what either of them granted never adds up to more than the limit.
"""

import random
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import Connection

from worker import instrumentation
from worker.config.settings import Settings
from worker.delivery.account_rests import MAX_REMEMBERED_REST
from worker.delivery.throttle import PermitRequest, RedisSlot, Throttle
from worker.domain.enums import MessageClass
from worker.gateways.account_settings import AccountSettings
from worker.gateways.base import Account
from worker.policy import gcra
from worker.policy.gcra import Bucket, Cost, Rates
from worker.store.delivery import account_pace
from worker.store.delivery.account_pace import Pacing
from worker.store.delivery.claims import Lease

log = structlog.get_logger()

#: How often Redis is tried again for an account that the database paces, in seconds.
REDIS_RETRY_INTERVAL = 3.0
#: A lane looks no more often than this when it loses nothing by it, in seconds.
MIN_LOOK_INTERVAL = 0.05


def rates(settings: AccountSettings, allowed: float | None = None) -> Rates:
    """Return an account's limits, with what is `allowed` since its gateway refused."""
    return Rates(
        settings.submissions_per_second,
        settings.messages_per_second,
        settings.segments_per_second,
        allowed,
        settings.burst,
        settings.otp_reserve if serves_codes_and_others(settings) else 0.0,
    )


def serves_codes_and_others(settings: AccountSettings) -> bool:
    """Whether an account serves codes and other classes."""
    served = sum(settings.serves(message_class) for message_class in MessageClass)
    return settings.serves(MessageClass.OTP) and served > 1


def class_slots(settings: AccountSettings) -> int:
    """Return how many submissions codes may have in flight, or all other classes together."""
    reserve = settings.otp_reserve if serves_codes_and_others(settings) else 0.0
    return gcra.usable_slots(settings.concurrency, reserve)


def max_batch_size(account: Account, message_class: MessageClass) -> int:
    """Return the most messages in a submission of a class.

    Where there is one slot, and codes need it, nothing else holds it for as long as a batch takes.
    """
    settings = account.settings
    slot_is_shared = settings.concurrency == 1 and serves_codes_and_others(settings)
    singles_only = slot_is_shared and not settings.batches_beside_otp
    return 1 if singles_only and message_class is not MessageClass.OTP else account.batch_cap


def redis_slots_of(leases: Iterable[Lease]) -> list[RedisSlot]:
    """Return the slots in Redis that leases hold, to be given back."""
    otp = MessageClass.OTP
    return [
        RedisSlot(lease.account, lease.message_class is otp, lease.permit)
        for lease in leases
        if lease.permit
    ]


@dataclass
class Permits:
    """What one claim may begin, and what it was granted."""

    settings: Settings
    throttle: Throttle
    message_class: MessageClass
    #: Of the accounts that are paced by more than their settings.
    pacings: Mapping[str, Pacing]
    #: How many submissions are in flight, by account and whether they are otp.
    under_way: Counter[tuple[str, bool]]
    #: Accounts that give no permit now: how many seconds they rest.
    rests: dict[str, float]
    #: The slots taken in Redis.
    redis_slots: list[RedisSlot] = field(default_factory=list)
    _locked: dict[str, Pacing] | None = None

    @property
    def _otp(self) -> bool:
        return self.message_class is MessageClass.OTP

    def free_slots(self) -> dict[str, int]:
        """Return how many submissions may begin at each account, as far as slots go.

        None at an account that rests; what gateways asked for is noted among the rests.
        """
        for account_name, pacing in self.pacings.items():
            rest = pacing.learned.rest_seconds(pacing.now)
            if rest:
                self.rests[account_name] = max(rest, self.rests.get(account_name, 0.0))
        return {
            account_name: (
                0 if account_name in self.rests else self._free_slots_at(account, self.under_way)
            )
            for account_name, account in self.settings.accounts.items()
        }

    def _free_slots_at(self, account: Account, under_way: Counter[tuple[str, bool]]) -> int:
        of_class = under_way[account.name, self._otp]
        of_others = under_way[account.name, not self._otp]
        in_all = account.settings.concurrency - of_class - of_others
        return max(0, min(in_all, class_slots(account.settings) - of_class))

    def prepare(self, connection: Connection) -> None:
        """Lock the accounts, in order and before anything else, when the database has to decide."""
        if self.throttle.pause:
            self._lock(connection)

    def wait_for(self, account_names: Iterable[str], *, others: bool) -> float | None:
        """Return for how many seconds work waits that could only go by these accounts.

        None when one of them has no slot rather than no permit. 0.0 when it is not worth writing
        down: a moment, while nothing behind it could go by `others`.
        """
        rests = [self.rests.get(account_name) for account_name in account_names]
        known_rests = [rest for rest in rests if rest is not None]
        if not known_rests or len(known_rests) < len(rests):
            return None
        shortest = min(known_rests)
        return 0.0 if shortest <= MAX_REMEMBERED_REST and not others else shortest

    def ask(
        self, connection: Connection, account: Account, costs: Sequence[Cost], lease_seconds: float
    ) -> list[str]:
        """Take permits for the first so many submissions, and return their receipts.

        If these are fewer than the costs, `rests` says for how long the account gives none, unless
        it has no free slot.
        """
        pacing = self.pacings.get(account.name, Pacing())
        buckets = gcra.buckets(rates(account.settings, pacing.allowed_rate), otp=self._otp)
        receipts = None
        if pacing.state is None and not self.throttle.pause:
            receipts = self._ask_redis(account, buckets, costs, lease_seconds)
        elif pacing.state is None and buckets and self.throttle.configured:
            # Another may have given the account back to Redis: this process has yet to see it.
            self.rests[account.name] = self.throttle.pause
            return []
        if receipts is None:
            receipts = self._ask_database(connection, account, buckets, costs)
        if len(receipts) < len(costs):
            limit = "rate" if account.name in self.rests else "concurrency"
            instrumentation.backend.throttled(account.name, limit)
        return receipts

    def _ask_redis(
        self,
        account: Account,
        buckets: Sequence[Bucket],
        costs: Sequence[Cost],
        lease_seconds: float,
    ) -> list[str] | None:
        """Take permits and slots from Redis; None when it is gone."""
        call_id = secrets.token_hex(8)
        receipts = [f"{call_id}/{nth}" for nth in range(len(costs))]
        answer = self.throttle.ask(
            self._permit_request(account, buckets, receipts, costs, lease_seconds)
        )
        if answer is None:
            return None
        granted = receipts[: answer.granted]
        self.redis_slots += [RedisSlot(account.name, self._otp, receipt) for receipt in granted]
        if answer.granted < len(costs) and not answer.slots_full:
            self._note_rest(
                account.name, answer.wait, buckets, costs[answer.granted], answer.granted
            )
        return granted

    def _permit_request(
        self,
        account: Account,
        buckets: Sequence[Bucket],
        receipts: Sequence[str],
        costs: Sequence[Cost],
        lease_seconds: float,
    ) -> PermitRequest:
        """Return what is asked of Redis for submissions at an account."""
        return PermitRequest(
            account.name,
            self._otp,
            buckets,
            receipts,
            costs,
            account.settings.concurrency,
            class_slots(account.settings),
            self.under_way[account.name, True] + self.under_way[account.name, False],
            lease_seconds,
        )

    def _note_rest(
        self, account_name: str, wait: int, buckets: Sequence[Bucket], next_cost: Cost, granted: int
    ) -> None:
        """Let an account rest until its next permit, which is in `wait` nanoseconds.

        A little longer, if no capacity is lost by it. A claim that got none looks later than one
        that got some: so not all processes look for each permit.
        """
        rest = max(wait / gcra.SECOND_NS, 0.001)
        if not self._otp:
            spare = min((bucket.burst - bucket.fill(next_cost) for bucket in buckets), default=0)
            rest = max(rest, min(MIN_LOOK_INTERVAL, spare / 2 / gcra.SECOND_NS))
        if not (self._otp or granted):
            between_permits = max((bucket.fill(next_cost) for bucket in buckets), default=0)
            spread = min(MIN_LOOK_INTERVAL, between_permits / gcra.SECOND_NS)
            rest += spread * random.uniform(0.5, 1.5)  # noqa: S311 - spread, no secret
        self.rests[account_name] = rest

    def _ask_database(
        self,
        connection: Connection,
        account: Account,
        buckets: Sequence[Bucket],
        costs: Sequence[Cost],
    ) -> list[str]:
        """Take permits from the limiter in the account's row, under its lock."""
        pacing = self._lock(connection)[account.name]
        if buckets and not self._database_may_grant(connection, account, pacing):
            return []
        under_way = account_pace.count_in_flight(connection, account.name)
        costs = costs[: self._free_slots_at(account, under_way)]
        if buckets and pacing.state is not None and costs:
            answer, state = gcra.grant(pacing.state, pacing.read_at, buckets, costs)
            self._write(connection, account.name, replace(pacing, state=state))
            if answer.granted < len(costs):
                next_cost = costs[answer.granted]
                self._note_rest(account.name, answer.wait, buckets, next_cost, answer.granted)
                costs = costs[: answer.granted]
        return [""] * len(costs)

    def _database_may_grant(self, connection: Connection, account: Account, pacing: Pacing) -> bool:
        """Whether the database's limiter grants anything to this class now.

        It is made here where Redis is gone, and the account is given back where Redis is there
        again; neither grants anything in that moment. Marketing waits for Redis.
        """
        account_name = account.name
        if pacing.state is None:
            if self.pacings.get(account_name, Pacing()).state is not None:
                # Redis has it again.
                self.rests[account_name] = MIN_LOOK_INTERVAL
                return False
            self._start_database_pacing(connection)
            return False
        if pacing.read_at >= pacing.retry_redis_at and not self.throttle.pause:
            if self._give_back_to_redis(connection, account):
                return False
            pacing = replace(pacing, retry_redis_at=_next_redis_try(pacing))
            self._write(connection, account_name, pacing)
        if self.message_class is MessageClass.MARKETING:
            self.rests[account_name] = MAX_REMEMBERED_REST
            return False
        return True

    def _start_database_pacing(self, connection: Connection) -> None:
        """Let the database pace all accounts that have to be: Redis is gone for each of them."""
        for account_name, pacing in self._lock(connection).items():
            limits = rates(self.settings.accounts[account_name].settings, pacing.allowed_rate)
            if limits and pacing.state is None:
                state, retry = gcra.initial_state(pacing.read_at), _next_redis_try(pacing)
                self._write(
                    connection, account_name, replace(pacing, state=state, retry_redis_at=retry)
                )
                self.rests[account_name] = MAX_REMEMBERED_REST
                log.warning("throttle.gone", account=account_name)

    def _give_back_to_redis(self, connection: Connection, account: Account) -> bool:
        """Let Redis pace an account again, if it is there; it starts the account anew."""
        request = self._permit_request(account, (), (), (), account.settings.timeout)
        if self.throttle.ask(replace(request, start_anew=True)) is None:
            return False
        self._write(connection, account.name, Pacing())
        self.rests[account.name] = MAX_REMEMBERED_REST
        log.info("throttle.back", account=account.name)
        return True

    def _lock(self, connection: Connection) -> dict[str, Pacing]:
        """Lock all accounts, once in a claim, and return how each is paced."""
        if self._locked is None:
            self._locked = account_pace.lock(connection, self.settings.accounts)
        return self._locked

    def _write(self, connection: Connection, account_name: str, pacing: Pacing) -> None:
        account_pace.write(connection, account_name, pacing.state, pacing.retry_redis_at)
        self._lock(connection)[account_name] = pacing


def _next_redis_try(pacing: Pacing) -> int:
    """Return when Redis is to be tried again, in microseconds since 1970."""
    return pacing.read_at + round(REDIS_RETRY_INTERVAL * 1_000_000)


def read_permits(
    connection: Connection,
    settings: Settings,
    message_class: MessageClass,
    throttle: Throttle,
    rests: Mapping[str, float],
) -> tuple[Permits, Sequence[Any]]:
    """Return what a claim of a class needs to ask for permits, and the rows of all accounts.

    `rests` are the accounts that the lane remembers to give no permit, and for how many seconds.
    """
    account_rows = account_pace.claim_rows(connection, message_class)
    if settings.accounts.keys() - {row.account for row in account_rows}:
        # An account without a row may have submissions in flight, too.
        under_way = account_pace.count_in_flight(connection)
    else:
        under_way = account_pace.in_flight_in(account_rows)
    pacings = account_pace.pacings_in(account_rows)
    permits = Permits(settings, throttle, message_class, pacings, under_way, dict(rests))
    return permits, account_rows


def database_permits(settings: Settings, message_class: MessageClass) -> Permits:
    """Return permits that need no Redis and know of nothing in flight."""
    return Permits(settings, Throttle(None), message_class, {}, Counter(), {})
