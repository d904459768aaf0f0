"""Decide how much of its traffic an account gets, by how it did lately. Pure.

The shares are the steps of a ladder. A gauge moves one step down when a window is bad, and one step
up after some good windows in a row; without enough to judge it drifts up by itself. The lowest
share is not 0, so that an account can show that it works again. Between the two limits of a
`StepRule` nothing moves: an account that fails at a constant rate settles on one step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from worker.domain.enums import Carrier

#: The share of its traffic that an account gets, step by step.
LADDER = (1.0, 0.8, 0.5, 0.2, 0.05)
#: How many windows in a row have to be good before a step up.
GOOD_WINDOWS_FOR_STEP_UP = 3
#: After this time with too little to judge, an account drifts one step up.
DRIFT_SECONDS = 60.0
#: After this time without a full window, what an account on the first step did is forgotten.
FORGET_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class StepRule:
    """The share of failures from which a window is bad, and the one up to which it is good."""

    bad_from: float
    good_up_to: float
    #: Fewer than these make no window yet; counting goes on.
    min_count: int
    #: How a reason names those that count against an account.
    wording: str


#: For submissions: hardly any should fail.
CALLS_RULE = StepRule(0.25, 0.10, 10, "calls failed")
#: For reports: they are bad for many reasons that no account is to blame for.
REPORTS_RULE = StepRule(0.40, 0.20, 20, "reports bad or late")


@dataclass(frozen=True, slots=True)
class Count:
    """How many calls or reports there were, and how many of them count against the account."""

    total: int = 0
    bad: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.total + other.total, self.bad + other.bad)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A step of the ladder, and what was counted since it was judged last."""

    step: int = 0
    count: Count = Count()
    #: Good windows in a row.
    good_windows: int = 0
    #: Seconds since the last window.
    idle_seconds: float = 0.0
    #: What moved it down last.
    reason: str = ""

    @property
    def share(self) -> float:
        """The share that the step stands for."""
        return LADDER[self.step]


def judge(gauge: Gauge, new_count: Count, seconds: float, rule: StepRule) -> Gauge:
    """Return the gauge after `seconds` that brought `new_count`: at most one step away."""
    count, idle_seconds = gauge.count + new_count, gauge.idle_seconds + seconds
    if count.total >= rule.min_count:
        return _judge_window(replace(gauge, count=Count(), idle_seconds=0.0), count, rule)
    if gauge.step > 0 and idle_seconds >= DRIFT_SECONDS:
        is_failing = count.bad > 0 and count.bad >= rule.bad_from * count.total
        return replace(
            gauge,
            step=gauge.step - (not is_failing),
            count=Count(),
            good_windows=0,
            idle_seconds=0.0,
        )
    if idle_seconds >= FORGET_SECONDS:
        return replace(gauge, count=Count(), idle_seconds=0.0)
    return replace(gauge, count=count, idle_seconds=idle_seconds)


def _judge_window(gauge: Gauge, count: Count, rule: StepRule) -> Gauge:
    """Return the gauge after a window of enough to judge."""
    if count.bad >= rule.bad_from * count.total:
        reason = f"{count.bad} of {count.total} {rule.wording}"
        return replace(
            gauge, step=min(gauge.step + 1, len(LADDER) - 1), good_windows=0, reason=reason
        )
    if count.bad > rule.good_up_to * count.total:
        return replace(gauge, good_windows=0)
    if gauge.good_windows + 1 < GOOD_WINDOWS_FOR_STEP_UP:
        return replace(gauge, good_windows=gauge.good_windows + 1)
    return replace(gauge, step=max(gauge.step - 1, 0), good_windows=0)


@dataclass(frozen=True, slots=True)
class HealthSample:
    """The calls of an account, and its reports by carrier, that one look at the database found."""

    calls: Count = Count()
    #: Under None are those whose number tells no carrier.
    reports: Mapping[Carrier | None, Count] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gauges:
    """The gauges of one account: of its calls, of all its reports, of those of each carrier."""

    calls: Gauge = Gauge()
    reports: Gauge = Gauge()
    carriers: Mapping[Carrier, Gauge] = field(default_factory=dict)

    def after(self, sample: HealthSample, seconds: float) -> "Gauges":
        """Return the gauges after `seconds` that brought `sample`."""
        all_reports = sum(sample.reports.values(), Count())
        carriers = {*self.carriers, *(carrier for carrier in sample.reports if carrier is not None)}
        return Gauges(
            judge(self.calls, sample.calls, seconds, CALLS_RULE),
            judge(self.reports, all_reports, seconds, REPORTS_RULE),
            {
                carrier: judge(
                    self.carriers.get(carrier, Gauge()),
                    sample.reports.get(carrier, Count()),
                    seconds,
                    REPORTS_RULE,
                )
                for carrier in sorted(carriers)
            },
        )


