"""Windows: how often one number may be called, and how long the next call to it waits. Pure.

`"5/day"` is a calendar day in Asia/Shanghai, `"1/s"` or `"5/24h"` any span of that length. Moments
and lengths are whole milliseconds (moments since 1970), so that no rounding lets a call slip.

A gateway counts a call when it arrives, which is somewhere between our beginning and our end of it,
on a clock that may differ from ours. So a span is counted from the *end* of a call, and a call near
midnight counts for both days and needs room in both.
"""

import math
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

from worker.domain import durations

#: How far a gateway's midnight may be from ours.
MARGIN = 5_000
#: How soon a call that only waits for another one's end is looked at again, at the earliest.
RECHECK = 250
#: Spans up to this are counted from the moment a call ended; longer ones from when it must have.
SHORT = 3_600_000
#: What a window may be at the most: calls, and days of a span.
MOST_CALLS = 1000
LONGEST = 31 * 86_400.0

_DAY = 86_400_000
#: China has had one zone and no summer time since 1991.
_EAST = 8 * 3_600_000
_FORM = re.compile(r"(\d{1,9})\s*/\s*(\S.*)")


class Window(NamedTuple):
    """At most `most` calls in any span of `length` milliseconds; None: in a day in Shanghai."""

    most: int
    length: int | None


class CountedCall(NamedTuple):
    """A call to a number: when it was written ahead, and when it ended, or will have at the latest.

    Submission 0 is none of ours: the gateway said that the number has to wait until `ended`.
    """

    submission: int
    began: int
    ended: int


def parse(value: object) -> Window:
    """Read a window as a configuration writes it; raises `ValueError` saying how it is written."""
    match = _FORM.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[1]) <= MOST_CALLS or match[2] == "d":
        raise ValueError(_HOW)
    if match[2] == "day":
        return Window(int(match[1]), None)
    try:
        seconds = durations.parse(match[2] if match[2][0].isdigit() else f"1{match[2]}")
    except ValueError:
        raise ValueError(_HOW) from None
    if not 0.001 <= seconds <= LONGEST:
        raise ValueError(_HOW)
    return Window(int(match[1]), math.ceil(seconds * 1000))


_HOW = (
    'write limits as ["1/s", "5/day"]: how many (1 to 1000), and "day" for the day in Shanghai or a'
    ' span of at most 31 days for any such span ("5/24h", "3/10m")'
)


def _all(value: Any) -> Any:
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        raise ValueError(_HOW)  # noqa: TRY004 - pydantic collects ValueErrors
    return tuple(one if isinstance(one, Window) else parse(one) for one in listed)


#: A field that takes a list of windows, or a text with commas, as an environment variable is.
Windows = Annotated[tuple[Window, ...], BeforeValidator(_all)]


def milliseconds(at: datetime) -> int:
    """Return a moment in milliseconds since 1970, rounded down."""
    return math.floor(at.timestamp() * 1000)


def wait(windows: Collection[Window], calls: Sequence[CountedCall], at: int, patience: int) -> int:
    """Return the milliseconds until one more call may begin; 0 when it may at `at`.

    `patience` is how long it may take to arrive. Calls that begin later are the turns of others.
    While a call is under way this is the least that the next one waits, and is to be asked again.
    """
    first = max([at, *(call.ended for call in calls if not call.submission)])
    counted = [call for call in calls if call.submission]
    if first == at and _opens(windows, counted, at, patience) == at:
        return 0
    # Whatever is under way could end at once; what begins later is somebody's turn.
    soonest = [
        call._replace(ended=min(call.ended, at)) if call.began <= at else call for call in counted
    ]
    moment, opens = first, _opens(windows, soonest, first, patience)
    while opens > moment:
        moment, opens = opens, _opens(windows, soonest, opens, patience)
    return max(moment - at, RECHECK if soonest != counted else 1)


def _opens(
    windows: Collection[Window], calls: Sequence[CountedCall], at: int, patience: int
) -> int:
    """Return `at` if every window has room then, else a moment before which one of them has not."""
    return max(
        (
            _day_opens(window.most, calls, at, patience)
            if window.length is None
            else _span_opens(window.most, window.length, calls, at)
            for window in windows
        ),
        default=at,
    )


def _span_opens(most: int, length: int, calls: Iterable[CountedCall], at: int) -> int:
    recent = sorted(call.ended for call in calls if call.ended > at - length)
    return at if len(recent) < most else recent[-most] + length


def _day_opens(most: int, calls: Sequence[CountedCall], at: int, patience: int) -> int:
    for day in range(_day(at - MARGIN), _day(at + patience + MARGIN) + 1):
        there = sum(_day(one.began - MARGIN) <= day <= _day(one.ended + MARGIN) for one in calls)
        if there >= most:
            return _midnight(day + 1) + MARGIN
    return at


def _day(at: int) -> int:
    return (at + _EAST) // _DAY


def _midnight(day: int) -> int:
    return day * _DAY - _EAST


def tomorrow(at: int) -> int:
    """Return when the next day in Shanghai has surely begun at a gateway, too."""
    return _midnight(_day(at) + 1) + MARGIN


def counts_until(windows: Collection[Window], call: CountedCall) -> int:
    """Return the moment from which a call counts for none of the windows."""
    if not call.submission:
        return call.ended
    return max(
        (
            _midnight(_day(call.ended + MARGIN) + 1) + MARGIN
            if window.length is None
            else call.ended + window.length
            for window in windows
        ),
        default=call.ended,
    )


def longest(windows: Collection[Window], patience: int) -> int:
    """Return for how long a call may count that begins now and lasts `patience` at the most."""
    ended = (2 * (_DAY + MARGIN) if one.length is None else one.length for one in windows)
    return patience + max(ended, default=0)


def counting(
    windows: Collection[Window], calls: Iterable[CountedCall], at: int
) -> list[CountedCall]:
    """Return the calls that may count from `at` on, the oldest first; as many as windows allow."""
    still = [call for call in calls if counts_until(windows, call) > at]
    most = sum(window.most for window in windows) + 1
    return sorted(still, key=lambda call: call.ended)[-most:]


def needs_ends(windows: Iterable[Window]) -> bool:
    """Tell whether it matters to these windows when exactly a call ended."""
    return any(window.length is not None and window.length <= SHORT for window in windows)
