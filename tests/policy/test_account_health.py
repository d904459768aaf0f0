"""Health: steps down while an account fails, up when it does well, and never a flutter."""

import itertools
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.enums import Carrier
from worker.policy import account_health, eligibility
from worker.policy.account_health import (
    CALLS_RULE,
    DRIFT_SECONDS,
    GOOD_WINDOWS_FOR_STEP_UP,
    HEALTHY,
    LADDER,
    REPORTS_RULE,
    Count,
    Gauge,
    Gauges,
    Health,
    HealthSample,
    StepRule,
    judge,
)

EVERY = 10.0
RULES = st.sampled_from([CALLS_RULE, REPORTS_RULE])
COUNTS = st.integers(0, 200).flatmap(
    lambda seen: st.integers(0, seen).map(lambda bad: Count(seen, bad))
)
GAUGES = st.builds(
    Gauge,
    step=st.integers(0, len(LADDER) - 1),
    count=COUNTS.map(lambda one: Count(one.total % 10, min(one.bad, one.total % 10))),
    good_windows=st.integers(0, GOOD_WINDOWS_FOR_STEP_UP - 1),
    idle_seconds=st.floats(0, 700),
)
SECONDS = st.floats(0, 120)


def run(gauge: Gauge, rule: StepRule, *windows: Count) -> list[float]:
    """Return the share after each window."""
    shares = []
    for one in windows:
        gauge = judge(gauge, one, EVERY, rule)
        shares.append(gauge.share)
    return shares


def test_what_fails_goes_down_step_by_step_and_comes_back_after_some_good_windows() -> None:
    bad, good = Count(40, 20), Count(40, 0)
    assert run(Gauge(), CALLS_RULE, *[bad] * 6) == [0.8, 0.5, 0.2, 0.05, 0.05, 0.05]
    up = run(Gauge(step=4), CALLS_RULE, *[good] * 13)
    assert up == [0.05] * 2 + [0.2] * 3 + [0.5] * 3 + [0.8] * 3 + [1.0] * 2


def test_few_samples_are_counted_on_until_they_are_enough() -> None:
    assert run(Gauge(), CALLS_RULE, *[Count(3, 3)] * 4) == [1.0, 1.0, 1.0, 0.8]


def test_without_traffic_an_account_drifts_back() -> None:
    quiet = [Count()] * (4 * int(DRIFT_SECONDS / EVERY))
    assert run(Gauge(step=4), CALLS_RULE, *quiet)[-1] == 1.0
    assert run(Gauge(step=4), CALLS_RULE, *quiet[: int(DRIFT_SECONDS / EVERY) - 1])[-1] == 0.05


def test_one_that_still_fails_at_the_little_it_gets_does_not_drift_back() -> None:
    assert set(run(Gauge(step=4), CALLS_RULE, *[Count(1, 1)] * 60)) == {0.05}


@given(GAUGES, COUNTS, SECONDS, RULES)
def test_one_look_moves_one_step_at_the_most(
    gauge: Gauge, count: Count, seconds: float, rule: StepRule
) -> None:
    after = judge(gauge, count, seconds, rule)
    assert abs(after.step - gauge.step) <= 1
    assert 0 < after.share <= 1
    assert after.count.total < rule.min_count


@given(GAUGES, COUNTS, st.integers(0, 200), SECONDS, RULES)
def test_a_worse_window_never_raises_the_share(
    gauge: Gauge, count: Count, more: int, seconds: float, rule: StepRule
) -> None:
    worse = Count(count.total, min(count.total, count.bad + more))
    better, other = (judge(gauge, one, seconds, rule) for one in (count, worse))
    assert other.share <= better.share


@given(st.integers(10, 300), st.floats(0, 1), RULES)
def test_at_a_constant_rate_the_share_settles_and_stays(
    seen: int, rate: float, rule: StepRule
) -> None:
    """Near either limit too: it goes one way, to its end, and never back."""
    shares = run(Gauge(step=2), rule, *[Count(max(seen, rule.min_count), round(rate * seen))] * 60)
    moves = {one < two for one, two in itertools.pairwise(shares) if one != two}
    assert len(moves) <= 1
    assert len(set(shares[30:])) == 1


@pytest.mark.parametrize("rate", [0.08, 0.10, 0.12, 0.25, 0.30])
def test_chance_near_a_limit_makes_it_go_down_now_and_then_but_not_flutter(rate: float) -> None:
    """An hour of windows of 100 calls, each failing by chance."""
    random = Random(17)
    windows = [Count(100, sum(random.random() < rate for _ in range(100))) for _ in range(360)]
    shares = run(Gauge(), CALLS_RULE, *windows)
    turns = [one for one, two in itertools.pairwise(shares) if one != two]
    assert len(turns) <= 12, "less than one change in five minutes"


