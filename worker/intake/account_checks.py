"""Check which accounts could carry a request, and whether they may do so in its time."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from worker.config.settings import Settings
from worker.domain.enums import MessageClass, NumberKind
from worker.domain.errors import Problem
from worker.domain.texts.findings import Findings
from worker.domain.timezone import SHANGHAI
from worker.gateways.base import Account, Content
from worker.intake.template_forms import Forms
from worker.policy import eligibility

#: How many accounts are named with their hours.
_MAX_NAMED = 3
_DAY = timedelta(days=1)
_DAY_SECONDS = _DAY.total_seconds()


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


class _Carriers:
    """The accounts that come into question for a content; each is asked once if it can carry it."""

    def __init__(
        self, accounts: Sequence[Account], problems_of: Callable[[Account], list[Problem]]
    ) -> None:
        self.accounts = accounts
        self._problems_of = problems_of
        self._problems: dict[str, list[Problem]] = {}

    def problems(self, account: Account) -> list[Problem]:
        """Return why an account cannot carry it; [] when it can."""
        problems = self._problems.get(account.name)
        if problems is None:
            problems = self._problems_of(account)
            self._problems[account.name] = problems
        return problems

    def any_is_able(self) -> bool:
        """Tell whether one of them can carry it."""
        for account in self.accounts:  # noqa: SIM110 - for each call: a generator is slower
            if not self.problems(account):
                return True
        return False


def account_findings(
    settings: Settings,
    request: _TimedRequest,
    content: Content,
    kinds: set[NumberKind],
    at: datetime | None = None,
    forms: Forms | None = None,
) -> Findings:
    """Return why no account can carry a request, or none in its time, as looked at now, or `at`.

    `forms` are how accounts can send the registered template that it names.
    """
    name = request.account
    if name is not None and name not in settings.accounts:
        names = ", ".join(settings.accounts) or "none is configured"
        return _refusal("account", f"there is no {name!r}; the accounts are: {names}")
    message_class = request.message_class
    candidates = eligibility.candidates(settings.accounts.values(), message_class, name)
    if not candidates:
        reason = f"no account serves {message_class}; name one, or add it to an account's classes"
        return _refusal("message_class", reason)
    if forms is None:
        carriers = _Carriers(
            candidates, lambda account: eligibility.problems(account, content, kinds, message_class)
        )
    else:
        candidates = forms.accounts
        carriers = _Carriers(
            candidates, lambda account: forms.account_problems(account, forms.shared_values)
        )
    if not carriers.any_is_able():
        problems = [problem for account in candidates for problem in carriers.problems(account)]
        return Findings(list(dict.fromkeys(problems)), [])
    if message_class is MessageClass.MARKETING:
        return _window_findings(settings, request, carriers, at)
    return Findings([], [])


def _window_findings(
    settings: Settings,
    request: _TimedRequest,
    carriers: _Carriers,
    at: datetime | None,
) -> Findings:
    """Return what is wrong with the time in which marketing may be sent: it would expire unsent.

    A window that lies outside of the sending hours of every account that could carry it is refused
    where the request alone says so. Where that depends on when it is looked at, it is a warning: a
    call that is repeated with its key has to be answered as it was the first time.
    """
    valid_seconds = settings.valid_seconds(request.message_class)
    if request.not_before is request.not_after is None and valid_seconds >= _DAY_SECONDS:
        return Findings([], [])
    now = at or datetime.now(UTC)
    begin = request.not_before or now
    end = request.not_after or begin + timedelta(seconds=valid_seconds)
    if end - max(begin, now) >= _DAY:
        return Findings([], [])
    if request.not_before and _is_outside(carriers, begin, end):
        return _refusal("not_before", _outside(carriers, begin, end))
    if begin <= now and _is_outside(carriers, now, end):
        return Findings([], [Problem("not_after", _outside(carriers, now, end))])
    return Findings([], [])


def _refusal(where: str, what: str) -> Findings:
    return Findings([Problem(where, what)], [])


def _is_outside(carriers: _Carriers, begin: datetime, end: datetime) -> bool:
    """Tell whether none of those that are able may send marketing between two times."""
    seconds = (end - begin).total_seconds()
    return seconds > 0 and not any(
        eligibility.seconds_until_open(account, begin) < seconds and not carriers.problems(account)
        for account in carriers.accounts
    )


def _outside(carriers: _Carriers, begin: datetime, end: datetime) -> str:
    """Say that a window lies outside of the hours of those that are able, which it names."""
    accounts = [account for account in carriers.accounts if not carriers.problems(account)]
    hours = [f"{account.name} {account.settings.sending_hours}" for account in accounts]
    named = ", ".join(hours[:_MAX_NAMED]) + (" and others" if len(hours) > _MAX_NAMED else "")
    return (
        f"from {_local(begin)} to {_local(end)} no account may send advertising (sending hours in"
        f" Asia/Shanghai: {named}), and it would expire unsent; move the window"
    )


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
