"""How fast an account is after its gateway said "too fast": pure functions of a refusal and time.

A refusal at some rate halves it, at once and once for all who are refused together. The rate is
back at nine tenths of the refused one within seconds, and probes upward from there by small steps.
Only a refusal is written down: what is allowed later follows from when it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: What is left of the refused rate at once, and what it comes back to within `BACK` seconds.
AT_ONCE = 0.5
AFTERWARDS = 0.9
BACK = 1.0
#: Then it grows by `STEP` every `EVERY` seconds, until it is `FAR` times the refused one.
STEP = 1.02
EVERY = 5.0
FAR = 20.0
#: Calls that began before a change, or so many seconds after it, are not refused for the new rate:
#: what gateways count reaches back a while.
WINDOW = 2.0
#: Whoever got this part of what was allowed, or more, was as fast as was allowed.
USED = 0.7
#: No slower rate is learned: one call in two seconds proves nothing about our pace.
SLOWEST = 0.5
#: No gateway's wish to be left alone is heeded for longer, in seconds.
LONGEST_REST = 3600.0


@dataclass(frozen=True, slots=True)
class Learned:
    """The last refusal: the rate that was too fast, a second, and when, in seconds since 1970."""

    refused: float | None = None
    at: float = 0.0
    #: Until then the gateway wants nothing at all.
    rest_until: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {"refused": self.refused, "at": self.at, "rest_until": self.rest_until}

    def allowed(self, now: float) -> float | None:
        """Return the rate that is allowed now; None when nothing is left of the refusal."""
        if self.refused is None:
            return None
        past = max(0.0, now - self.at)
        if past < BACK:
            return self.refused * (AT_ONCE + (AFTERWARDS - AT_ONCE) * past / BACK)
        grown = AFTERWARDS * STEP ** min((past - BACK) // EVERY, 10_000.0)
        return None if grown > FAR else self.refused * grown

    def rest(self, now: float) -> float:
        """Return for how many seconds more the gateway wants nothing."""
        return min(max(0.0, self.rest_until - now), LONGEST_REST)


#: Nothing was ever refused.
NOTHING = Learned()


def stored(value: Mapping[str, Any] | None) -> Learned:
    """Read what `as_json` wrote; None is nothing."""
    if not value:
        return NOTHING
    return Learned(value.get("refused"), value.get("at", 0.0), value.get("rest_until", 0.0))


def counts(before: Learned, began: float) -> bool:
    """Whether a refusal of a call that began then says anything new."""
    return before.refused is None or began >= before.at + WINDOW


def refused(before: Learned, now: float, measured: float) -> Learned:
    """Learn from a refusal; `measured` is what the gateway took in the fullest of the last seconds.

    Whoever got most of what was allowed was refused for that: what is measured then is a little
    less, because no worker is always in time. Where it is more, submissions arrived unevenly: the
    rate that they may go at is less than what was taken in that second, and more than was allowed.
    """
    known = before.allowed(now)
    measured = max(1.0, measured)
    if known is not None and measured >= known * USED:
        measured = (known + max(known, measured)) / 2
    return Learned(max(SLOWEST, measured), now, before.rest_until)


def asked_to_rest(before: Learned, now: float, seconds: float) -> Learned:
    """Note that the gateway wants nothing for some seconds."""
    until = now + min(max(0.0, seconds), LONGEST_REST)
    return Learned(before.refused, before.at, max(before.rest_until, until))
