"""Check a request without storing it: which accounts could carry it, and what they would bill."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.config.settings import Settings
from worker.domain import msisdn, segments
from worker.domain.enums import NumberKind
from worker.domain.errors import Problem, Refused
from worker.gateways.base import Account
from worker.intake import enqueue
from worker.intake.enqueue import EnqueueRequest
from worker.policy import eligibility


@dataclass(frozen=True, slots=True)
class AccountPreview:
    """An account that serves the request: the segments it bills, and why it cannot carry it."""

    account: Account
    segments: int
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class SendPreview:
    """What sending would come to: the number of messages it would store, or every problem."""

    messages: int
    accounts: Sequence[AccountPreview]
    problems: Sequence[Problem]
    warnings: Sequence[Problem]


def preview_request(settings: Settings, request: EnqueueRequest) -> SendPreview:
    """Check a request as sending it does, and preview each account that serves it, by priority."""
    problems: Sequence[Problem] = ()
    messages = 0
    content = enqueue.render_content(request, [])
    try:
        checked = enqueue.check(settings, request)
        messages, warnings = len(checked.msisdns), checked.warnings
    except Refused as refused:
        problems = refused.problems
        warnings = enqueue.text_warnings(settings, request, content, [])
    number_kinds = {number_kind for number_kind in map(_number_kind, request.to) if number_kind}
    candidates = eligibility.candidates(
        settings.accounts.values(), request.message_class, request.account
    )
    candidates.sort(key=lambda account: -account.settings.priority)
    accounts = [
        AccountPreview(
            account,
            segments.count(account.gateway.body(content), account.settings.added_signature),
            eligibility.problems(account, content, number_kinds, request.message_class),
        )
        for account in candidates
    ]
    return SendPreview(messages, accounts, problems, warnings)


def _number_kind(number: str) -> NumberKind | None:
    """Return the kind of a number; None when it is no number."""
    try:
        return msisdn.kind(msisdn.normalise(number))
    except ValueError:
        return None
