"""Reading by the hour: none is lost, whatever breaks down; replies come in fresh."""

import itertools
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.policy import inbound_cursor
from worker.policy.inbound_cursor import CLOSING_DELAY, HOUR, InboundCursor

SPACING = 600.0
START = datetime(2026, 3, 1, 7, 23, 11, tzinfo=UTC)


def simulate(seed: int, days: int) -> list[tuple[datetime, datetime, bool]]:
    """Run a collector that crashes, fails and stands still, but for the last three days.

    Returns when which hour was asked for, and whether its page was stored.
    """
    random = Random(seed)
    at, calm = START, START + timedelta(days=days - 3)
    stored: dict[str, object] = {}
    asked: list[tuple[datetime, datetime, bool]] = []
    while at < START + timedelta(days=days):
        cursor = inbound_cursor.load(stored, at)
        assert inbound_cursor.cut_back(cursor, at) is cursor, "no clock was wrong"
        wait = inbound_cursor.seconds_until_read(cursor, SPACING, at)
        if wait > 0:
            at += timedelta(seconds=min(wait, random.choice([60, 61.5, 300])))
            continue
        hour = inbound_cursor.next_hour(cursor, at)
        stored = inbound_cursor.dump(inbound_cursor.after_asking(cursor, at))
        fate = random.random()
        good = fate < 0.8 or at > calm
        asked.append((at, hour, good))
        if good:
            # Only what is in the database is known: the cursor as it was loaded.
            stored = inbound_cursor.dump(inbound_cursor.after_reading(cursor, hour, at))
        elif fate > 0.99:
            at += timedelta(hours=random.uniform(0.1, 30))
        at += timedelta(seconds=random.choice([1, 60, 60, 400]))
    return asked


def start_of(at: datetime) -> datetime:
    """Return the hour that runs."""
    return at.replace(minute=0, second=0, microsecond=0)


@settings(max_examples=8, deadline=None, database=None)
@given(st.integers())
def test_two_weeks_of_outages_lose_no_hour_and_never_ask_too_soon(seed: int) -> None:
    """Every hour is read once after it closed; every second good read is of the one that runs."""
    asked = simulate(seed, 14)
    good = [(at, hour) for at, hour, stored in asked if stored]
    closed = [hour for at, hour in good if hour + HOUR + CLOSING_DELAY <= at]
    assert len(closed) == len(set(closed)), "once is enough"
    wanted, hour = set(), start_of(START) - HOUR
    while hour + 2 * HOUR + CLOSING_DELAY <= good[-1][0]:
        wanted.add(hour)
        hour += HOUR
    assert wanted <= set(closed)
    for (before, *_), (after, *_) in itertools.pairwise(asked):
        assert (after - before).total_seconds() >= SPACING
    for pair in itertools.pairwise(good):
        assert any(hour == start_of(at) for at, hour in pair)


def test_the_newest_closed_hour_comes_first() -> None:
    at = START.replace(minute=15)
    cursor = InboundCursor(START.replace(minute=0, second=0) - 5 * HOUR, last_was_current=True)
    assert inbound_cursor.unread_hours(cursor, at)[0] == START.replace(minute=0, second=0) - HOUR
    assert inbound_cursor.next_hour(cursor, at) == START.replace(minute=0, second=0) - HOUR


@pytest.mark.parametrize("minutes", [0, 9])
def test_an_hour_is_not_closed_before_late_entries_had_their_time(minutes: int) -> None:
    top = START.replace(minute=0, second=0)
    cursor = inbound_cursor.after_reading(
        InboundCursor(top - HOUR), top - HOUR, top + timedelta(minutes=minutes)
    )
    assert inbound_cursor.unread_hours(cursor, top + timedelta(minutes=20)) == [top - HOUR]


@given(
    since=st.integers(-100, 100),
    read=st.sets(st.integers(-100, 100), max_size=5),
    asked=st.none() | st.floats(-100, 100),
    current=st.booleans(),
)
def test_a_cursor_that_was_cut_back_is_of_the_past_and_reads_soon(
    since: int, read: set[int], asked: float | None, *, current: bool
) -> None:
    """Whatever a clock once said, the gateway is asked again within its spacing."""
    top = start_of(START)
    cursor = InboundCursor(
        top + since * HOUR,
        frozenset(top + hour * HOUR for hour in read),
        current,
        None if asked is None else START + asked * HOUR,
    )
    cut = inbound_cursor.cut_back(cursor, START)
    assert inbound_cursor.cut_back(cut, START) == cut
    assert inbound_cursor.seconds_until_read(cut, SPACING, START) <= SPACING
    assert cut.since <= min(cursor.since, top)
    assert all(hour + HOUR + CLOSING_DELAY <= START for hour in cut.read_hours)
    assert cut.read_hours <= cursor.read_hours
