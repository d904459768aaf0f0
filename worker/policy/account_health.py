"""How much of its traffic an account gets, by how it did lately: pure steps down and up.

A ladder of shares: what fails moves one step down, what did well for some windows moves one step
up, and whatever was not tried for a while drifts up by itself. The lowest share is not 0, so that
an account can be seen to heal. Between the two limits of a `Rule` nothing moves: an account that
fails at a constant rate settles on one step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from worker.domain.enums import Carrier

#: The share of its traffic that an account keeps, step by step.
LADDER = (1.0, 0.8, 0.5, 0.2, 0.05)
#: So many windows in a row have to be good before a step up.
GOOD = 3
#: After so many seconds with too little to judge, an account drifts one step up.
DRIFT = 60.0
#: What an account on the first step did longer ago is forgotten, in seconds.
OLD = 600.0


@dataclass(frozen=True, slots=True)
class StepRule:
    """The share of failures from which a window is bad, and the one up to which it is good."""

    worse: float
    better: float
    #: Fewer than these are no window yet; they are counted on.
    least: int
    #: What it says of those that count against an account.
    says: str


#: Submissions that failed: hardly any should.
CALLS = StepRule(0.25, 0.10, 10, "calls failed")
#: Reports are bad for many reasons that no account is to blame for.
REPORTS = StepRule(0.40, 0.20, 20, "reports bad or late")


@dataclass(frozen=True, slots=True)
class Count:
    """How many were seen, and how many of them count against the account."""

    seen: int = 0
    bad: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.seen + other.seen, self.bad + other.bad)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A place on the ladder, and what was seen since it was judged last."""

    step: int = 0
    count: Count = Count()
    #: Good windows in a row.
    good: int = 0
    #: Seconds since the last window.
    idle: float = 0.0
    #: What moved it down last.
    why: str = ""

    @property
    def share(self) -> float:
        """The share that the step stands for."""
        return LADDER[self.step]


def judged(gauge: Gauge, more: Count, seconds: float, rule: StepRule) -> Gauge:
    """Return where a gauge stands after `seconds` that brought `more`: at most one step away."""
    count, idle = gauge.count + more, gauge.idle + seconds
    if count.seen >= rule.least:
        return _window(replace(gauge, count=Count(), idle=0.0), count, rule)
    if gauge.step > 0 and idle >= DRIFT:
        failing = count.bad > 0 and count.bad >= rule.worse * count.seen
        return replace(gauge, step=gauge.step - (not failing), count=Count(), good=0, idle=0.0)
    if idle >= OLD:
        return replace(gauge, count=Count(), idle=0.0)
    return replace(gauge, count=count, idle=idle)


def _window(gauge: Gauge, count: Count, rule: StepRule) -> Gauge:
    if count.bad >= rule.worse * count.seen:
        why = f"{count.bad} of {count.seen} {rule.says}"
        return replace(gauge, step=min(gauge.step + 1, len(LADDER) - 1), good=0, why=why)
    if count.bad > rule.better * count.seen:
        return replace(gauge, good=0)
    if gauge.good + 1 < GOOD:
        return replace(gauge, good=gauge.good + 1)
    return replace(gauge, step=max(gauge.step - 1, 0), good=0)


@dataclass(frozen=True, slots=True)
class HealthSample:
    """What one look at an account brought: its calls, and its reports by carrier."""

    calls: Count = Count()
    #: Under None those whose number tells no carrier.
    reports: Mapping[Carrier | None, Count] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gauges:
    """The gauges of one account: of its calls, of all its reports, of those of each carrier."""

    calls: Gauge = Gauge()
    reports: Gauge = Gauge()
    carriers: Mapping[Carrier, Gauge] = field(default_factory=dict)

    def after(self, seen: HealthSample, seconds: float) -> "Gauges":
        """Return where they stand after `seconds` that brought what was seen."""
        every = sum(seen.reports.values(), Count())
        named = {*self.carriers, *(one for one in seen.reports if one is not None)}
        return Gauges(
            judged(self.calls, seen.calls, seconds, CALLS),
            judged(self.reports, every, seconds, REPORTS),
            {
                one: judged(
                    self.carriers.get(one, Gauge()),
                    seen.reports.get(one, Count()),
                    seconds,
                    REPORTS,
                )
                for one in sorted(named)
            },
        )


