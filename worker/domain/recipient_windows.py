"""Say how often one number may be called, and how long the next call to it has to wait. Pure.

A limit is a window: `"5/day"` is a calendar day in Asia/Shanghai, `"1/s"` or `"5/24h"` any span of
that length. Moments and spans are whole milliseconds (moments since 1970), so that rounding never
lets a call begin too early.

A gateway counts a call when it arrives, which is somewhere between our beginning and our end of it,
on a clock that may differ from ours. So a span is counted from the *end* of a call, and a call near
midnight counts for both days and needs room in both.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

from worker.domain import durations
from worker.domain.timezone import SHANGHAI_OFFSET

#: How far a gateway's midnight may be from ours, in milliseconds.
MIDNIGHT_MARGIN = 5_000
#: The least wait for a call that only waits for another one's end, in milliseconds.
MIN_RECHECK = 250
#: Spans up to this many milliseconds are counted from the moment a call ended; longer ones from the
#: latest moment at which it can have ended.
SHORT_SPAN = 3_600_000
#: What a window may be at the most: calls, and seconds of a span (31 days).
MAX_CALLS = 1000
MAX_SPAN_SECONDS = 31 * 86_400.0

_DAY = 86_400_000
_SHANGHAI_OFFSET = SHANGHAI_OFFSET // timedelta(milliseconds=1)
_WINDOW = re.compile(r"(\d{1,9})\s*/\s*(\S.*)")
_PRESET_NAME = re.compile(r"[a-z][a-z_-]{0,31}")


class Window(NamedTuple):
    """At most `max_calls` calls in any span of `span` milliseconds, or in a day where that is None.

    A day is a calendar day in Shanghai.
    """

    max_calls: int
    span: int | None


class CountedCall(NamedTuple):
    """A call to a number: when it was written ahead, and when it ended, or will have at the latest.

    Submission 0 is none of ours: it stands for a gateway's word that the number has to wait until
    `ended`.
    """

    submission: int
    began: int
    ended: int


def parse(value: object) -> Window:
    """Read a window as a configuration writes it; raises `ValueError` saying how it is written."""
    match = _WINDOW.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[1]) <= MAX_CALLS or match[2] == "d":
        raise ValueError(_SYNTAX)
    if match[2] == "day":
        return Window(int(match[1]), None)
    try:
        seconds = durations.parse(match[2] if match[2][0].isdigit() else f"1{match[2]}")
    except ValueError:
        raise ValueError(_SYNTAX) from None
    if not 0.001 <= seconds <= MAX_SPAN_SECONDS:
        raise ValueError(_SYNTAX)
    return Window(int(match[1]), math.ceil(seconds * 1000))


_SYNTAX = (
    'write limits as ["1/s", "5/day"]: how many (1 to 1000), and "day" for the day in Shanghai or a'
    ' span of at most 31 days for any such span ("5/24h", "3/10m")'
)


def with_presets(value: Any, presets: Mapping[str, Sequence[str]]) -> Any:
    """Put the limits that a preset stands for in place of its name, in a list or a text of limits.

    Raises `ValueError` for a name that is no preset here; anything else is left to `parse`.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    expanded: list[Any] = []
    for part in parts:
        name = part.strip().lower() if isinstance(part, str) else ""
        if _PRESET_NAME.fullmatch(name) is None:
            expanded.append(part)
            continue
        if name not in presets:
            known = " or ".join(f'"{preset}"' for preset in presets) or "none"
            msg = f"{name} is no preset of this gateway, which has {known}; {_SYNTAX}"
            raise ValueError(msg)
        expanded += presets[name]
    return expanded


def _parse_list(value: Any) -> Any:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError(_SYNTAX)  # noqa: TRY004 - pydantic collects ValueErrors
    return tuple(part if isinstance(part, Window) else parse(part) for part in parts)


#: A field that takes a list of windows, or a text with commas, as an environment variable is.
Windows = Annotated[tuple[Window, ...], BeforeValidator(_parse_list)]


def epoch_milliseconds(at: datetime) -> int:
    """Return a moment in milliseconds since 1970, rounded down."""
    return math.floor(at.timestamp() * 1000)


