"""Check which accounts could carry a request, and whether they may do so in its time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from worker.config.settings import Settings
from worker.domain.enums import MessageClass, NumberKind
from worker.domain.errors import Problem
from worker.domain.texts.findings import Findings
from worker.domain.timezone import SHANGHAI
from worker.gateways.base import Account, Content
from worker.policy import eligibility

#: How many accounts are named with their hours.
_MAX_NAMED = 3
_DAY = timedelta(days=1)


class _TimedRequest(Protocol):
    """A request, as far as its time and its accounts go."""

    @property
    def message_class(self) -> MessageClass: ...

    @property
    def account(self) -> str | None: ...

    @property
    def not_before(self) -> datetime | None: ...

    @property
    def not_after(self) -> datetime | None: ...


def account_problems(
    settings: Settings,
    message_class: MessageClass,
    account: str | None,
    content: Content,
    kinds: set[NumberKind],
) -> list[Problem]:
    """Return why no account can carry a content; [] when one can."""
    if account is not None and account not in settings.accounts:
        names = ", ".join(settings.accounts) or "none is configured"
        return [Problem("account", f"there is no {account!r}; the accounts are: {names}")]
    candidates = eligibility.candidates(settings.accounts.values(), message_class, account)
    if not candidates:
        reason = f"no account serves {message_class}; name one, or add it to an account's classes"
        return [Problem("message_class", reason)]
    all_problems: list[Problem] = []
    for candidate in candidates:
        problems = eligibility.problems(candidate, content, kinds, message_class)
        if not problems:
            return []
        all_problems += problems
    return list(dict.fromkeys(all_problems))


def window_findings(
    settings: Settings,
    request: _TimedRequest,
    content: Content,
    kinds: set[NumberKind],
    at: datetime | None = None,
) -> Findings:
    """Return what is wrong with the time in which marketing may be sent: it would expire unsent.

    A window that lies outside of the sending hours of every account that could carry it is refused
    where the request alone says so. Where that depends on when it is looked at (`at`), it is a
    warning: a call that is repeated with its key has to be answered as it was the first time.
    """
    if request.message_class is not MessageClass.MARKETING:
        return Findings([], [])
    valid_seconds = settings.valid_seconds(request.message_class)
    if request.not_before is request.not_after is None and valid_seconds >= _DAY.total_seconds():
        return Findings([], [])
    now = at or datetime.now(UTC)
    begin = request.not_before or now
    end = request.not_after or begin + timedelta(seconds=valid_seconds)
    if end - max(begin, now) >= _DAY:
        return Findings([], [])
    candidates = eligibility.candidates(
        settings.accounts.values(), request.message_class, request.account
    )
    carriers = [_Carrier(account, content, kinds, request.message_class) for account in candidates]
    if request.not_before and _is_outside(carriers, begin, end):
        return Findings([Problem("not_before", _outside(carriers, begin, end))], [])
    begin = max(begin, now)
    if _is_outside(carriers, begin, end):
        return Findings([], [Problem("not_after", _outside(carriers, begin, end))])
    return Findings([], [])


class _Carrier(NamedTuple):
    """An account, and what it would have to carry."""

    account: Account
    content: Content
    kinds: set[NumberKind]
    message_class: MessageClass

    @property
    def is_able(self) -> bool:
        """Whether it can carry it at all."""
        return not eligibility.problems(self.account, self.content, self.kinds, self.message_class)


def _is_outside(carriers: Sequence[_Carrier], begin: datetime, end: datetime) -> bool:
    """Tell whether none of those that are able may send marketing between two times."""
    seconds = (end - begin).total_seconds()
    return seconds > 0 and not any(
        eligibility.seconds_until_open(carrier.account, begin) < seconds and carrier.is_able
        for carrier in carriers
    )


def _outside(carriers: Sequence[_Carrier], begin: datetime, end: datetime) -> str:
    """Say that a window lies outside of the hours of those that are able, which it names."""
    accounts = [carrier.account for carrier in carriers if carrier.is_able]
    hours = [f"{account.name} {account.settings.sending_hours}" for account in accounts]
    named = ", ".join(hours[:_MAX_NAMED]) + (" and others" if len(hours) > _MAX_NAMED else "")
    return (
        f"from {_local(begin)} to {_local(end)} no account may send advertising (sending hours in"
        f" Asia/Shanghai: {named}), and it would expire unsent; move the window"
    )


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
