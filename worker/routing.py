"""Which account carries what: pure functions over accounts, content and numbers."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta

from worker import segments
from worker.errors import Problem
from worker.gateway import Account, Content
from worker.retry import SHANGHAI
from worker.terms import MessageClass, NumberKind


def candidates(
    accounts: Iterable[Account], message_class: MessageClass, named: str | None
) -> list[Account]:
    """Return the accounts that may be asked at all: the named one, else those of the class."""
    return [
        account
        for account in accounts
        if (account.name == named if named else account.settings.serves(message_class))
    ]


def problems(account: Account, content: Content, kinds: Collection[NumberKind]) -> list[Problem]:
    """Say why an account cannot carry a content to numbers of these kinds; [] when it can."""
    can = account.gateway.capabilities
    found = account.gateway.problems(content)
    body = account.gateway.body(content)
    found += [
        Problem("to", f"{account.name} takes no {kind} numbers") for kind in set(kinds) - can.kinds
    ]
    unsayable = _unsayable(body, can.charset)
    if unsayable:
        found.append(Problem("text", f"{account.name} cannot say {unsayable} in {can.charset}"))
    elif not can.emoji and any(ord(char) > 0xFFFF for char in body):
        odd = next(char for char in body if ord(char) > 0xFFFF)
        found.append(Problem("text", f"{account.name} takes no emoji ({_named(odd)})"))
    if can.longest is not None and segments.length(body) > can.longest:
        found.append(
            Problem(
                "text",
                f"{account.name} takes {can.longest} characters and this is"
                f" {segments.length(body)}; shorten it",
            )
        )
    return found


def choose(
    able: Sequence[Account], draw: Callable[[], float], avoid: Collection[str] = ()
) -> Account | None:
    """Choose among accounts that can: the highest priority, shared by weight; None if none is left.

    `avoid` names accounts that take nothing now; `draw` gives a number in [0, 1).
    """
    free = [account for account in able if account.name not in avoid]
    if not free:
        return None
    top = max(account.settings.priority for account in free)
    first = [account for account in free if account.settings.priority == top]
    if len(first) == 1:
        return first[0]
    mark = draw() * sum(account.settings.weight for account in first)
    for account in first:
        mark -= account.settings.weight
        if mark < 0:
            return account
    return first[-1]


def until_open(account: Account, at: datetime) -> float:
    """Return the seconds until marketing may be sent through an account; 0 when it may be now."""
    here = at.astimezone(SHANGHAI)
    hours = account.settings.sending_hours
    if hours.holds(here.time()):
        return 0.0
    opening = here.replace(
        hour=hours.start.hour, minute=hours.start.minute, second=0, microsecond=0
    )
    if opening <= here:
        opening += timedelta(days=1)
    return (opening - here).total_seconds()


def _unsayable(text: str, charset: str) -> str | None:
    try:
        text.encode(charset)
    except UnicodeEncodeError as error:
        return _named(text[error.start])
    return None


def _named(char: str) -> str:
    return f"“{char}” (U+{ord(char):04X})"
