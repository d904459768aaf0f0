"""Permits: the database stands in for Redis exactly, and neither is granted beyond the limit."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.delivery.test_throttle import passes
from tests.support import servers
from tests.support.by_hand import Hand, answer, settings_of
from tests.support.stage import eventually, mobiles
from worker.config.settings import Settings
from worker.delivery import permits
from worker.delivery.permits import Permits
from worker.delivery.throttle import Throttle
from worker.domain.enums import MessageClass, Outcome
from worker.gateways.base import Account
from worker.intake.recipient_rows import Row
from worker.policy import gcra
from worker.policy.adaptive_rate import LearnedRate
from worker.policy.gcra import Cost
from worker.store import accounts
from worker.store.db.database import reading, writing
from worker.store.delivery import account_pace
from worker.store.delivery.account_pace import Pacing

DEAD = "redis://127.0.0.1:1/0"
NOTICE = MessageClass.NOTICE
slow_ok = settings(
    deadline=None,
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class World:
    """An account, its database and a Redis, in which time passes by hand."""

    def __init__(self, engine: Engine, url: str, **limits: object) -> None:
        self.engine = engine
        self.name = f"bulk{secrets.token_hex(4)}"
        made = settings_of("sqlite:///none.db", bulk=limits)
        self.account = Account(self.name, made.accounts["bulk"].gateway)
        self.settings = Settings(made.top, {self.name: self.account}, Path("/"))
        self.redis = Throttle(url)
        self.none = Throttle(DEAD)
        self.server = redis.Redis.from_url(url, decode_responses=True)
        #: What has passed by hand, in microseconds, and each grant: when, of what, and by whom.
        self.passed = 0
        self.granted: list[tuple[int, Cost, str]] = []

    def close(self) -> None:
        """Let go of the connections."""
        self.redis.close()
        self.server.close()

    def asking(self, throttle: Throttle, message_class: MessageClass = NOTICE) -> Permits:
        """Look as a claim does; a breaker is closed again by the time that has passed."""
        throttle._closed_until = 0.0
        with reading(self.engine) as connection:
            return permits.read_permits(connection, self.settings, message_class, throttle, {})[0]

    def ask(
        self,
        costs: list[Cost],
        *,
        there: bool = True,
        message_class: MessageClass = NOTICE,
    ) -> list[str]:
        """Ask once, while Redis is there or not."""
        one = self.asking(self.redis if there else self.none, message_class)
        with writing(self.engine) as connection:
            receipts = one.ask(connection, self.account, costs, 600.0)
            at = account_pace.lock(connection, [self.name])[self.name].read_at
        self.granted += [
            (self.passed + at, cost, "redis" if receipt else "database")
            for cost, receipt in zip(costs, receipts, strict=False)
        ]
        return receipts

    def standing(self) -> Pacing:
        """Return how the account is paced now."""
        with reading(self.engine) as connection:
            return account_pace.pacings(connection).get(self.name, Pacing())

    def passes(self, microseconds: int) -> None:
        """Let time pass, for Redis and for the database."""
        self.passed += microseconds
        passes(self.server, self.name, microseconds)
        kept = self.standing()
        if kept.state is not None:
            moved = replace(
                kept.state,
                at=kept.state.at - microseconds,
                since=kept.state.since - microseconds,
            )
            with writing(self.engine) as connection:
                account_pace.write(connection, self.name, moved, kept.retry_redis_at - microseconds)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A database of Redis for these tests alone."""
    with servers.redis_database() as made:
        yield made


def kept_to(world: World, rate: float, stated: float) -> None:
    """Check every second that begins with a grant; clocks may differ by a moment."""
    moments = sorted(at for at, _, _ in world.granted)
    for first in moments:
        count = sum(first <= at < first + 1_000_000 for at in moments)
        assert count <= rate + max(1, rate * stated), world.granted


pauses = st.one_of(st.integers(0, 300_000), st.integers(0, 4_000_000))


@slow_ok
@given(
    asks=st.lists(
        st.tuples(pauses, st.lists(st.builds(Cost, st.integers(1, 9)), min_size=1, max_size=5)),
        min_size=1,
        max_size=6,
    )
)
def test_the_database_answers_as_the_model_does(
    engine: Engine, url: str, asks: list[tuple[int, list[Cost]]]
) -> None:
    world = World(engine, url, submissions_per_second=20, messages_per_second=33.3)
    through = gcra.buckets(permits.rates(world.account.settings), otp=False)
    world.ask([Cost()], there=False)
    for pause, costs in asks:
        world.passes(pause)
        before = world.standing().state
        assert before is not None
        granted = world.ask(costs, there=False)
        after = world.standing().state
        assert after is not None
        answer, then = gcra.grant(before, after.at, through, costs)
        assert (len(granted), after) == (answer.granted, then)
    world.close()


@slow_ok
@given(
    asks=st.lists(
        st.tuples(pauses, st.booleans(), st.integers(1, 30), st.booleans()),
        min_size=2,
        max_size=14,
    )
)
def test_redis_and_database_together_keep_to_the_limit(
    engine: Engine, url: str, asks: list[tuple[int, bool, int, bool]]
) -> None:
    """However Redis comes, goes, and comes back empty."""
    world = World(engine, url, submissions_per_second=10)
    for pause, there, count, emptied in asks:
        if emptied and not there:
            world.server.delete(*(world.server.keys(f"*{world.name}*") or ["none"]))
        world.passes(pause)
        world.ask([Cost()] * count, there=there)
    kept_to(world, 10, 0.2)
    world.close()


