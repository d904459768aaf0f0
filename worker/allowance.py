"""How many in how long: windows such as `"5/1h"`, and how long to wait when one is full.

Pure: whoever counts says what was counted when, and what time it is, on one clock.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator

from worker.durations import parse as seconds_of

_FORM = re.compile(r"\s*([0-9]{1,6})\s*/\s*(\S+)\s*")
_HOW = 'write a window as how many in how long: "5/1h"'


class Window(NamedTuple):
    """At most `most` in any `seconds`."""

    most: int
    seconds: float


def parse(value: object) -> Window:
    """Read a window as a configuration writes it; raises `ValueError` saying how that is."""
    if isinstance(value, Window):
        return value
    match = _FORM.fullmatch(str(value))
    if match is None or int(match[1]) < 1:
        raise ValueError(_HOW)
    seconds = seconds_of(match[2])
    if seconds <= 0:
        raise ValueError(_HOW)
    return Window(int(match[1]), seconds)


def wait(taken: Sequence[float], windows: Iterable[Window], at: float) -> float:
    """Return the seconds until one more fits into all windows; 0 when it does now.

    `taken` holds the moments of those that were counted, the oldest first.
    """
    longest = 0.0
    for window in windows:
        inside = [moment for moment in taken if moment > at - window.seconds]
        if len(inside) >= window.most:
            longest = max(longest, inside[-window.most] + window.seconds - at)
    return longest


def kept(taken: Sequence[float], windows: Iterable[Window], at: float) -> list[float]:
    """Return those of `taken` that some window may still count."""
    longest = max((window.seconds for window in windows), default=0.0)
    return [moment for moment in taken if moment > at - longest]


#: A field that takes `"5/1h"` and holds a `Window`.
Windowed = Annotated[Window, BeforeValidator(parse)]
