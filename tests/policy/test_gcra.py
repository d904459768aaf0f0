"""The arithmetic of pacing: what holds for all limits, costs and times."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.pace_model import Step, rates, steps
from worker.policy import gcra
from worker.policy.gcra import (
    SECOND_NS,
    Cost,
    PacingState,
    Rates,
)

START = 1_800_000_000_000_000


def run(of: Rates, taken: list[Step]) -> list[tuple[int, Step, int]]:
    """Ask step by step from a fresh state: when each was, and how many were granted."""
    state, at, found = gcra.initial_state(START), START, []
    for step in taken:
        at += step.pause
        answer, state = gcra.grant(state, at, step.through(of), step.costs)
        found.append((at, step, answer.granted))
    return found


@given(rates, steps)
def test_no_span_of_time_is_granted_more_than_its_rate_and_the_burst(
    of: Rates, taken: list[Step]
) -> None:
    """For each bucket: fills granted in a span are at most the span, the burst, one large one."""
    granted = [
        (at, step, cost)
        for at, step, count in run(of, taken)
        for cost in step.costs[:count]
        if step.through(of)
    ]
    for name in {one.name for _, step, _ in granted for one in step.through(of)}:
        fills = [
            (at, one, one.fill(cost))
            for at, step, cost in granted
            for one in step.through(of)
            if one.name == name
        ]
        for first in range(len(fills)):
            total = 0
            for at, one, fill in fills[first:]:
                total += fill
                span = (at - fills[first][0]) * 1000
                assert total <= span + max(one.burst, fill)


@given(rates, steps)
def test_who_waits_as_long_as_told_is_granted_and_not_a_moment_earlier(
    of: Rates, taken: list[Step]
) -> None:
    state, at = gcra.initial_state(START), START
    for step in taken:
        at += step.pause
        answer, state = gcra.grant(state, at, step.through(of), step.costs)
        if answer.granted == len(step.costs):
            continue
        (next_one,) = step.costs[answer.granted : answer.granted + 1]
        then = at - (-answer.wait // 1000)
        assert gcra.grant(state, then, step.through(of), [next_one])[0].granted == 1
        before = gcra.grant(state, then - 1, step.through(of), [next_one])[0]
        assert before.granted == (then - 1 == at and answer.wait == 0)


@given(rates, st.integers(0, 999_999))
def test_a_fresh_account_is_granted_nothing_for_a_second(of: Rates, passed: int) -> None:
    for otp in (True, False):
        through = gcra.buckets(of, otp=otp)
        answer, _ = gcra.grant(gcra.initial_state(START), START + passed, through, [Cost()])
        assert answer.granted == (0 if through else 1)


@given(rates, steps)
def test_all_limits_are_paid_or_none(of: Rates, taken: list[Step]) -> None:
    """What was refused costs nothing, in whatever order it was asked for."""
    state, at = gcra.initial_state(START), START + 2_000_000
    for step in taken:
        at += step.pause
        answer, after = gcra.grant(state, at, step.through(of), step.costs)
        once_more, again = gcra.grant(state, at, step.through(of), step.costs[: answer.granted])
        assert (once_more.granted, again) == (answer.granted, after)
        state = after


@given(st.floats(1, 5000), st.integers(1, 200))
def test_codes_find_room_however_busy_the_others_are(rate: float, asks: int) -> None:
    of = Rates(submissions=rate, reserve=0.2)
    others, otp = gcra.buckets(of, otp=False), gcra.buckets(of, otp=True)
    state, at = gcra.initial_state(START), START + 10_000_000
    for _ in range(asks):
        answer, state = gcra.grant(state, at, others, [Cost()] * 50)
        at += max(1, -(-answer.wait // 1000))
    # A fifth of the rate is never given to the others.
    for _ in range(20):
        at += round(5 * 1_000_000 / rate) + 1
        answer, state = gcra.grant(state, at, others, [Cost()] * 50)
        answer, state = gcra.grant(state, at, otp, [Cost()])
        assert answer.wait <= SECOND_NS / rate


def test_a_limit_above_a_thousand_is_kept_exactly() -> None:
    of = Rates(submissions=1700)
    state, at = PacingState(START, START - 10_000_000, {}), START
    granted = 0
    for _ in range(100_000):
        answer, state = gcra.grant(state, at, gcra.buckets(of, otp=False), [Cost()] * 3)
        granted += answer.granted
        at += 100
    assert abs(granted - (17_000 + 170)) <= 2


def test_one_place_is_kept_where_two_share() -> None:
    assert [gcra.usable_slots(most, 0.2) for most in (1, 2, 8)] == [1, 1, 7]
    assert gcra.usable_slots(8, 0.0) == 8