def wait(
    windows: Collection[Window], calls: Sequence[CountedCall], at: int, max_duration: int
) -> int:
    """Return the milliseconds until one more call may begin; 0 when it may at `at`.

    `max_duration` is how long that call may take to arrive, in milliseconds. Calls that begin later
    than `at` are turns that others have been promised. While a call is under way the answer is the
    least that the next one waits, and the caller has to ask again then.
    """
    not_before = max([at, *(call.ended for call in calls if not call.submission)])
    our_calls = [call for call in calls if call.submission]
    if not_before == at and _next_opening(windows, our_calls, at, max_duration) == at:
        return 0
    # Whatever is under way could end at once; what begins later is a turn of somebody else.
    ended_soonest = [
        call._replace(ended=min(call.ended, at)) if call.began <= at else call for call in our_calls
    ]
    begins = not_before
    while (later := _next_opening(windows, ended_soonest, begins, max_duration)) > begins:
        begins = later
    return max(begins - at, MIN_RECHECK if ended_soonest != our_calls else 1)


def _next_opening(
    windows: Collection[Window], calls: Sequence[CountedCall], at: int, max_duration: int
) -> int:
    """Return `at` if every window has room then, else a moment before which one of them has not."""
    return max(
        (
            _day_opening(window.max_calls, calls, at, max_duration)
            if window.span is None
            else _span_opening(window.max_calls, window.span, calls, at)
            for window in windows
        ),
        default=at,
    )


def _span_opening(max_calls: int, span: int, calls: Iterable[CountedCall], at: int) -> int:
    """Return `at` if the span before it has room for one more call, else when one will."""
    recent_ends = sorted(call.ended for call in calls if call.ended > at - span)
    return at if len(recent_ends) < max_calls else recent_ends[-max_calls] + span


def _day_opening(max_calls: int, calls: Sequence[CountedCall], at: int, max_duration: int) -> int:
    """Return `at` if each day that a call may fall on which begins then has room.

    Else return when the first of them that has none is over.
    """
    for day in range(
        _day_number(at - MIDNIGHT_MARGIN), _day_number(at + max_duration + MIDNIGHT_MARGIN) + 1
    ):
        calls_of_day = sum(
            _day_number(call.began - MIDNIGHT_MARGIN)
            <= day
            <= _day_number(call.ended + MIDNIGHT_MARGIN)
            for call in calls
        )
        if calls_of_day >= max_calls:
            return _safely_after_day(day)
    return at


def _day_number(at: int) -> int:
    """Return the day in Shanghai that a moment falls on, counted from 1970."""
    return (at + _SHANGHAI_OFFSET) // _DAY


def _safely_after_day(day: int) -> int:
    """Return the first moment at which a day in Shanghai is over by a gateway's clock, too."""
    return (day + 1) * _DAY - _SHANGHAI_OFFSET + MIDNIGHT_MARGIN


def next_day_begins(at: int) -> int:
    """Return the first moment at which the next day in Shanghai has begun at a gateway, too."""
    return _safely_after_day(_day_number(at))


def counts_until(windows: Collection[Window], call: CountedCall) -> int:
    """Return the moment from which a call counts for none of the windows."""
    if not call.submission:
        return call.ended
    return max(
        (
            _safely_after_day(_day_number(call.ended + MIDNIGHT_MARGIN))
            if window.span is None
            else call.ended + window.span
            for window in windows
        ),
        default=call.ended,
    )


def max_counting_time(windows: Collection[Window], max_duration: int) -> int:
    """Return for how long a call counts at the most that begins now.

    `max_duration` is how long the call itself may last.
    """
    after_end = (
        2 * (_DAY + MIDNIGHT_MARGIN) if window.span is None else window.span for window in windows
    )
    return max_duration + max(after_end, default=0)


def counted_calls(
    windows: Collection[Window], calls: Iterable[CountedCall], at: int
) -> list[CountedCall]:
    """Return the calls that may still count from `at` on, the oldest first.

    Only as many of the newest are returned as can make a difference to the windows.
    """
    counted = [call for call in calls if counts_until(windows, call) > at]
    max_calls = sum(window.max_calls for window in windows) + 1
    return sorted(counted, key=lambda call: call.ended)[-max_calls:]


def needs_exact_ends(windows: Iterable[Window]) -> bool:
    """Tell whether it matters to these windows when exactly a call ended."""
    return any(window.span is not None and window.span <= SHORT_SPAN for window in windows)