def test_the_database_takes_over_after_a_second_and_gives_back_likewise(
    engine: Engine, url: str
) -> None:
    world = World(engine, url, submissions_per_second=10, otp_reserve=0)
    world.ask([Cost()])
    world.passes(2_000_000)
    assert len(world.ask([Cost()])) == 1
    assert world.ask([Cost()], there=False) == []
    assert world.standing().state is not None
    world.passes(500_000)
    assert world.ask([Cost()], there=True) == [], "whoever still has Redis goes by the row"
    world.passes(700_000)
    assert world.ask([Cost()], there=True) == [""]
    world.passes(3_000_000)
    assert world.ask([Cost()]) == [], "given back"
    assert world.standing().state is None
    world.passes(500_000)
    assert world.ask([Cost()]) == [], "Redis grants nothing for a second"
    world.passes(700_000)
    assert world.ask([Cost()])[0] != ""
    world.close()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_while_redis_is_gone_codes_and_notices_go_on_and_marketing_waits(
    engine: Engine, url: str
) -> None:
    world = World(engine, url, submissions_per_second=10)
    world.ask([Cost()], there=False)
    for one in (MessageClass.OTP, NOTICE, MessageClass.MARKETING):
        world.passes(1_500_000)
        granted = world.ask([Cost()], there=False, message_class=one)
        assert granted == ([] if one is MessageClass.MARKETING else [""])
    world.close()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_an_account_without_a_rate_needs_no_redis(engine: Engine, url: str) -> None:
    world = World(engine, url, concurrency=4, otp_reserve=0)
    for one in MessageClass:
        assert len(world.ask([Cost()] * 9, there=False, message_class=one)) == 4
    assert world.standing().state is None
    world.close()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_what_a_gateway_refused_paces_an_account_without_limits(engine: Engine, url: str) -> None:
    world = World(engine, url)
    assert len(world.ask([Cost()] * 9)) == 9
    with writing(engine) as connection:
        at = account_pace.lock(connection, [world.name])[world.name].now
        account_pace.write_learned(connection, world.name, LearnedRate(4.0, at - 60))
    assert len(world.ask([Cost()] * 9)) <= 1
    with writing(engine) as connection:
        account_pace.write_learned(connection, world.name, LearnedRate(4.0, at, at + 30))
    asking = world.asking(world.redis)
    assert asking.free_slots() == {world.name: 0}
    assert asking.rests[world.name] > 25
    world.close()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_place_is_left_to_codes_and_a_single_place_takes_no_batch(
    engine: Engine, url: str
) -> None:
    world = World(engine, url, concurrency=8)
    assert world.asking(world.redis).free_slots() == {world.name: 7}
    assert world.asking(world.redis, MessageClass.OTP).free_slots() == {world.name: 7}
    alone = World(engine, url, concurrency=1)
    assert permits.max_batch_size(alone.account, NOTICE) == 1
    assert alone.asking(alone.redis).free_slots() == {alone.name: 1}
    told = World(engine, url, concurrency=1, batches_beside_otp=True)
    assert permits.max_batch_size(told.account, NOTICE) > 1
    apart = World(engine, url, concurrency=1, classes=["notice", "marketing"])
    assert permits.max_batch_size(apart.account, NOTICE) > 1
    for one in (world, alone, told, apart):
        one.close()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_moment_is_written_nowhere_and_a_longer_wait_is(engine: Engine, url: str) -> None:
    world = World(engine, url, submissions_per_second=0.1)
    asking = world.asking(world.redis)
    for wait, others, told in ((0.4, False, 0.0), (0.4, True, 0.4), (9.0, False, 9.0)):
        asking.rests = {world.name: wait}
        assert asking.wait_for([world.name], others=others) == told
    assert asking.wait_for([world.name, "one that is full"], others=False) is None
    world.close()


def test_accounts_are_known_by_their_rows_alone(engine: Engine) -> None:
    """The lock makes rows that are missing, in order, and tells the database's time."""
    with writing(engine) as connection:
        accounts.ensure(connection, "b")
        locked = account_pace.lock(connection, ["b", "a"])
    assert set(locked) == {"a", "b"}
    assert all(one.state is None and one.read_at > 0 for one in locked.values())


def test_personal_texts_cost_what_each_of_them_is(
    engine: Engine, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At first, and when they come back: by the values, not by the text with its placeholders."""
    made = settings_of(database, bulk={"segments_per_second": 1000, "concurrency": 8})
    hand = Hand(engine, made)
    asked: list[Cost] = []
    ask = Permits.ask

    def noting(self: Permits, *arguments: Any) -> list[str]:
        asked.extend(arguments[2])
        return ask(self, *arguments)

    monkeypatch.setattr(Permits, "ask", noting)
    names = ["客", "客" * 70, "客" * 140]
    rows = [
        Row(n, msisdn, {"name": name})
        for n, (msisdn, name) in enumerate(zip(mobiles(3), names, strict=True), 1)
    ]
    hand.campaign(rows, "【信使】{name}，您好", message_class=NOTICE)

    ready: list[Any] = []

    def are_all_taken() -> bool:
        hand.make_due()
        ready.extend(hand.take())
        return len(ready) == len(rows)

    for _ in range(2):
        ready.clear()
        asked.clear()
        # Without Redis the database begins to pace the account after a second.
        eventually(are_all_taken)
        assert {cost.segments for cost in asked} == {1, 2, 3}
        assert {cost.messages for cost in asked} == {1}
        hand.record(*(answer(submission, Outcome.DEFERRED) for submission in ready))
