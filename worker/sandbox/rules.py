"""Rules: which requests the sandbox misbehaves at, how, and how often.

A rule applies to requests that match all it names; `what` says what happens then. Of all rules
that apply to one request, the first of each kind counts, and every one that shapes reports.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from worker.sandbox import arguments, gates, magic, shapers, wires
from worker.sandbox.exchange import Call

#: What happens, and of which kind it is.
KINDS: dict[str, str] = {
    **dict.fromkeys(gates.GATES, "gate"),
    **{f"take_then_{name}": "wire" for name in wires.WIRES},
    **{f"not_taken_{name}": "gate" for name in wires.WIRES},
    "redirect": "gate",
    "close_idle": "idle",
    "latency": "latency",
    **dict.fromkeys(shapers.SHAPERS, "reports"),
    "reply": "reports",
}


@dataclass(slots=True)
class Rule:
    """One rule; a field that is None matches everything."""

    what: str
    gateway: str | None = None
    account: str | None = None
    #: The gateway's word for the call, or `submit` for whatever submits there.
    call: str | None = None
    method: str | None = None
    #: MSISDNs, or beginnings of them with `*`; a request matches if it names one.
    numbers: tuple[str, ...] | None = None
    #: How many matching requests it applies to, after how many it leaves alone.
    count: int | None = None
    after: int = 0
    probability: float = 1.0
    #: How long it lives.
    seconds: float | None = None
    args: dict[str, Any] = field(default_factory=dict)
    id: int = 0
    born: float = 0.0
    matched: int = 0
    applied: int = 0
    #: What a gate remembers between requests.
    memory: dict[str, Any] = field(default_factory=dict)
    _exact: frozenset[str] = field(init=False, default=frozenset())
    _beginnings: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        listed = self.numbers or ()
        self._exact = frozenset(listed)
        self._beginnings = tuple(number[:-1] for number in listed if number.endswith("*"))

    def covers(self, msisdn: str) -> bool:
        """Say whether the rule is about this number."""
        named = msisdn in self._exact or msisdn.startswith(self._beginnings)
        return named or self.numbers is None

    def matches(self, gateway: str, call: Call) -> bool:
        """Say whether the rule is about this request, whatever its count."""
        return (
            self.gateway in (None, gateway)
            and self.account in (None, call.account)
            and self.method in (None, call.method)
            and (self.call in (None, call.name) or (self.call == "submit" and call.submits))
            and (self.numbers is None or any(map(self.covers, call.numbers)))
        )

    def applies(self, now: float, random: Random) -> bool:
        """Say whether it is this request's turn; counts the request."""
        if self.seconds is not None and now - self.born > self.seconds:
            return False
        self.matched += 1
        if self.matched <= self.after or self.spent():
            return False
        if self.probability < 1 and random.random() >= self.probability:
            return False
        self.applied += 1
        return True

    def spent(self) -> bool:
        """Say whether the rule has applied as often as it may."""
        return self.count is not None and self.applied >= self.count

    def shown(self) -> dict[str, Any]:
        """Show the rule, without what does not restrict it."""
        names = ("id", "what", "gateway", "account", "call", "method", "numbers", "count")
        more = ("seconds", "after", "probability", "args", "matched", "applied")
        every = {name: getattr(self, name) for name in (*names, *more)}
        return {name: value for name, value in every.items() if value not in (None, {}, ())}


@dataclass(slots=True)
class Plan:
    """The rules that apply to one request."""

    gate: Rule | None = None
    wire: Rule | None = None
    idle: Rule | None = None
    latency: Rule | None = None
    reports: list[Rule] = field(default_factory=list)

    def did(self) -> str:
        """Name what was done to the request, for the ledger."""
        found = (self.gate, self.wire, self.idle, self.latency)
        return " ".join(rule.what for rule in found if rule is not None)


class Rules:
    """All rules, in the order in which they were added."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._rules: list[Rule] = []
        self._ids = itertools.count(1)

    def add(self, wanted: Mapping[str, Any], now: float) -> Rule:
        """Add a rule; raises `ValueError` naming what is wrong with it."""
        rule = read(wanted)
        rule.id, rule.born = next(self._ids), now
        self._rules.append(rule)
        return rule

    def remove(self, rule_id: int | None = None) -> int:
        """Remove one rule, or all; returns how many."""
        kept = [] if rule_id is None else [rule for rule in self._rules if rule.id != rule_id]
        removed = len(self._rules) - len(kept)
        self._rules = kept
        return removed

    def shown(self) -> list[dict[str, Any]]:
        """Show all rules."""
        return [rule.shown() for rule in self._rules]

    def plan(self, gateway: str, call: Call) -> Plan | None:
        """Find the rules that apply to a request; None when there are none."""
        special = magic.found(call.numbers) if call.submits else ()
        if not self._rules and not special:
            return None
        plan = Plan()
        found = False
        for rule in self._matching(gateway, call, special):
            kind = KINDS[rule.what]
            if kind != "reports" and getattr(plan, kind) is not None:
                continue
            if rule.applies(call.at, self._random):
                found = True
                if kind == "reports":
                    plan.reports.append(rule)
                else:
                    setattr(plan, kind, rule)
        return plan if found else None

    def _matching(self, gateway: str, call: Call, special: Iterable[str]) -> Iterable[Rule]:
        for rule in self._rules:
            if rule.matches(gateway, call):
                yield rule
        for msisdn in special:
            what, args = magic.MEANINGS[magic.code(msisdn)]
            yield Rule(what, numbers=(msisdn,), args=dict(args))


_NUMBER = (int, float)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "what": (str,),
    "gateway": (str,),
    "account": (str,),
    "call": (str,),
    "method": (str,),
    "numbers": (list,),
    "count": (int,),
    "after": (int,),
    "probability": _NUMBER,
    "seconds": _NUMBER,
    "args": (dict,),
}


def read(wanted: Mapping[str, Any]) -> Rule:
    """Read a rule from JSON; raises `ValueError` or `TypeError` naming the key that is wrong."""
    _check(wanted, _TYPES, "a rule")
    what = wanted.get("what")
    if what not in KINDS:
        msg = f"no rule is called {what!r}; there are {', '.join(sorted(KINDS))}"
        raise ValueError(msg)
    _check(wanted.get("args", {}), arguments.of(what), f"{what} in its args")
    fields = dict(wanted)
    if "numbers" in fields:
        fields["numbers"] = tuple(map(str, fields["numbers"]))
    return Rule(**fields)


def _check(given: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], where: str) -> None:
    for name, value in given.items():
        if name not in known:
            msg = f"{where} has no {name!r}; it has {', '.join(known) or 'nothing'}"
            raise ValueError(msg)
        if not isinstance(value, known[name]):
            kinds = " or ".join(kind.__name__ for kind in known[name])
            msg = f"{where}, {name!r} is {kinds} in Python's words, not {value!r}"
            raise TypeError(msg)
