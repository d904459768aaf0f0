"""Gates: misbehaviours before anything is taken, and refusals of any kind.

A gate sees a call that a rule applies to, and either answers it or returns None, which lets the
gateway's side answer as its document says.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from worker.sandbox.exchange import Answer, Call
from worker.sandbox.side import Side
from worker.sandbox.texts import decoded, segments

if TYPE_CHECKING:
    from worker.sandbox.rules import Rule

Gate = Callable[["Rule", Call, Side], Answer | None]


def _refuse(rule: "Rule", call: Call, side: Side) -> Answer:
    """Refuse with a given code, body or HTTP status."""
    args = rule.args
    answer = side.refuse(call, str(args.get("code", side.words["refuse"])))
    if "body" in args:
        answer.body = str(args["body"]).encode(str(args.get("charset", "utf-8")))
    answer.status = int(args.get("status", 200))
    return answer


def _as(what: str) -> Gate:
    """Refuse with the gateway's own word for this."""
    return lambda _rule, call, side: side.refuse_as(call, what)


def _throttled(rule: "Rule", call: Call, side: Side) -> Answer:
    """Say "too fast": by the gateway's own code if it has one, else by HTTP."""
    if "throttle" in side.words and "status" not in rule.args:
        return side.refuse(call, str(rule.args.get("code", side.words["throttle"])))
    pause = ("Retry-After", str(math.ceil(rule.args.get("retry_after", 1))))
    status = int(rule.args.get("status", 429))
    return Answer(str(status), b"too many requests", status=status, headers=(pause,))


def _throttle(rule: "Rule", call: Call, side: Side) -> Answer | None:
    """Let `rate` times `window` through in any window: of requests, messages or segments."""
    window = float(rule.args.get("window", 1.0))
    allowed = float(rule.args.get("rate", 10)) * window
    cost = _cost(call, str(rule.args.get("unit", "requests")))
    seen = _recent(rule, call, window)
    if sum(entry[1] for entry in seen) + cost > allowed:
        return _throttled(rule, call, side)
    seen.append((call.at, cost))
    return None


def _cost(call: Call, unit: str) -> int:
    if unit == "requests":
        return 1
    if unit == "messages":
        return len(call.numbers)
    raw = call.fields.get("content", call.fields.get("msg", b""))
    text = decoded(raw, "utf-8") or decoded(raw, "gbk") or ""
    return len(call.numbers) * segments(text)


def _recent(rule: "Rule", call: Call, window: float) -> deque[tuple[float, int]]:
    """Return what this account was let through with in the last window."""
    seen: deque[tuple[float, int]] = rule.memory.setdefault(call.account, deque())
    while seen and seen[0][0] <= call.at - window:
        seen.popleft()
    return seen


def _too_many_singles(rule: "Rule", call: Call, side: Side) -> Answer | None:
    """Forbid more than `n` submissions of one number within the window (c123: 110)."""
    if len(call.numbers) != 1:
        return None
    seen = _recent(rule, call, float(rule.args.get("window", 60.0)))
    if len(seen) >= int(rule.args.get("n", 10)):
        return side.refuse_as(call, "too_many_singles")
    seen.append((call.at, 1))
    return None


def _take_others(rule: "Rule", call: Call, side: Side) -> Answer:
    """Take all numbers but the bad ones, and answer as the gateway does then."""
    others = [msisdn for msisdn in call.numbers if not rule.covers(msisdn)]
    if not others:
        return side.refuse_as(call, "take_others")
    honest = side.answer(replace(call, numbers=others))
    return honest if honest.taken is None else side.took_others(call, honest)


GATES: Mapping[str, Gate] = {
    "refuse": _refuse,
    "auth_fail": _as("auth_fail"),
    "no_funds": _as("no_funds"),
    "frozen": _as("frozen"),
    "locked": _as("locked"),
    "blacklisted": _as("blacklisted"),
    "refuse_number": _as("refuse_number"),
    "take_others": _take_others,
    "throttle": _throttle,
    "throttled": _throttled,
    "too_many_singles": _too_many_singles,
}


def answer(rule: "Rule", call: Call, side: Side) -> Answer | None:
    """Let a rule's gate answer a call; a gate by the wire's name answers nothing that is read."""
    gate = GATES.get(rule.what)
    if gate is not None:
        return gate(rule, call, side)
    if rule.what == "redirect" and rule.args.get("taken"):
        return None
    refused = side.refuse_as(call, "refuse")
    refused.code = "-"
    return refused