def test_a_carrier_has_a_gauge_of_its_own_and_all_reports_one_together() -> None:
    seen = HealthSample(
        Count(100, 0),
        {Carrier.CHINA_UNICOM: Count(30, 30), Carrier.CHINA_MOBILE: Count(70, 0), None: Count(5)},
    )
    after = Gauges().after(seen, EVERY)
    assert after.reports.share == after.calls.share == 1.0, "30 of 105 is no reason for all"
    assert after.carriers[Carrier.CHINA_UNICOM].share == 0.8
    now = account_health.health_of(after, HEALTHY, "2026-11-24T00:00:00+00:00")
    assert (now.share, now.share_of(Carrier.CHINA_UNICOM), now.share_of(Carrier.CHINA_MOBILE)) == (
        1,
        0.8,
        1,
    )
    assert now.share_of(Carrier.VIRTUAL) == 1
    assert now.reason == "china_unicom: 30 of 30 reports bad or late"


def test_the_carriers_that_do_well_keep_their_traffic_when_the_reports_of_one_are_bad() -> None:
    seen = HealthSample(
        reports={Carrier.CHINA_UNICOM: Count(70, 70), Carrier.CHINA_MOBILE: Count(30)}
    )
    now = account_health.health_of(Gauges().after(seen, EVERY), HEALTHY, "then")
    assert (now.share, now.share_of(None), now.share_of(Carrier.VIRTUAL)) == (0.8, 0.8, 0.8)
    assert now.share_of(Carrier.CHINA_MOBILE) == 1.0


def test_since_is_when_the_share_became_what_it_is() -> None:
    failing = HealthSample(Count(10, 5))
    first = account_health.health_of(gauges := Gauges().after(failing, EVERY), HEALTHY, "first")
    same = account_health.health_of(gauges, first, "second")
    assert (first.share, first.since, first.reason) == (0.8, "first", "5 of 10 calls failed")
    assert same == first
    lower = account_health.health_of(gauges.after(failing, EVERY), same, "third")
    assert (lower.share, lower.since) == (0.5, "third")


@given(st.builds(Gauges, GAUGES, GAUGES, st.dictionaries(st.sampled_from(Carrier), GAUGES)))
def test_what_is_stored_is_read_as_it_was(gauges: Gauges) -> None:
    assert account_health.load_gauges(account_health.dump_gauges(gauges)) == gauges
    now = account_health.health_of(gauges, HEALTHY, "now")
    if now.is_well:
        assert now.as_json() is None
    else:
        assert account_health.health_from_json(now.as_json()) == now
    assert account_health.health_from_json(None) == HEALTHY


def test_traffic_moves_away_in_steps_and_comes_back() -> None:
    """Two accounts, 50 submissions a second; the first fails half of its own for 3 minutes."""
    random = Random(3)
    gauges, got = [Gauges(), Gauges()], []
    for second in range(0, 900, int(EVERY)):
        shares = [account_health.health_of(one, HEALTHY, "").share for one in gauges]
        chance = shares[0] / sum(shares)
        first = sum(random.random() < chance for _ in range(500))
        failing = 120 <= second < 300
        failed = sum(random.random() < 0.5 for _ in range(first)) if failing else 0
        gauges[0] = gauges[0].after(HealthSample(Count(first, failed)), EVERY)
        gauges[1] = gauges[1].after(HealthSample(Count(500 - first, 0)), EVERY)
        got.append((second, shares[0], first / 500))
    shares_then = [share for _, share, _ in got]
    assert shares_then[:13] == [1.0] * 13
    assert shares_then[13:17] == [0.8, 0.5, 0.2, 0.05], "in steps, within 40 seconds"
    assert set(shares_then[16:31]) == {0.05}, "and stays away while it fails"
    steps = list(dict.fromkeys(shares_then[30:]))
    assert steps == [0.05, 0.2, 0.5, 0.8, 1.0], "and comes back in steps"
    back = next(second for second, share, _ in got if second > 300 and share == 1.0)
    assert back <= 300 + 5 * GOOD_WINDOWS_FOR_STEP_UP * EVERY
    assert all(part < 0.12 for second, share, part in got if share == 0.05)
    assert gauges[1] == replace(gauges[1], calls=replace(gauges[1].calls, step=0))


def test_the_lowest_share_is_not_0() -> None:
    """Otherwise nobody would see it heal."""
    assert min(LADDER) > 0
    assert list(LADDER) == sorted(LADDER, reverse=True)
    assert eligibility.AccountStatus().health == Health()
