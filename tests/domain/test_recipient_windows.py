"""Windows against a model that counts by hand, and against a gateway whose clock differs."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain import recipient_windows
from worker.domain.recipient_windows import MIDNIGHT_MARGIN, CountedCall, Window

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: A midnight in Shanghai, in milliseconds.
MIDNIGHT = int(datetime(2026, 11, 24, tzinfo=SHANGHAI).timestamp() * 1000)
PATIENCE = 20_000

LIMITS = st.lists(
    st.builds(
        Window, st.integers(1, 3), st.none() | st.sampled_from([1_000, 7_000, 60_000, 86_400_000])
    ),
    min_size=1,
    max_size=3,
)
#: Around a midnight most of the time.
MOMENTS = st.integers(-90_000, 90_000).map(lambda offset: MIDNIGHT + offset) | st.integers(
    MIDNIGHT - 2 * 86_400_000, MIDNIGHT + 2 * 86_400_000
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[CountedCall], int]:
    """Some calls that began at or before a moment, over or under way then; and that moment."""
    at = draw(MOMENTS)
    calls = []
    for nth in range(draw(st.integers(0, 6))):
        began = at - draw(st.integers(0, 100_000) | st.integers(0, 90_000_000))
        calls.append(CountedCall(nth + 1, began, began + draw(st.integers(0, PATIENCE))))
    return calls, at


def date(at: int) -> str:
    return str(datetime.fromtimestamp(at / 1000, UTC).astimezone(SHANGHAI).date())


def dates(first: int, last: int) -> set[str]:
    """Return the dates in Shanghai that a span touches; it is shorter than a day."""
    return {date(first), date(last)}


def has_room(limits: list[Window], calls: list[CountedCall], at: int) -> bool:
    """Count by hand whether one more call may begin."""
    for most, length in limits:
        if length is not None:
            if sum(call.ended > at - length for call in calls) >= most:
                return False
            continue
        for day in dates(at - MIDNIGHT_MARGIN, at + PATIENCE + MIDNIGHT_MARGIN):
            there = [
                one
                for one in calls
                if day in dates(one.began - MIDNIGHT_MARGIN, one.ended + MIDNIGHT_MARGIN)
            ]
            if len(there) >= most:
                return False
    return True


@given(LIMITS, histories())
def test_a_call_may_begin_if_every_window_has_room(
    limits: list[Window], history: tuple[list[CountedCall], int]
) -> None:
    calls, at = history
    waits = recipient_windows.wait(limits, calls, at, PATIENCE)
    assert (waits == 0) == has_room(limits, calls, at)


@given(LIMITS, histories(), st.data())
def test_a_wait_is_the_shortest_after_which_there_is_room(
    limits: list[Window], history: tuple[list[CountedCall], int], data: st.DataObject
) -> None:
    calls, at = history
    calls = [call._replace(ended=min(call.ended, at)) for call in calls]
    waits = recipient_windows.wait(limits, calls, at, PATIENCE)
    assert has_room(limits, calls, at + waits)
    if waits:
        earlier = data.draw(st.integers(0, waits - 1))
        assert not has_room(limits, calls, at + earlier)


@given(LIMITS, histories(), st.data())
def test_a_call_under_way_counts_as_not_ended_and_never_makes_the_wait_too_long(
    limits: list[Window], history: tuple[list[CountedCall], int], data: st.DataObject
) -> None:
    calls, at = history
    waits = recipient_windows.wait(limits, calls, at, PATIENCE)
    known = [
        call._replace(ended=data.draw(st.integers(at, call.ended))) if call.ended > at else call
        for call in calls
    ]
    really = recipient_windows.wait(limits, known, at, PATIENCE)
    assert waits <= max(really, recipient_windows.MIN_RECHECK)


@given(
    LIMITS,
    st.integers(-40_000, 10_000),
    st.integers(-MIDNIGHT_MARGIN, MIDNIGHT_MARGIN),
    st.lists(
        st.tuples(st.integers(0, 12_000), st.integers(0, PATIENCE), st.floats(0, 1)), max_size=25
    ),
)
def test_a_gateway_never_counts_more_than_its_limit(
    limits: list[Window],
    start: int,
    skew: int,
    story: list[tuple[int, int, float]],
) -> None:
    """Whenever a call arrives within its time, and however its clock differs near midnight."""
    now, calls, arrived = MIDNIGHT + start, [], []
    for pause, lasts, when in story:
        now += pause
        told = [
            one if one.ended <= now else one._replace(ended=one.began + PATIENCE) for one in calls
        ]
        if recipient_windows.wait(limits, told, now, PATIENCE) == 0:
            calls.append(CountedCall(len(calls) + 1, now, now + lasts))
            arrived.append(now + round(when * lasts))
    for most, length in limits:
        if length is None:
            days = [date(at + skew) for at in arrived]
            assert all(days.count(day) <= most for day in days)
        else:
            assert all(sum(at - length < one <= at for one in arrived) <= most for at in arrived)


@given(LIMITS, histories(), st.integers(0, 200_000_000))
def test_what_is_forgotten_would_not_have_counted(
    limits: list[Window], history: tuple[list[CountedCall], int], later: int
) -> None:
    calls, at = history
    allowed: list[CountedCall] = []
    for call in sorted(calls, key=lambda one: one.began):
        if recipient_windows.wait(limits, allowed, call.began, PATIENCE) == 0:
            allowed.append(call)
    kept = recipient_windows.counted_calls(limits, allowed, at)
    then = at + later
    assert recipient_windows.wait(limits, kept, then, PATIENCE) == recipient_windows.wait(
        limits, allowed, then, PATIENCE
    )
    last = max((recipient_windows.counts_until(limits, call) for call in kept), default=at)
    assert not recipient_windows.counted_calls(limits, kept, last)
    assert len(kept) <= sum(window.max_calls for window in limits) + 1


@given(LIMITS, histories(), st.integers(2, 6))
def test_those_who_take_turns_find_room_one_after_the_other(
    limits: list[Window], history: tuple[list[CountedCall], int], many: int
) -> None:
    calls, at = history
    calls = [call._replace(ended=min(call.ended, at)) for call in calls]
    for nth in range(many):
        then = at + recipient_windows.wait(limits, calls, at, PATIENCE)
        made = [call for call in calls if call.began <= then]
        assert has_room(limits, made, then)
        calls.append(CountedCall(100 + nth, then, then))


@given(LIMITS, histories(), st.integers(1, 100_000_000))
def test_what_the_gateway_said_holds_until_its_time(
    limits: list[Window], history: tuple[list[CountedCall], int], more: int
) -> None:
    calls, at = history
    told = [*calls, CountedCall(0, at, at + more)]
    assert recipient_windows.wait(limits, told, at, PATIENCE) >= more
    after = [call._replace(ended=min(call.ended, at)) for call in calls]
    assert recipient_windows.wait(
        limits, [*after, told[-1]], at + more, PATIENCE
    ) == recipient_windows.wait(limits, after, at + more, PATIENCE)


@pytest.mark.parametrize(
    ("written", "window"),
    [
        ("1/s", Window(1, 1_000)),
        ("5/day", Window(5, None)),
        ("5/24h", Window(5, 86_400_000)),
        ("3 / 10m", Window(3, 600_000)),
        ("2/500ms", Window(2, 500)),
    ],
)
def test_a_window_is_how_many_and_for_how_long(written: str, window: Window) -> None:
    assert recipient_windows.parse(written) == window


@pytest.mark.parametrize(
    "written", ["5", "0/day", "5/d", "5/0s", "5/40d", "5/week", "/s", "2000/s", 5, None]
)
def test_what_is_no_window_is_refused_with_what_to_write(written: object) -> None:
    with pytest.raises(ValueError, match=r'write limits as .* "day" .* span'):
        recipient_windows.parse(written)
