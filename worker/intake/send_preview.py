"""Check a request without storing it: which accounts could carry it, and what they would bill."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain import msisdn
from worker.domain.enums import NumberKind
from worker.domain.errors import Problem, Refused
from worker.gateways import contents
from worker.gateways.base import Account
from worker.intake import enqueue, template_choice, template_forms
from worker.intake.enqueue_request import EnqueueRequest
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


def preview_request(engine: Engine, settings: Settings, request: EnqueueRequest) -> SendPreview:
    """Check a request as sending it does, and preview each account that serves it, by priority."""
    problems: Sequence[Problem] = ()
    messages = 0
    registered = None
    try:
        registered = template_choice.look_up(engine, settings, request)
        checked = enqueue.check(settings, request, registered)
        messages, warnings = len(checked.msisdns), checked.warnings
    except Refused as refused:
        problems = refused.problems
    content = enqueue.render_content(request, [], registered)
    if problems:
        warnings = enqueue.text_warnings(settings, request, content, [])
    number_kinds = {number_kind for number_kind in map(_number_kind, request.to) if number_kind}
    candidates = eligibility.candidates(
        settings.accounts.values(), request.message_class, request.account
    )
    candidates.sort(key=lambda account: -account.settings.priority)
    query = template_forms.routing_query(
        registered, content, request.message_class, request.account, number_kinds
    )
    accounts = [
        AccountPreview(
            account,
            contents.segment_count(account, eligibility.sent_content(account, query)),
            eligibility.query_problems(account, query),
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