@dataclass(frozen=True, slots=True)
class Health:
    """The share of its traffic that an account is to get, as the account choice reads it."""

    share: float = 1.0
    #: The share that its calls alone would leave it.
    calls_share: float = 1.0
    #: The shares by carrier, of those carriers that have a gauge.
    carrier_shares: Mapping[Carrier, float] = field(default_factory=dict)
    #: What lowered the share.
    reason: str = ""
    #: When it got this share, in ISO 8601.
    since: str | None = None

    def share_of(self, carrier: Carrier | None) -> float:
        """Return the share of messages to one carrier; with None, of messages to several."""
        carrier_share = self.carrier_shares.get(carrier) if carrier else None
        return self.share if carrier_share is None else min(self.calls_share, carrier_share)

    @property
    def is_well(self) -> bool:
        """Whether the account gets all of its traffic, at every carrier."""
        return self.share >= 1.0 and all(share >= 1.0 for share in self.carrier_shares.values())

    def as_json(self) -> dict[str, Any] | None:
        """Return the health as it is stored; None for an account that is well."""
        if self.is_well:
            return None
        return {
            "share": self.share,
            "calls": self.calls_share,
            "carriers": {
                carrier.value: share for carrier, share in sorted(self.carrier_shares.items())
            },
            "why": self.reason,
            "since": self.since,
        }


#: The health of an account of which nothing bad is known.
HEALTHY = Health()


def health_of(gauges: Gauges, before: Health, at: str) -> Health:
    """Return the health that gauges come to.

    `since` is `at`, or stays while the shares are the same as `before`.
    """
    carrier_shares = {carrier: gauge.share for carrier, gauge in gauges.carriers.items()}
    share = min(gauges.calls.share, gauges.reports.share)
    health = Health(share, gauges.calls.share, carrier_shares, _reason(gauges))
    unchanged = replace(health, reason=before.reason, since=before.since) == before
    return replace(health, since=before.since if unchanged and before.since else at)


def _reason(gauges: Gauges) -> str:
    """Return what lowers the share most; what is bad at a carrier only where nothing else is."""
    lowest = max((gauges.calls, gauges.reports), key=lambda gauge: gauge.step)
    if lowest.step:
        return lowest.reason
    if not gauges.carriers:
        return ""
    carrier, gauge = max(gauges.carriers.items(), key=lambda pair: pair[1].step)
    return f"{carrier}: {gauge.reason}" if gauge.step else ""


def health_from_json(stored: Mapping[str, Any] | None) -> Health:
    """Read a health as `as_json` wrote it; None is an account that is well."""
    if not stored:
        return HEALTHY
    return Health(
        float(stored["share"]),
        float(stored["calls"]),
        {Carrier(name): float(share) for name, share in stored.get("carriers", {}).items()},
        stored.get("why", ""),
        stored.get("since"),
    )


def dump_gauges(gauges: Gauges) -> dict[str, Any]:
    """Return gauges as JSON, in which the health tick stores them."""
    return {
        "calls": _dump_gauge(gauges.calls),
        "reports": _dump_gauge(gauges.reports),
        "carriers": {
            carrier.value: _dump_gauge(gauge) for carrier, gauge in gauges.carriers.items()
        },
    }


def load_gauges(stored: Mapping[str, Any] | None) -> Gauges:
    """Read gauges as `dump_gauges` wrote them; None is an account that was never judged."""
    if not stored:
        return Gauges()
    carriers = {Carrier(name): _load_gauge(gauge) for name, gauge in stored["carriers"].items()}
    return Gauges(_load_gauge(stored["calls"]), _load_gauge(stored["reports"]), carriers)


def _dump_gauge(gauge: Gauge) -> list[Any]:
    return [
        gauge.step,
        gauge.count.total,
        gauge.count.bad,
        gauge.good_windows,
        gauge.idle_seconds,
        gauge.reason,
    ]


def _load_gauge(stored: list[Any]) -> Gauge:
    step, total, bad, good_windows, idle_seconds, reason = stored
    return Gauge(step, Count(total, bad), good_windows, idle_seconds, reason)
