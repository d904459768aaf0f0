"""The arithmetic of pacing, pure and exact: what may begin now, and how long the next one waits.

An account's rates are leaky buckets (the generic cell rate algorithm): a submission fills each of
them by its cost over the rate, time drains them, and it may begin when all of them have room. What
is not otp also fills a second bucket of a part of each rate, so that a code always finds room, and
so does otp, so that the others keep theirs. `worker/delivery/throttle.py` does the same in Redis;
the database limiter calls `ask` itself.

Levels are whole nanoseconds of the account's time, clocks are whole microseconds since 1970: exact
in Python, and in Redis, whose numbers are exact up to 2^53.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SECOND = 1_000_000_000
#: So many submissions may come at once, at the least: half of one, or one, for whoever looks late.
LEAST_BURST = {"submissions": 1.5, "learned": 2.0}
#: Of the stated burst so much is granted at once; the rest is for what is on its way.
GRANTED = 0.5
#: Where a gateway begins to refuse, so many seconds' worth may come at once: at nine tenths of the
#: refused rate that stays below it.
LEARNED_BURST = 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """What a submission costs: itself, its messages, and the segments of them all."""

    messages: int = 1
    segments: int = 1


@dataclass(frozen=True, slots=True)
class Rates:
    """What an account may do in a second; None where nothing limits it."""

    submissions: float | None = None
    messages: float | None = None
    segments: float | None = None
    #: Submissions again: as far as its gateway's refusals have taught.
    learned: float | None = None
    #: How much may come at once, in seconds.
    burst: float = 0.2
    #: The part of it all that is kept for codes, and as much from them for the others.
    reserve: float = 0.0

    def __bool__(self) -> bool:
        """Whether there is anything to keep to."""
        return any((self.submissions, self.messages, self.segments, self.learned))


@dataclass(frozen=True, slots=True)
class Bucket:
    """One limit: which unit it counts, how many of them in a second, how much may come at once."""

    name: str
    unit: str
    rate: float
    burst: int

    def fill(self, cost: Cost) -> int:
        """Return what a submission adds, in nanoseconds."""
        units = {"messages": cost.messages, "segments": cost.segments}.get(self.unit, 1)
        return math.ceil(units * SECOND / self.rate)


def buckets(rates: Rates, *, otp: bool) -> tuple[Bucket, ...]:
    """Return the buckets that a submission of otp, or of another class, has to pass."""
    found = []
    for unit in ("submissions", "messages", "segments", "learned"):
        rate = getattr(rates, unit)
        if rate:
            found.append(_bucket(unit, unit, rate, rates.burst))
        if rate and rates.reserve:
            name = f"{unit}/{'otp' if otp else 'others'}"
            found.append(_bucket(name, unit, rate * (1.0 - rates.reserve), rates.burst))
    return tuple(found)


def _bucket(name: str, unit: str, rate: float, burst: float) -> Bucket:
    seconds = LEARNED_BURST if unit == "learned" else burst * GRANTED
    least = LEAST_BURST.get(unit, 0.0) / rate
    return Bucket(name, unit, rate, math.ceil(max(seconds, least) * SECOND))


@dataclass(frozen=True, slots=True)
class PacingState:
    """How full an account's buckets are, at a time; one that is not named was never filled."""

    at: int
    #: When counting began: nothing is granted for a second, then it goes on without a burst.
    since: int
    levels: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {"at": self.at, "since": self.since, "levels": dict(self.levels)}


def stored(value: Mapping[str, Any]) -> PacingState:
    """Read a state as `as_json` wrote it."""
    return PacingState(value["at"], value["since"], value["levels"])


def fresh(at: int) -> PacingState:
    """Return the state of an account of which nothing is known: as if it had just done too much."""
    return PacingState(at, at, {})


@dataclass(frozen=True, slots=True)
class PacingAnswer:
    """How many of those asked for may begin now, and in how many nanoseconds the next one."""

    granted: int
    wait: int


def ask(
    state: PacingState, at: int, through: Sequence[Bucket], costs: Sequence[Cost]
) -> tuple[PacingAnswer, PacingState]:
    """Grant as many submissions as may begin now, in order, all of their limits or none.

    One that is larger than a burst may begin when its bucket is empty, and is paid off then.
    """
    elapsed = max(0, at - state.at) * 1000
    levels = {name: max(0, level - elapsed) for name, level in state.levels.items()}
    for one in through:
        if one.name not in levels:
            levels[one.name] = max(0, one.burst + SECOND - max(0, at - state.since) * 1000)
    granted = wait = 0
    for cost in costs:
        fills = [(one, one.fill(cost)) for one in through]
        wait = max(
            (max(0, levels[one.name] + min(fill, one.burst) - one.burst) for one, fill in fills),
            default=0,
        )
        if wait:
            break
        for one, fill in fills:
            levels[one.name] += fill
        granted += 1
    return PacingAnswer(granted, wait), PacingState(at, state.since, levels)


def places(concurrency: int, reserve: float) -> int:
    """Return how many submissions a class, or all that are not otp, may have under way.

    One place is kept for codes, and one from them.
    """
    return max(1, concurrency - 1) if reserve else concurrency
