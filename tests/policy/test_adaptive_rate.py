"""Rates learned from refusals: two weeks against gateways that refuse above a limit of theirs."""

import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.policy import adaptive_rate, gcra
from worker.policy.adaptive_rate import (
    GROWTH_SECONDS,
    MAX_REST_SECONDS,
    MIN_LEARNED_RATE,
    NOTHING_LEARNED,
    SETTLING_SECONDS,
    LearnedRate,
)
from worker.policy.gcra import Cost, PacingState, Rates

DAY = 86_400.0
refusals = st.builds(LearnedRate, st.floats(MIN_LEARNED_RATE, 5000), st.just(1_800_000_000.0))


@given(refusals)
def test_a_refusal_halves_and_nine_tenths_are_back_within_seconds(one: LearnedRate) -> None:
    assert one.refused_rate is not None
    assert one.allowed_rate(one.refused_at) == pytest.approx(one.refused_rate * 0.5)
    assert one.allowed_rate(one.refused_at + 2) == pytest.approx(one.refused_rate * 0.9)


@given(refusals, st.floats(0, 3 * DAY), st.floats(0, DAY))
def test_it_only_grows_until_the_next_refusal_by_two_percent_at_most(
    one: LearnedRate, past: float, more: float
) -> None:
    first, then = (
        one.allowed_rate(one.refused_at + past),
        one.allowed_rate(one.refused_at + past + more),
    )
    if first is None:
        assert then is None
    elif then is not None:
        assert then >= first
        if past > 4 and more <= GROWTH_SECONDS:
            assert then <= first * 1.02001


@given(refusals)
def test_what_was_learned_is_forgotten_when_it_is_far_above(one: LearnedRate) -> None:
    assert one.allowed_rate(one.refused_at + DAY) is None


@given(refusals, st.floats(-10, SETTLING_SECONDS - 0.01))
def test_refusals_of_one_window_count_once(one: LearnedRate, later: float) -> None:
    assert not adaptive_rate.is_news(one, one.refused_at + later)
    assert adaptive_rate.is_news(one, one.refused_at + SETTLING_SECONDS + 0.01)


@given(refusals, st.floats(-1e6, 1e6))
def test_a_wish_to_be_left_alone_is_heeded_and_has_an_end(one: LearnedRate, seconds: float) -> None:
    rested = adaptive_rate.after_rest_request(one, one.refused_at, seconds)
    assert 0 <= rested.rest_seconds(one.refused_at) <= MAX_REST_SECONDS
    assert rested.rest_seconds(one.refused_at + MAX_REST_SECONDS) == 0
    assert rested.allowed_rate(one.refused_at) == one.allowed_rate(one.refused_at)


@given(refusals)
def test_it_is_stored_as_it_is(one: LearnedRate) -> None:
    assert adaptive_rate.learned_from_json(one.as_json()) == one
    assert adaptive_rate.learned_from_json(None) == NOTHING_LEARNED


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


@dataclass(frozen=True)
class Weather:
    """How unevenly things happen; each number is the mean of what comes by chance."""

    #: How many seconds later a lane looks than it meant to, and a submission arrives.
    late: float = 0.003
    #: How often in a second everybody waits for one who holds the database, and for how long.
    stalls: float = 0.01
    stalled: float = 0.05


@dataclass
class Course:
    """What came of some time of sending as fast as is allowed."""

    taken: int = 0
    refused: int = 0
    possible: float = 0.0


