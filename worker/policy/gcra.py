"""Decide how many submissions may begin now, and how long the next one waits. Pure and exact.

An account's rates are leaky buckets (the generic cell rate algorithm): a submission fills each of
them by its cost over the rate, time drains them, and it may begin when all of them have room. With
a reserve, each rate has two more buckets of a part of it: one that only otp fills, one that only
the other classes fill, so that each of the two always finds room beside the other.
`worker/delivery/throttle.py` does the same in Redis; the database limiter calls `grant` itself.

Levels are whole nanoseconds of the account's time, clocks are whole microseconds since 1970: exact
in Python, and in Redis, whose numbers are exact up to 2^53.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SECOND_NS = 1_000_000_000
#: The least burst in submissions, by unit: one, and half of one or a whole one more, so that a
#: worker that looks late loses no rate.
MIN_BURST = {"submissions": 1.5, "learned": 2.0}
#: The part of the stated burst that is granted at once; the rest is for what is on its way.
BURST_SHARE_AT_ONCE = 0.5
#: Where a gateway has begun to refuse, what may come at once, in seconds of the rate: at nine
#: tenths of the refused rate that stays below it.
LEARNED_BURST_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """What a submission costs beside itself: its messages, and the segments of them all."""

    messages: int = 1
    segments: int = 1


@dataclass(frozen=True, slots=True)
class Rates:
    """What an account may do in a second; None where nothing limits it."""

    submissions: float | None = None
    messages: float | None = None
    segments: float | None = None
    #: Submissions again, as far as the gateway's refusals have taught.
    learned: float | None = None
    #: How much may come at once, in seconds of each rate.
    burst: float = 0.2
    #: The part of each rate that is kept for otp, and as large a part for the other classes.
    reserve: float = 0.0

    def __bool__(self) -> bool:
        """Whether any rate is limited."""
        return any((self.submissions, self.messages, self.segments, self.learned))


@dataclass(frozen=True, slots=True)
class Bucket:
    """One limit: the unit it counts, the rate in a second, and the burst, in nanoseconds."""

    name: str
    unit: str
    rate: float
    burst: int

    def fill(self, cost: Cost) -> int:
        """Return how much a submission adds to the level, in nanoseconds."""
        units = {"messages": cost.messages, "segments": cost.segments}.get(self.unit, 1)
        return math.ceil(units * SECOND_NS / self.rate)


def buckets(rates: Rates, *, otp: bool) -> tuple[Bucket, ...]:
    """Return the buckets that a submission of otp, or of another class, has to pass."""
    limits = []
    for unit in ("submissions", "messages", "segments", "learned"):
        rate = getattr(rates, unit)
        if rate:
            limits.append(_bucket(unit, unit, rate, rates.burst))
        if rate and rates.reserve:
            name = f"{unit}/{'otp' if otp else 'others'}"
            limits.append(_bucket(name, unit, rate * (1.0 - rates.reserve), rates.burst))
    return tuple(limits)


def _bucket(name: str, unit: str, rate: float, burst: float) -> Bucket:
    burst_seconds = LEARNED_BURST_SECONDS if unit == "learned" else burst * BURST_SHARE_AT_ONCE
    min_burst = MIN_BURST.get(unit, 0.0) / rate
    return Bucket(name, unit, rate, math.ceil(max(burst_seconds, min_burst) * SECOND_NS))


@dataclass(frozen=True, slots=True)
class PacingState:
    """How full an account's buckets are at a time; a bucket without a level was never filled."""

    at: int
    #: When counting began: nothing is granted for a second from then on, and no burst after it.
    since: int
    levels: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the state as it is stored."""
        return {"at": self.at, "since": self.since, "levels": dict(self.levels)}


def state_from_json(stored: Mapping[str, Any]) -> PacingState:
    """Read what `as_json` wrote."""
    return PacingState(stored["at"], stored["since"], stored["levels"])


def initial_state(at: int) -> PacingState:
    """Return the state of an account without a stored one: as if it had just sent too much."""
    return PacingState(at, at, {})


@dataclass(frozen=True, slots=True)
class PacingAnswer:
    """How many of the submissions may begin now, and in how many nanoseconds the next one may."""

    granted: int
    wait: int


def grant(
    state: PacingState, at: int, through: Sequence[Bucket], costs: Sequence[Cost]
) -> tuple[PacingAnswer, PacingState]:
    """Grant as many submissions as may begin now, in the order of their costs.

    A submission has to find room in all buckets that it goes `through`, or fills none of them. One
    that is larger than a burst may begin when its bucket is empty, and is paid off afterwards.
    Returns the answer and the state after it.
    """
    elapsed_ns = max(0, at - state.at) * 1000
    levels = {name: max(0, level - elapsed_ns) for name, level in state.levels.items()}
    for bucket in through:
        if bucket.name not in levels:
            since_start_ns = max(0, at - state.since) * 1000
            levels[bucket.name] = max(0, bucket.burst + SECOND_NS - since_start_ns)
    granted = wait = 0
    for cost in costs:
        fills = [(bucket, bucket.fill(cost)) for bucket in through]
        wait = max((_wait(bucket, fill, levels[bucket.name]) for bucket, fill in fills), default=0)
        if wait:
            break
        for bucket, fill in fills:
            levels[bucket.name] += fill
        granted += 1
    return PacingAnswer(granted, wait), PacingState(at, state.since, levels)


def _wait(bucket: Bucket, fill: int, level: int) -> int:
    """Return in how many nanoseconds a bucket has room for a fill; 0 when it has now."""
    return max(0, level + min(fill, bucket.burst) - bucket.burst)


def usable_slots(concurrency: int, reserve: float) -> int:
    """Return how many submissions of otp, or of all other classes together, may be under way.

    With a reserve one slot is kept for otp, and one for the others.
    """
    return max(1, concurrency - 1) if reserve else concurrency
