"""What would become of an order, without storing it: who could carry it, and what is billed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.config.settings import Settings
from worker.domain import msisdn as numbers
from worker.domain import segments
from worker.domain.errors import Problem, Refused
from worker.gateways.base import Account
from worker.intake import enqueue
from worker.intake.enqueue import EnqueueRequest
from worker.policy import routing
from worker.store.accounts import AccountState


@dataclass(frozen=True, slots=True)
class Carrier:
    """An account that may be asked: what its bill counts, and why it cannot carry the order."""

    account: Account
    segments: int
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Preview:
    """What `send` would say: the messages it would make, or every problem."""

    messages: int
    carriers: Sequence[Carrier]
    problems: Sequence[Problem]

    def as_json(self, states: Mapping[str, AccountState]) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "messages": self.messages,
            "problems": [{"where": one.where, "what": one.what} for one in self.problems],
            "accounts": [_carrier(one, states) for one in self.carriers],
        }


def preview(settings: Settings, order: EnqueueRequest) -> Preview:
    """Check an order as `send` does, and look at each account that may be asked."""
    problems: Sequence[Problem] = ()
    messages = 0
    try:
        messages = len(enqueue.check(settings, order).msisdns)
    except Refused as refused:
        problems = refused.problems
    content = enqueue.content_of(order, [])
    kinds = {kind for kind in map(_kind, order.to) if kind}
    asked = routing.candidates(settings.accounts.values(), order.message_class, order.account)
    asked.sort(key=lambda one: -one.settings.priority)
    carriers = [
        Carrier(
            one,
            segments.count(one.gateway.body(content), one.settings.added_signature),
            routing.problems(one, content, kinds),
        )
        for one in asked
    ]
    return Preview(messages, carriers, problems)


def _kind(number: str) -> Any:
    try:
        return numbers.kind(numbers.normalise(number))
    except ValueError:
        return None


def _carrier(one: Carrier, states: Mapping[str, AccountState]) -> dict[str, Any]:
    state = states.get(one.account.name)
    return {
        "name": one.account.name,
        "gateway": one.account.gateway.name,
        "segments": one.segments,
        "held": bool(state and state.held),
        "problems": [problem.what for problem in one.problems],
    }
