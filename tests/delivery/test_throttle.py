"""The throttle in Redis gives the answers of the exact model, and survives what Redis does."""

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from hypothesis import HealthCheck, given, settings

from tests.support import servers
from tests.support.pace_model import Step, rates, steps
from worker.delivery.throttle import PermitAnswer, PermitRequest, Throttle
from worker.policy import gcra
from worker.policy.gcra import Cost, PacingState, Rates

LIMITED = Rates(submissions=2.0)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A database of Redis for these tests alone."""
    with servers.redis_database() as made:
        yield made


@pytest.fixture(scope="module")
def throttle(url: str) -> Iterator[Throttle]:
    """The throttle as a lane has it."""
    made = Throttle(url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(url: str) -> Iterator[redis.Redis]:
    """The server behind it."""
    with redis.Redis.from_url(url, decode_responses=True) as made:
        yield made


def wanted(
    name: str, of: Rates, costs: list[Cost], *, otp: bool = False, **more: object
) -> PermitRequest:
    """Ask for permits with receipts nobody has seen."""
    receipts = [secrets.token_hex(4) for _ in costs]
    asked = PermitRequest(
        name, otp, gcra.buckets(of, otp=otp), receipts, costs, 10_000, 10_000, 0, lease_seconds=60.0
    )
    return replace(asked, **more)  # type: ignore[arg-type]


def passes(server: redis.Redis, name: str, microseconds: int) -> None:
    """Let time pass for an account, by moving all that it remembers into the past."""
    key = f"xinshi:pace:{name}"
    for one in ("at", "since"):
        server.hincrby(key, one, -microseconds)
    for kind in ("otp", "others"):
        for receipt, until in server.zrange(f"{key}:{kind}", 0, -1, withscores=True):
            server.zadd(f"{key}:{kind}", {receipt: until - microseconds})


def ask(throttle: Throttle, asked: PermitRequest) -> PermitAnswer:
    """Ask a Redis that is there."""
    said = throttle.ask(asked)
    assert said is not None
    return said


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(of=rates, taken=steps)
def test_redis_answers_as_the_model_does(
    throttle: Throttle, server: redis.Redis, of: Rates, taken: list[Step]
) -> None:
    """The same grants and the same waits, to the nanosecond, replays included."""
    name, state = secrets.token_hex(4), None
    for step in taken:
        if state is not None:
            passes(server, name, step.pause)
            state = PacingState(state.at - step.pause, state.since - step.pause, state.levels)
        asked = wanted(name, of, step.costs, otp=step.otp)
        said = ask(throttle, asked)
        state = gcra.initial_state(said.at) if state is None else state
        answer, state = gcra.grant(state, said.at, asked.buckets, step.costs)
        assert (said.granted, said.wait) == (answer.granted, answer.wait)
        if step.replay and said.granted:
            before = server.hgetall(f"xinshi:pace:{name}")
            known = asked.receipts[: said.granted]
            again = ask(throttle, replace(asked, receipts=known, costs=step.costs[: said.granted]))
            assert again.granted == said.granted, "a known receipt is granted again"
            _, none = gcra.grant(state, again.at, asked.buckets, [])
            assert server.hgetall(f"xinshi:pace:{name}").keys() == before.keys()
            state = none
    held = sum(
        int(value)
        for key, value in server.hgetall(f"xinshi:pace:{name}").items()
        if key in state.levels
    )
    assert held == sum(state.levels.values())


def test_places_are_counted_by_receipt_and_come_back(throttle: Throttle) -> None:
    name = secrets.token_hex(4)
    three = [Cost()] * 3
    first = wanted(name, Rates(), three, concurrency=4, class_slots=3)
    assert ask(throttle, first).granted == 3
    assert ask(throttle, first).granted == 3, "the same receipts take no second place"
    more = ask(throttle, wanted(name, Rates(), three, concurrency=4, class_slots=3))
    assert (more.granted, more.slots_full) == (0, True), "one place is left for codes"
    code = wanted(name, Rates(), three, otp=True, concurrency=4, class_slots=3)
    assert ask(throttle, code).granted == 1
    throttle.release([(name, False, first.receipts[0])])
    assert ask(throttle, wanted(name, Rates(), three, concurrency=4, class_slots=3)).granted == 1


def test_a_place_ends_with_its_lease(throttle: Throttle, server: redis.Redis) -> None:
    name = secrets.token_hex(4)
    asked = wanted(name, Rates(), [Cost()], concurrency=1, class_slots=1)
    assert ask(throttle, asked).granted == 1
    passes(server, name, 59_000_000)
    assert ask(throttle, wanted(name, Rates(), [Cost()], concurrency=1, class_slots=1)).slots_full
    passes(server, name, 1_000_000)
    assert ask(throttle, wanted(name, Rates(), [Cost()], concurrency=1, class_slots=1)).granted == 1


@pytest.mark.parametrize("how", ["emptied", "restarted"])
def test_a_redis_that_lost_its_memory_starts_without_a_burst(
    throttle: Throttle, server: redis.Redis, how: str
) -> None:
    name = secrets.token_hex(4)
    ask(throttle, wanted(name, LIMITED, [Cost()]))
    passes(server, name, 60_000_000)
    assert ask(throttle, wanted(name, LIMITED, [Cost()])).granted == 1
    if how == "emptied":
        server.delete(*server.keys(f"xinshi:pace:{name}*"))
    else:
        server.hset(f"xinshi:pace:{name}", "server", "another")
    said = ask(throttle, wanted(name, LIMITED, [Cost()]))
    assert said.started_anew
    assert said.granted == 0
    assert said.wait >= gcra.SECOND_NS


def test_what_was_under_way_before_holds_its_places_still(throttle: Throttle) -> None:
    name = secrets.token_hex(4)
    asked = wanted(name, Rates(), [Cost()] * 8, concurrency=8, class_slots=8, under_way=5)
    assert ask(throttle, asked).granted == 3


def test_an_account_that_is_given_back_starts_anew(throttle: Throttle) -> None:
    name = secrets.token_hex(4)
    ask(throttle, wanted(name, Rates(), [Cost()]))
    assert ask(throttle, wanted(name, LIMITED, [], start_anew=True)).started_anew
    assert ask(throttle, wanted(name, LIMITED, [Cost()])).wait > gcra.SECOND_NS / 2


def test_a_redis_that_is_gone_is_asked_once_and_then_left_alone() -> None:
    throttle = Throttle("redis://127.0.0.1:1/0")
    assert throttle.pause == 0
    assert throttle.ask(wanted("any", LIMITED, [Cost()])) is None
    assert throttle.pause > 1


def test_keys_hold_names_of_accounts_and_nothing_of_messages(
    throttle: Throttle, server: redis.Redis
) -> None:
    name = secrets.token_hex(4)
    ask(throttle, wanted(name, Rates(submissions=1000.0, reserve=0.2), [Cost(), Cost()]))
    keys = server.keys(f"*{name}*")
    assert set(keys) <= {f"xinshi:pace:{name}", f"xinshi:pace:{name}:others"}