@dataclass
class Lanes:
    """Processes that send as fast as permits are given, and learn from what is refused."""

    gateway: Gateway
    configured: float
    learned: LearnedRate = NOTHING_LEARNED
    weather: Weather = Weather()
    processes: int = 4
    draw: random.Random = field(default_factory=lambda: random.Random(7))

    def drive(self, begin: float, end: float) -> Course:
        """Send from one time to another."""
        self._course = Course()
        self._state = PacingState(round(begin * 1e6), 0, {})
        self._free = self._stall = begin
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        for _ in range(self.processes):
            self._at(begin, self._look)
        while self._due[0][0] < end:
            at, _, happens = heappop(self._due)
            happens(at)
        return self._course

    def _at(self, moment: float, happens: Callable[[float], None]) -> None:
        heappush(self._due, (moment, next(self._order), happens))

    def _later(self) -> float:
        return self.draw.expovariate(1 / self.weather.late)

    def _look(self, at: float) -> None:
        """Ask for permits when it is this lane's turn at the database."""
        if at < self._free:
            self._at(self._free, self._look)
            return
        rate = min(self.configured, self.learned.allowed_rate(at) or self.configured)
        through = gcra.buckets(Rates(learned=rate), otp=False)
        said, self._state = gcra.grant(self._state, round(at * 1e6), through, [Cost()] * 8)
        self._free = at + 0.002
        if at >= self._stall:
            self._free += self.draw.expovariate(1 / self.weather.stalled)
            self._stall = at + self.draw.expovariate(self.weather.stalls)
        for _ in range(said.granted):
            self._at(self._free + self._later(), partial(self._arrive, began=self._free))
            self._course.possible += min(self.configured, self.gateway.limit(at)) / rate
        self._at(self._free + said.wait / gcra.SECOND_NS + self._later(), self._look)

    def _arrive(self, at: float, began: float) -> None:
        if self.gateway.takes(at):
            self._course.taken += 1
        else:
            self._course.refused += 1
            self._at(at + 0.05, partial(self._heed, began=began))

    def _heed(self, at: float, began: float) -> None:
        if adaptive_rate.is_news(self.learned, began):
            self.learned = adaptive_rate.after_refusal(
                self.learned, at, float(len(self.gateway.taken))
            )


def test_two_weeks_against_a_limit_that_changes() -> None:
    """Refusals stay rare and the throughput near what is possible, hour by hour and day by day.

    Each step of an hour is driven for a minute: the rest of it only passes.
    """
    limits = [20.0, 20.0, 5.0, 40.0, 12.0, 2.0, 20.0]
    begin = 1_800_000_000.0
    gateway = Gateway(lambda at: limits[int((at - begin) // (6 * 3600)) % len(limits)])
    lanes, whole = Lanes(gateway, configured=60.0, processes=1), Course()
    for hour in range(14 * 24):
        at = begin + hour * 3600
        course = lanes.drive(at, at + 60)
        whole.taken += course.taken
        whole.refused += course.refused
        whole.possible += course.possible
    assert whole.refused <= 0.05 * (whole.taken + whole.refused)
    assert whole.taken >= 0.8 * whole.possible


@pytest.mark.parametrize("weather", [Weather(), Weather(late=0.01), Weather(0.005, stalls=1)])
@pytest.mark.parametrize("limit", [5.0, 20.0, 200.0])
def test_five_minutes_against_a_steady_limit(limit: float, weather: Weather) -> None:
    """However unevenly: less than 2 % are refused, and 85 % of what is possible is taken."""
    lanes = Lanes(Gateway(lambda _: limit), configured=limit * 4, weather=weather)
    course = lanes.drive(0.0, 300.0)
    assert course.refused < 0.02 * (course.taken + course.refused)
    assert course.taken >= 0.85 * limit * 300
    assert lanes.learned.refused_rate == pytest.approx(limit, rel=0.25)


def test_a_limit_that_falls_to_a_quarter_is_met_within_seconds() -> None:
    """And what was learned outlives whoever learned it: it is all in the account's row."""
    gateway = Gateway(lambda at: 40.0 if at < 60 else 10.0)
    lanes = Lanes(gateway, configured=100.0)
    lanes.drive(0.0, 60.0)
    lanes.learned = adaptive_rate.learned_from_json(lanes.learned.as_json())
    lanes.drive(60.0, 70.0)
    course = lanes.drive(70.0, 190.0)
    assert course.refused < 0.03 * course.taken
