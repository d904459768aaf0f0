"""Which account carries what: pure functions over accounts, content and numbers."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from worker.domain import segments
from worker.domain.enums import Carrier, MessageClass, NumberKind
from worker.domain.errors import Problem
from worker.gateways.base import Account, Content
from worker.policy.account_health import WELL, Health
from worker.policy.backoff import SHANGHAI


def candidates(
    accounts: Iterable[Account], message_class: MessageClass, named: str | None
) -> list[Account]:
    """Return the accounts that may be asked at all: the named one, else those of the class."""
    return [one for one in accounts if _may_be_asked(one, message_class, named)]


def _may_be_asked(account: Account, message_class: MessageClass, named: str | None) -> bool:
    return account.name == named if named else account.settings.serves(message_class)


def problems(account: Account, content: Content, kinds: Collection[NumberKind]) -> list[Problem]:
    """Say why an account cannot carry a content to numbers of these kinds; [] when it can."""
    can = account.gateway.capabilities
    found = account.gateway.problems(content)
    body = account.gateway.body(content)
    found += [
        Problem("to", f"{account.name} takes no {kind} numbers") for kind in set(kinds) - can.kinds
    ]
    unsayable = _unsayable(body, can.charset)
    if "\0" in body or any("\0" in value for value in content.variables.values()):
        found.append(Problem("text", "holds a NUL character; remove it"))
    elif unsayable:
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


#: A part of a place is a place for that part of so many seconds.
TURN = 10.0


@dataclass(frozen=True, slots=True)
class RoutingQuery:
    """What has to be carried, as far as it decides which account does."""

    message_class: MessageClass
    content: Content
    kinds: Collection[NumberKind]
    #: When, aware: marketing has hours.
    at: datetime
    #: The account that its sender named.
    named: str | None = None
    #: Whether it is a single message.
    single: bool = False
    #: The carrier of a single message's number, where that is known.
    carrier: Carrier | None = None
    #: The account that may have it already: only if there is no other.
    rather_not: str | None = None


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """How an account stands now, beyond its settings."""

    held: bool = False
    #: Whether a probe has to come before batches, and before single messages too.
    no_batches: bool = False
    no_singles: bool = False
    health: Health = WELL
    #: How many submissions of the class may begin there now, and how many may be under way.
    free: int = 1
    places: int = 1


class Exclusion(StrEnum):
    """Why an account is not asked now; the first that applies."""

    #: It is not for this class, or another account was named.
    CLASS = "class"
    #: It can never carry this: `Option.because` says why.
    CANNOT = "cannot"
    HELD = "held"
    #: Marketing waits for its sending hours.
    HOURS = "hours"
    #: It waits for a probe.
    DOUBT = "doubt"
    #: It may have the message already, and there is another.
    TRIED = "tried"
    #: It has no place or no permit for a moment, or none beyond its share.
    FULL = "full"


@dataclass(frozen=True, slots=True)
class AccountOption:
    """An account as one of those that might carry something."""

    account: Account
    #: The share of its traffic that its health leaves it.
    share: float = 1.0
    out: Exclusion | None = None
    because: Sequence[Problem] = ()
    #: Seconds until its hours begin, where these keep it out.
    wait: float = 0.0
    #: How many submissions may begin there now.
    places: int = 0
    #: How probable it is that it is chosen.
    chance: float = 0.0


def explain(
    accounts: Collection[Account], asked: RoutingQuery, stands: Callable[[str], AccountStatus]
) -> list[AccountOption]:
    """Say of each account whether it may be asked now, and with what chance it is chosen.

    The chances of those that may be asked sum up to 1.
    """
    standing = {one.name: stands(one.name) for one in accounts}
    found = [_option(one, asked, standing[one.name]) for one in accounts]
    sure = [one for one in found if one.out is None]
    if not sure:
        return found
    another = any(one.account.name != asked.rather_not for one in sure)
    places = _all_places(sure, standing, asked.at)
    tried = asked.rather_not if another else None
    free = [one for one in sure if places[one.account.name] > 0 and one.account.name != tried]
    chances = weigh(free)
    return [one if one.out is not None else _placed(one, tried, places, chances) for one in found]


def _option(account: Account, asked: RoutingQuery, standing: AccountStatus) -> AccountOption:
    """Look at one account alone."""
    share = standing.health.of(asked.carrier)
    if not _may_be_asked(account, asked.message_class, asked.named):
        return AccountOption(account, share, Exclusion.CLASS)
    because = problems(account, asked.content, asked.kinds)
    if because:
        return AccountOption(account, share, Exclusion.CANNOT, because)
    if standing.held:
        return AccountOption(account, share, Exclusion.HELD)
    marketing = asked.message_class is MessageClass.MARKETING
    wait = until_open(account, asked.at) if marketing else 0.0
    if wait > 0:
        return AccountOption(account, share, Exclusion.HOURS, wait=wait)
    doubted = standing.no_singles if asked.single else standing.no_batches
    return AccountOption(account, share, Exclusion.DOUBT if doubted else None)


def _placed(
    one: AccountOption, tried: str | None, places: Mapping[str, int], chances: Mapping[str, float]
) -> AccountOption:
    """Look at one that could take it, beside the others."""
    name = one.account.name
    out = Exclusion.TRIED if name == tried else Exclusion.FULL if places[name] <= 0 else None
    chance = chances.get(name, 0.0)
    return AccountOption(one.account, one.share, out, places=max(0, places[name]), chance=chance)


def _all_places(
    sure: Collection[AccountOption], standing: Mapping[str, AccountStatus], at: datetime
) -> dict[str, int]:
    """How many submissions may begin at each: no more than its share beside the best of them.

    While one of the best has room, the others have a place at least, and are rarely drawn. When
    none has, what they cannot take flows over: then a part of a place is a place for that part of
    the time.
    """
    best = max(one.share for one in sure)
    free = {one.account.name: standing[one.account.name].free for one in sure}
    over = all(free[one.account.name] <= 0 for one in sure if one.share == best)
    for one in sure:
        if one.share < best:
            here = standing[one.account.name]
            whole, part = divmod(here.places * one.share / best, 1.0)
            turn = at.timestamp() % TURN < part * TURN
            most = int(whole) + turn if over else max(1, int(whole))
            free[one.account.name] = min(here.free, most - (here.places - here.free))
    return free


def weigh(free: Collection[AccountOption]) -> dict[str, float]:
    """Return the chance of each account: the highest priority first, among equals by weight.

    Weights count times the share that health leaves. What a priority loses because all of its
    accounts fail goes to the next one; they sum up to 1 unless there is no account.
    """
    if len(free) == 1:
        return {one.account.name: 1.0 for one in free}
    chances: dict[str, float] = {}
    left = 1.0
    for priority in sorted({one.account.settings.priority for one in free}, reverse=True):
        level = [one for one in free if one.account.settings.priority == priority]
        kept = left * max(one.share for one in level)
        weights = {one.account.name: one.account.settings.weight * one.share for one in level}
        total = sum(weights.values())
        chances |= {name: kept * weight / total for name, weight in weights.items()}
        left -= kept
    whole = sum(chances.values())
    return {name: chance / whole for name, chance in chances.items() if chance > 0}


def pick(options: Iterable[AccountOption], draw: Callable[[], float]) -> AccountOption | None:
    """Draw one of those that may be asked, by their chances; None when there is none.

    `draw` gives a number in [0, 1).
    """
    free = [one for one in options if one.chance > 0]
    mark = draw() if len(free) > 1 else 0.0
    for one in free:
        mark -= one.chance
        if mark < 0:
            return one
    return free[-1] if free else None


def trace(options: Iterable[AccountOption]) -> dict[str, Any] | None:
    """Return why an account was chosen, compactly; None when only one could have carried it."""
    able = [one for one in options if one.out not in {Exclusion.CLASS, Exclusion.CANNOT}]
    if len(able) < 2:
        return None
    said: dict[str, Any] = {
        "chances": {one.account.name: round(one.chance, 3) for one in able if one.out is None}
    }
    shares = {one.account.name: one.share for one in able if one.share < 1.0}
    out = {one.account.name: one.out.value for one in able if one.out is not None}
    return said | ({"shares": shares} if shares else {}) | ({"out": out} if out else {})


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
