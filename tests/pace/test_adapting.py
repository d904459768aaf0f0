"""Rates learned from refusals: two weeks against gateways that refuse above a limit of theirs."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker import adapting
from worker.adapting import EVERY, LONGEST_REST, NOTHING, SLOWEST, WINDOW, Learned

DAY = 86_400.0
refusals = st.builds(Learned, st.floats(SLOWEST, 5000), st.just(1_800_000_000.0))


@given(refusals)
def test_a_refusal_halves_and_nine_tenths_are_back_within_seconds(one: Learned) -> None:
    assert one.refused is not None
    assert one.allowed(one.at) == pytest.approx(one.refused * 0.5)
    assert one.allowed(one.at + 2) == pytest.approx(one.refused * 0.9)


@given(refusals, st.floats(0, 3 * DAY), st.floats(0, DAY))
def test_it_only_grows_until_the_next_refusal_by_two_percent_at_most(
    one: Learned, past: float, more: float
) -> None:
    first, then = one.allowed(one.at + past), one.allowed(one.at + past + more)
    if first is None:
        assert then is None
    elif then is not None:
        assert then >= first
        if past > 4 and more <= EVERY:
            assert then <= first * 1.02001


@given(refusals)
def test_what_was_learned_is_forgotten_when_it_is_far_above(one: Learned) -> None:
    assert one.allowed(one.at + DAY) is None


@given(refusals, st.floats(-10, WINDOW - 0.01))
def test_refusals_of_one_window_count_once(one: Learned, later: float) -> None:
    assert not adapting.counts(one, one.at + later)
    assert adapting.counts(one, one.at + WINDOW + 0.01)


@given(refusals, st.floats(-1e6, 1e6))
def test_a_wish_to_be_left_alone_is_heeded_and_has_an_end(one: Learned, seconds: float) -> None:
    rested = adapting.asked_to_rest(one, one.at, seconds)
    assert 0 <= rested.rest(one.at) <= LONGEST_REST
    assert rested.rest(one.at + LONGEST_REST) == 0
    assert rested.allowed(one.at) == one.allowed(one.at)


@given(refusals)
def test_it_is_stored_as_it_is(one: Learned) -> None:
    assert adapting.stored(one.as_json()) == one
    assert adapting.stored(None) == NOTHING


@dataclass
class Gateway:
    """Refuses what would be more than its limit in any second; what it refused does not count."""

    limit: Callable[[float], float]
    taken: deque[float] = field(default_factory=deque)

    def takes(self, at: float) -> bool:
        """Take a submission, or refuse it."""
        while self.taken and self.taken[0] <= at - 1.0:
            self.taken.popleft()
        if len(self.taken) + 1 > self.limit(at):
            return False
        self.taken.append(at)
        return True


@dataclass
class Course:
    """What came of some time of sending as fast as is allowed."""

    taken: int = 0
    refused: int = 0
    possible: float = 0.0


def drive(
    gateway: Gateway, begin: float, end: float, learned: Learned, configured: float
) -> tuple[Course, Learned]:
    """Send without a pause; answers come a little later, sends are a little late."""
    course = Course()
    draw = random.Random(7)
    at = begin
    answers: deque[tuple[float, float]] = deque()
    while at < end:
        while answers and answers[0][0] <= at:
            known, began = answers.popleft()
            if adapting.counts(learned, began):
                learned = adapting.refused(learned, known, float(len(gateway.taken)))
        rate = min(configured, learned.allowed(at) or configured)
        arrives = at + draw.random() * 0.02
        if gateway.takes(arrives):
            course.taken += 1
        else:
            course.refused += 1
            answers.append((arrives + 0.05, at))
        course.possible += min(configured, gateway.limit(at)) / rate
        at += 1.0 / rate
    return course, learned


def test_two_weeks_against_a_limit_that_changes() -> None:
    """Refusals stay rare and the throughput near what is possible, hour by hour and day by day.

    Each step of an hour is driven for two minutes: the rest of it only passes.
    """
    limits = [20.0, 20.0, 5.0, 40.0, 12.0, 2.0, 20.0]
    begin = 1_800_000_000.0
    gateway = Gateway(lambda at: limits[int((at - begin) // (6 * 3600)) % len(limits)])
    learned, whole = NOTHING, Course()
    for hour in range(14 * 24):
        at = begin + hour * 3600
        course, learned = drive(gateway, at, at + 120, learned, configured=60.0)
        whole.taken += course.taken
        whole.refused += course.refused
        whole.possible += course.possible
    assert whole.refused <= 0.05 * (whole.taken + whole.refused)
    assert whole.taken >= 0.8 * whole.possible


@pytest.mark.parametrize("limit", [5.0, 20.0, 200.0])
def test_five_minutes_against_a_steady_limit(limit: float) -> None:
    course, learned = drive(Gateway(lambda _: limit), 0.0, 300.0, NOTHING, configured=limit * 4)
    assert course.refused < 0.02 * (course.taken + course.refused)
    assert course.taken >= 0.85 * limit * 300
    assert learned.refused == pytest.approx(limit, rel=0.25)


def test_a_limit_that_falls_to_a_quarter_is_met_within_seconds() -> None:
    """And what was learned outlives whoever learned it: it is all in the account's row."""
    gateway = Gateway(lambda at: 40.0 if at < 60 else 10.0)
    _, learned = drive(gateway, 0.0, 60.0, NOTHING, configured=100.0)
    _, learned = drive(gateway, 60.0, 70.0, adapting.stored(learned.as_json()), configured=100.0)
    course, _ = drive(gateway, 70.0, 190.0, learned, configured=100.0)
    assert course.refused < 0.03 * course.taken
