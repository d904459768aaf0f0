"""Defines a misbehaviour rule, and the plan of the rules that apply to one request."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from worker.sandbox.exchange import GatewayCall


@dataclass(slots=True)
class MisbehaviourRule:
    """A rule: which requests the sandbox misbehaves at; a field that is None matches everything."""

    #: What happens, by its name in `worker.sandbox.rules.KINDS`.
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
    #: How long the rule lives.
    seconds: float | None = None
    args: dict[str, Any] = field(default_factory=dict)
    id: int = 0
    born: float = 0.0
    matched: int = 0
    applied: int = 0
    #: What a gate remembers between requests.
    memory: dict[str, Any] = field(default_factory=dict)
    _whole_numbers: frozenset[str] = field(init=False, default=frozenset())
    _beginnings: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        numbers = self.numbers or ()
        self._whole_numbers = frozenset(numbers)
        self._beginnings = tuple(number[:-1] for number in numbers if number.endswith("*"))

    def covers(self, msisdn: str) -> bool:
        """Tell whether the rule is about this number."""
        is_named = msisdn in self._whole_numbers or msisdn.startswith(self._beginnings)
        return is_named or self.numbers is None

    def matches(self, gateway: str, call: GatewayCall) -> bool:
        """Tell whether the rule is about this request, whatever its count."""
        return (
            self.gateway in (None, gateway)
            and self.account in (None, call.account)
            and self.method in (None, call.method)
            and (self.call in (None, call.name) or (self.call == "submit" and call.submits))
            and (self.numbers is None or any(map(self.covers, call.numbers)))
        )

    def applies(self, now: float, random: Random) -> bool:
        """Count a matching request, and tell whether the rule applies to it."""
        if self.seconds is not None and now - self.born > self.seconds:
            return False
        self.matched += 1
        if self.matched <= self.after or self.is_spent():
            return False
        if self.probability < 1 and random.random() >= self.probability:
            return False
        self.applied += 1
        return True

    def is_spent(self) -> bool:
        """Tell whether the rule has applied as often as it may."""
        return self.count is not None and self.applied >= self.count

    def as_json(self) -> dict[str, Any]:
        """Return the rule for the control endpoint, without the fields that restrict nothing."""
        restrictions = ("id", "what", "gateway", "account", "call", "method", "numbers", "count")
        limits = ("seconds", "after", "probability", "args", "matched", "applied")
        fields = {name: getattr(self, name) for name in (*restrictions, *limits)}
        return {name: value for name, value in fields.items() if value not in (None, {}, ())}


@dataclass(slots=True)
class MisbehaviourPlan:
    """The rules that apply to one request: at most one of each kind, and all that shape reports."""

    gate: MisbehaviourRule | None = None
    wire: MisbehaviourRule | None = None
    idle: MisbehaviourRule | None = None
    latency: MisbehaviourRule | None = None
    reports: list[MisbehaviourRule] = field(default_factory=list)

    def description(self) -> str:
        """Name what was done to the request, for the ledger."""
        rules = (self.gate, self.wire, self.idle, self.latency)
        return " ".join(rule.what for rule in rules if rule is not None)