@dataclass(frozen=True, slots=True)
class Health:
    """What share of its traffic an account is to get, as choosing reads it."""

    share: float = 1.0
    #: The share that its calls alone would leave it.
    calls: float = 1.0
    #: The shares by carrier of those carriers that were told apart.
    carriers: Mapping[Carrier, float] = field(default_factory=dict)
    why: str = ""
    #: When it got this share, in ISO 8601.
    since: str | None = None

    def of(self, carrier: Carrier | None) -> float:
        """Return the share of messages to one carrier, or to whomever for None."""
        own = self.carriers.get(carrier) if carrier else None
        return self.share if own is None else min(self.calls, own)

    @property
    def well(self) -> bool:
        """Whether it gets all of its traffic, whoever the carrier."""
        return self.share >= 1.0 and all(one >= 1.0 for one in self.carriers.values())

    def as_json(self) -> dict[str, Any] | None:
        """Return it as it is stored; None for an account that is well."""
        if self.well:
            return None
        return {
            "share": self.share,
            "calls": self.calls,
            "carriers": {one.value: share for one, share in sorted(self.carriers.items())},
            "why": self.why,
            "since": self.since,
        }


#: An account of which nothing bad is known.
WELL = Health()


def health(gauges: Gauges, before: Health, at: str) -> Health:
    """Return what the gauges come to; `since` stays while the shares are what they were."""
    carriers = {one: gauge.share for one, gauge in gauges.carriers.items()}
    share = min(gauges.calls.share, gauges.reports.share)
    now = Health(share, gauges.calls.share, carriers, _why(gauges))
    same = (now.share, now.calls, now.carriers) == (before.share, before.calls, before.carriers)
    return replace(now, since=before.since if same and before.since else at)


def _why(gauges: Gauges) -> str:
    """Say what lowers the share most; of carriers only where nothing else does."""
    lowest = max((gauges.calls, gauges.reports), key=lambda one: one.step)
    if lowest.step:
        return lowest.why
    carrier, gauge = max(
        gauges.carriers.items(), key=lambda each: each[1].step, default=(None, Gauge())
    )
    return f"{carrier}: {gauge.why}" if carrier and gauge.step else ""


def stored(row: Mapping[str, Any] | None) -> Health:
    """Read a health as it is stored."""
    if not row:
        return WELL
    carriers = {Carrier(name): float(share) for name, share in row.get("carriers", {}).items()}
    return Health(
        float(row["share"]), float(row["calls"]), carriers, row.get("why", ""), row.get("since")
    )


def dump(gauges: Gauges) -> dict[str, Any]:
    """Return gauges as a tick remembers them."""
    return {
        "calls": _dumped(gauges.calls),
        "reports": _dumped(gauges.reports),
        "carriers": {one.value: _dumped(gauge) for one, gauge in gauges.carriers.items()},
    }


def load(kept: Mapping[str, Any] | None) -> Gauges:
    """Read gauges as a tick remembers them."""
    if not kept:
        return Gauges()
    carriers = {Carrier(name): _loaded(gauge) for name, gauge in kept["carriers"].items()}
    return Gauges(_loaded(kept["calls"]), _loaded(kept["reports"]), carriers)


def _dumped(gauge: Gauge) -> list[Any]:
    return [gauge.step, gauge.count.seen, gauge.count.bad, gauge.good, gauge.idle, gauge.why]


def _loaded(kept: list[Any]) -> Gauge:
    step, seen, bad, good, idle, why = kept
    return Gauge(step, Count(seen, bad), good, idle, why)
