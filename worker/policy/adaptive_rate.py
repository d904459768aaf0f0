"""Decide how fast an account is after its gateway said "too fast". Pure.

A refusal at some rate halves that rate, at once and once for all submissions that are refused
together. The rate is back at nine tenths of the refused one within seconds, and probes upward from
there by small steps. Only the refusal is stored: the rate that is allowed later follows from it and
from the time since.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The parts of the refused rate that are allowed at once, and after `RECOVERY_SECONDS`.
REFUSED_FACTOR = 0.5
RECOVERED_FACTOR = 0.9
RECOVERY_SECONDS = 1.0
#: Then the rate grows by `GROWTH_FACTOR` every `GROWTH_SECONDS`, until it is `FORGET_FACTOR` times
#: the refused one; nothing is left of the refusal then.
GROWTH_FACTOR = 1.02
GROWTH_SECONDS = 5.0
FORGET_FACTOR = 20.0
#: A refusal of a call that began before the last change, or up to this time after it, says nothing
#: about the new rate: what gateways count reaches back a while.
SETTLING_SECONDS = 2.0
#: An account that reached this part of its allowed rate, or more, counts as having used it fully.
FULLY_USED_SHARE = 0.7
#: No slower rate is learned: one call in two seconds proves nothing about our pace.
MIN_LEARNED_RATE = 0.5
#: No gateway's request to be left alone is heeded for longer.
MAX_REST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class LearnedRate:
    """What the last refusal taught: the rate that was too fast, and when.

    Rates are submissions in a second, times are seconds since 1970.
    """

    refused_rate: float | None = None
    refused_at: float = 0.0
    #: Until then the gateway wants nothing at all.
    rest_until: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the refusal as it is stored."""
        return {"refused": self.refused_rate, "at": self.refused_at, "rest_until": self.rest_until}

    def allowed_rate(self, now: float) -> float | None:
        """Return the rate that is allowed now; None when nothing is left of the refusal."""
        if self.refused_rate is None:
            return None
        elapsed = max(0.0, now - self.refused_at)
        if elapsed < RECOVERY_SECONDS:
            recovery = (RECOVERED_FACTOR - REFUSED_FACTOR) * elapsed / RECOVERY_SECONDS
            return self.refused_rate * (REFUSED_FACTOR + recovery)
        growth_steps = min((elapsed - RECOVERY_SECONDS) // GROWTH_SECONDS, 10_000.0)
        factor = RECOVERED_FACTOR * GROWTH_FACTOR**growth_steps
        return None if factor > FORGET_FACTOR else self.refused_rate * factor

    def rest_seconds(self, now: float) -> float:
        """Return for how many seconds more the gateway wants nothing."""
        return min(max(0.0, self.rest_until - now), MAX_REST_SECONDS)


#: The value of an account that was never refused.
NOTHING_LEARNED = LearnedRate()


def learned_from_json(stored: Mapping[str, Any] | None) -> LearnedRate:
    """Read what `as_json` wrote; None is an account that was never refused."""
    if not stored:
        return NOTHING_LEARNED
    return LearnedRate(stored.get("refused"), stored.get("at", 0.0), stored.get("rest_until", 0.0))


def is_news(learned: LearnedRate, call_began: float) -> bool:
    """Tell whether a refusal of a call that began then says anything new."""
    return learned.refused_rate is None or call_began >= learned.refused_at + SETTLING_SECONDS


def after_refusal(learned: LearnedRate, now: float, measured_rate: float) -> LearnedRate:
    """Return what is learned when a call is refused as too fast.

    `measured_rate` is what the gateway took in the fullest of the last seconds. An account that
    used most of its allowed rate was refused for that rate, though the measured one may be a little
    less, because no worker is always in time. Where the measured rate is more, submissions arrived
    unevenly: the rate to keep to lies between what was allowed and what was taken in that second.
    """
    allowed_rate = learned.allowed_rate(now)
    measured_rate = max(1.0, measured_rate)
    if allowed_rate is not None and measured_rate >= allowed_rate * FULLY_USED_SHARE:
        measured_rate = (allowed_rate + max(allowed_rate, measured_rate)) / 2
    return LearnedRate(max(MIN_LEARNED_RATE, measured_rate), now, learned.rest_until)


def after_rest_request(learned: LearnedRate, now: float, seconds: float) -> LearnedRate:
    """Return what is learned when a gateway says that it wants nothing for some seconds."""
    until = now + min(max(0.0, seconds), MAX_REST_SECONDS)
    return LearnedRate(learned.refused_rate, learned.refused_at, max(learned.rest_until, until))
