"""When to try again: growing pauses with a bound, whatever is drawn."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.enums import Advice, Outcome
from worker.domain.timezone import SHANGHAI
from worker.gateways.results import Result
from worker.policy import backoff

DRAWS = st.floats(0, 1, exclude_max=True)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
BACK = st.sampled_from(sorted(backoff.RETURNING_OUTCOMES))


@given(BACK, st.none() | st.sampled_from(sorted(Advice)), st.integers(0, 1000), TIMES, DRAWS)
def test_every_pause_is_bounded(
    outcome: Outcome, advice: Advice | None, attempts: int, at: datetime, draw: float
) -> None:
    pause = backoff.pause(Result(outcome, advice=advice), attempts, at, lambda: draw)
    bound = 86_460 if advice is Advice.RECIPIENT_UNTIL else backoff.MAX_PAUSE
    assert 0 <= pause <= bound


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.NOT_SENT])
def test_pauses_of_counted_tries_never_shrink_and_are_spread_over_half_of_them(
    outcome: Outcome,
) -> None:
    at = datetime.now(UTC)
    shortest = [backoff.pause(Result(outcome), n, at, lambda: 0.0) for n in range(1, 40)]
    longest = [backoff.pause(Result(outcome), n, at, lambda: 0.999) for n in range(1, 40)]
    assert shortest == sorted(shortest)
    assert longest == sorted(longest)
    assert shortest[0] == backoff.FIRST_PAUSE / 2
    assert shortest[-1] == backoff.MAX_PAUSE / 2
    assert all(low < high <= 2 * low for low, high in zip(shortest, longest, strict=True))


@given(TIMES, DRAWS)
def test_a_recipient_who_had_enough_today_waits_for_the_next_day_in_shanghai(
    at: datetime, draw: float
) -> None:
    said = Result(Outcome.THROTTLED, advice=Advice.RECIPIENT_UNTIL)
    then = at + timedelta(seconds=backoff.pause(said, 1, at, lambda: draw))
    first, second = at.astimezone(SHANGHAI), then.astimezone(SHANGHAI)
    # A microsecond may be lost where floats meet datetimes.
    assert (second + timedelta(milliseconds=1)).date() == first.date() + timedelta(days=1)


def test_only_what_the_gateway_has_not_goes_back() -> None:
    assert {Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNKNOWN}.isdisjoint(
        backoff.RETURNING_OUTCOMES
    )
    assert backoff.COUNTED_OUTCOMES < backoff.RETURNING_OUTCOMES
    assert Outcome.THROTTLED not in backoff.COUNTED_OUTCOMES
    assert Outcome.ACCOUNT_HELD not in backoff.COUNTED_OUTCOMES
