"""Keeps the rules by which the sandbox misbehaves, and plans what happens to each request.

A rule applies to requests that match all it names; `what` says what happens then. Of all rules
that apply to one request, the first of each kind counts, and every one that shapes reports.
"""

import itertools
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from worker.sandbox import arguments, gates, magic, shapers, wires
from worker.sandbox.exchange import GatewayCall
from worker.sandbox.rule import MisbehaviourPlan, MisbehaviourRule

#: The kind of each misbehaviour, by a rule's `what`.
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

_NUMBER = (int, float)
_RULE_FIELDS: Mapping[str, tuple[type, ...]] = {
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


class Rules:
    """All rules, in the order in which they were added."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._rules: list[MisbehaviourRule] = []
        self._ids = itertools.count(1)

    def add(self, fields: Mapping[str, Any], now: float) -> MisbehaviourRule:
        """Add a rule; raises `ValueError` or `TypeError` naming what is wrong with it."""
        rule = parse_rule(fields)
        rule.id, rule.born = next(self._ids), now
        self._rules.append(rule)
        return rule

    def remove(self, rule_id: int | None = None) -> int:
        """Remove one rule, or all; returns how many."""
        remaining = [] if rule_id is None else [rule for rule in self._rules if rule.id != rule_id]
        removed = len(self._rules) - len(remaining)
        self._rules = remaining
        return removed

    def as_json(self) -> list[dict[str, Any]]:
        """Return all rules for the control endpoint."""
        return [rule.as_json() for rule in self._rules]

    def plan(self, gateway: str, call: GatewayCall) -> MisbehaviourPlan | None:
        """Find the rules that apply to a request; None when there are none."""
        magic_numbers = magic.find(call.numbers) if call.submits else ()
        if not self._rules and not magic_numbers:
            return None
        plan = MisbehaviourPlan()
        any_applies = False
        for rule in self._matching(gateway, call, magic_numbers):
            kind = KINDS[rule.what]
            if kind != "reports" and getattr(plan, kind) is not None:
                continue
            if rule.applies(call.at, self._random):
                any_applies = True
                if kind == "reports":
                    plan.reports.append(rule)
                else:
                    setattr(plan, kind, rule)
        return plan if any_applies else None

    def _matching(
        self, gateway: str, call: GatewayCall, magic_numbers: Iterable[str]
    ) -> Iterable[MisbehaviourRule]:
        """Return the rules that match, then a rule for each magic number."""
        for rule in self._rules:
            if rule.matches(gateway, call):
                yield rule
        for msisdn in magic_numbers:
            what, args = magic.MEANINGS[magic.behaviour_code(msisdn)]
            yield MisbehaviourRule(what, numbers=(msisdn,), args=dict(args))


def parse_rule(fields: Mapping[str, Any]) -> MisbehaviourRule:
    """Read a rule from JSON; raises `ValueError` or `TypeError` naming the key that is wrong."""
    _check_types(fields, _RULE_FIELDS, "a rule")
    what = fields.get("what")
    if what not in KINDS:
        msg = f"no rule is called {what!r}; there are {', '.join(sorted(KINDS))}"
        raise ValueError(msg)
    _check_types(fields.get("args", {}), arguments.types_of(what), f"{what} in its args")
    values = dict(fields)
    if "numbers" in values:
        values["numbers"] = tuple(map(str, values["numbers"]))
    return MisbehaviourRule(**values)


def _check_types(
    fields: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], owner: str
) -> None:
    """Raise `ValueError` for a field that `owner` does not have, `TypeError` for a wrong type."""
    for name, value in fields.items():
        if name not in known:
            msg = f"{owner} has no {name!r}; it has {', '.join(known) or 'nothing'}"
            raise ValueError(msg)
        if not isinstance(value, known[name]):
            kinds = " or ".join(kind.__name__ for kind in known[name])
            msg = f"{owner}, {name!r} is {kinds} in Python's words, not {value!r}"
            raise TypeError(msg)
