"""Gates: misbehaviours before a gateway takes anything, and refusals of any kind.

A gate is given a call that a rule applies to. It answers the call, or returns None, which lets the
gateway's side answer as its document says.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from worker.sandbox.exchange import GatewayCall, SandboxAnswer
from worker.sandbox.rule import MisbehaviourRule
from worker.sandbox.side import Side
from worker.sandbox.texts import decode, segment_count

Gate = Callable[[MisbehaviourRule, GatewayCall, Side], SandboxAnswer | None]


def _refuse(rule: MisbehaviourRule, call: GatewayCall, side: Side) -> SandboxAnswer:
    """Refuse with a given code, body or HTTP status."""
    args = rule.args
    answer = side.refuse(call, str(args.get("code", side.refusal_codes["refuse"])))
    if "body" in args:
        answer.body = str(args["body"]).encode(str(args.get("charset", "utf-8")))
    answer.status = int(args.get("status", 200))
    return answer


def _refusal_gate(what: str) -> Gate:
    """Return a gate that refuses with the gateway's own word for `what`."""
    return lambda _rule, call, side: side.refuse_for(call, what)


def _throttled(rule: MisbehaviourRule, call: GatewayCall, side: Side) -> SandboxAnswer:
    """Say "too fast": by the gateway's own code if it has one, else by HTTP."""
    if "throttle" in side.refusal_codes and "status" not in rule.args:
        return side.refuse(call, str(rule.args.get("code", side.refusal_codes["throttle"])))
    headers = (("Retry-After", str(math.ceil(rule.args.get("retry_after", 1)))),)
    status = int(rule.args.get("status", 429))
    return SandboxAnswer(str(status), b"too many requests", status=status, headers=headers)


def _throttle(rule: MisbehaviourRule, call: GatewayCall, side: Side) -> SandboxAnswer | None:
    """Let `rate` times `window` requests, messages or segments through in any window."""
    window = float(rule.args.get("window", 1.0))
    allowed = float(rule.args.get("rate", 10)) * window
    cost = _cost(call, str(rule.args.get("unit", "requests")))
    recent_costs = _recent_costs(rule, call, window)
    if sum(past_cost for _, past_cost in recent_costs) + cost > allowed:
        return _throttled(rule, call, side)
    recent_costs.append((call.at, cost))
    return None


def _cost(call: GatewayCall, unit: str) -> int:
    """Return how many `unit`s the call asks for."""
    if unit == "requests":
        return 1
    if unit == "messages":
        return len(call.numbers)
    raw = call.fields.get("content", call.fields.get("msg", b""))
    text = decode(raw, "utf-8") or decode(raw, "gbk") or ""
    return len(call.numbers) * segment_count(text)


def _recent_costs(
    rule: MisbehaviourRule, call: GatewayCall, window: float
) -> deque[tuple[float, int]]:
    """Return the times and costs of the account's calls that passed in the last window."""
    recent_costs: deque[tuple[float, int]] = rule.memory.setdefault(call.account, deque())
    while recent_costs and recent_costs[0][0] <= call.at - window:
        recent_costs.popleft()
    return recent_costs


def _too_many_singles(
    rule: MisbehaviourRule, call: GatewayCall, side: Side
) -> SandboxAnswer | None:
    """Forbid more than `n` submissions of one number within the window (c123: 110)."""
    if len(call.numbers) != 1:
        return None
    recent_costs = _recent_costs(rule, call, float(rule.args.get("window", 60.0)))
    if len(recent_costs) >= int(rule.args.get("n", 10)):
        return side.refuse_for(call, "too_many_singles")
    recent_costs.append((call.at, 1))
    return None


def _take_others(rule: MisbehaviourRule, call: GatewayCall, side: Side) -> SandboxAnswer:
    """Take all numbers but the bad ones, and answer as the gateway does then."""
    good_numbers = [msisdn for msisdn in call.numbers if not rule.covers(msisdn)]
    if not good_numbers:
        return side.refuse_for(call, "take_others")
    honest_answer = side.answer(replace(call, numbers=good_numbers))
    if honest_answer.submission is None:
        return honest_answer
    return side.answer_for_others(call, honest_answer)


#: The gates by a rule's `what`.
GATES: Mapping[str, Gate] = {
    "refuse": _refuse,
    "auth_fail": _refusal_gate("auth_fail"),
    "no_funds": _refusal_gate("no_funds"),
    "frozen": _refusal_gate("frozen"),
    "locked": _refusal_gate("locked"),
    "blacklisted": _refusal_gate("blacklisted"),
    "refuse_number": _refusal_gate("refuse_number"),
    "take_others": _take_others,
    "throttle": _throttle,
    "throttled": _throttled,
    "too_many_singles": _too_many_singles,
}


def answer(rule: MisbehaviourRule, call: GatewayCall, side: Side) -> SandboxAnswer | None:
    """Let a rule's gate answer a call; for `not_taken_…` and `redirect` return what stands in.

    Of that answer nothing is read: the wire of the same name writes something else.
    """
    gate = GATES.get(rule.what)
    if gate is not None:
        return gate(rule, call, side)
    if rule.what == "redirect" and rule.args.get("taken"):
        return None
    refusal = side.refuse_for(call, "refuse")
    refusal.code = "-"
    return refusal
