"""Choose which account carries what: by priority, weight, health and free slots. Pure.

`worker.policy.eligibility` decides which accounts may be chosen from.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from worker.gateways.base import Account
from worker.policy.eligibility import AccountOption, AccountStatus, Exclusion, RoutingQuery, assess

#: A fraction of a slot is granted as a part of the time: 0.4 of a slot is a whole slot in the first
#: 0.4 of every so many seconds, and none in the rest of them.
TIME_SLICE = 10.0


def explain(
    accounts: Collection[Account], query: RoutingQuery, status_of: Callable[[str], AccountStatus]
) -> list[AccountOption]:
    """Return each account as an option: excluded and why, or with the chance that it is drawn.

    The chances of those that may be drawn sum up to 1.
    """
    statuses = {account.name: status_of(account.name) for account in accounts}
    options = [assess(account, query, statuses[account.name]) for account in accounts]
    eligible = [option for option in options if option.exclusion is None]
    if not eligible:
        return options
    has_untried = any(option.account.name != query.tried_account for option in eligible)
    avoided_account = query.tried_account if has_untried else None
    free_slots = _free_slots(eligible, statuses, query.at)
    drawable = [
        option
        for option in eligible
        if free_slots[option.account.name] > 0 and option.account.name != avoided_account
    ]
    chances = weigh(drawable)
    return [
        option
        if option.exclusion is not None
        else _beside_others(option, avoided_account, free_slots, chances)
        for option in options
    ]


def _beside_others(
    option: AccountOption,
    avoided_account: str | None,
    free_slots: Mapping[str, int],
    chances: Mapping[str, float],
) -> AccountOption:
    """Return an eligible option with its free slots and its chance, or excluded for the others."""
    name = option.account.name
    exclusion = None
    if name == avoided_account:
        exclusion = Exclusion.TRIED
    elif free_slots[name] <= 0:
        exclusion = Exclusion.FULL
    return AccountOption(
        option.account,
        option.share,
        exclusion,
        free_slots=max(0, free_slots[name]),
        chance=chances.get(name, 0.0),
    )


def _free_slots(
    eligible: Collection[AccountOption], statuses: Mapping[str, AccountStatus], at: datetime
) -> dict[str, int]:
    """Return how many submissions may begin at each account, by its health beside the best.

    The accounts with the best share may use all of their slots. Another one may use the part of its
    slots that its share is of the best share: at a share of 0.2 beside 1.0, 1.6 slots of 8. The
    count is below 0 where more is under way than that.
    """
    best_share = max(option.share for option in eligible)
    free_slots = {
        option.account.name: statuses[option.account.name].free_slots for option in eligible
    }
    best_are_full = all(
        free_slots[option.account.name] <= 0 for option in eligible if option.share == best_share
    )
    for option in eligible:
        if option.share < best_share:
            status = statuses[option.account.name]
            allowed_slots = _whole_slots(
                status.slots * option.share / best_share, at, overflowing=best_are_full
            )
            slots_in_use = status.slots - status.free_slots
            free_slots[option.account.name] = min(status.free_slots, allowed_slots - slots_in_use)
    return free_slots


def _whole_slots(slots: float, at: datetime, *, overflowing: bool) -> int:
    """Return how many whole slots a fractional number of them is worth now.

    While one of the best accounts has a free slot, the number is rounded down, but to 1 at the
    least: the account can be drawn, and is drawn rarely because its chance is small. When
    traffic is overflowing, because the best have no free slot, all of it comes here; so the
    fraction is granted by time, and on average the account gets neither more nor less than its
    share.
    """
    whole, fraction = divmod(slots, 1.0)
    if not overflowing:
        return max(1, int(whole))
    has_extra_slot = at.timestamp() % TIME_SLICE < fraction * TIME_SLICE
    return int(whole) + has_extra_slot


def weigh(options: Collection[AccountOption]) -> dict[str, float]:
    """Return the chance of each account: the highest priority first, among equals by weight.

    A weight counts times the share that health leaves the account. What a priority loses because
    all of its accounts fail goes to the next priority. The chances sum up to 1, unless there is no
    account.
    """
    if len(options) == 1:
        return {option.account.name: 1.0 for option in options}
    chances: dict[str, float] = {}
    unassigned = 1.0
    for priority in sorted({option.account.settings.priority for option in options}, reverse=True):
        equals = [option for option in options if option.account.settings.priority == priority]
        assigned = unassigned * max(option.share for option in equals)
        weights = {
            option.account.name: option.account.settings.weight * option.share for option in equals
        }
        total_weight = sum(weights.values())
        chances |= {name: assigned * weight / total_weight for name, weight in weights.items()}
        unassigned -= assigned
    total_chance = sum(chances.values())
    return {name: chance / total_chance for name, chance in chances.items() if chance > 0}


def pick(options: Iterable[AccountOption], draw: Callable[[], float]) -> AccountOption | None:
    """Draw one of the options by their chances; None when all of them are excluded.

    `draw` gives a number in [0, 1).
    """
    drawable = [option for option in options if option.chance > 0]
    remaining = draw() if len(drawable) > 1 else 0.0
    for option in drawable:
        remaining -= option.chance
        if remaining < 0:
            return option
    return drawable[-1] if drawable else None


def trace(options: Iterable[AccountOption]) -> dict[str, Any] | None:
    """Return why an account was chosen, as JSON; None when only one could have carried it."""
    capable = [
        option for option in options if option.exclusion not in {Exclusion.CLASS, Exclusion.CANNOT}
    ]
    if len(capable) < 2:
        return None
    chances = {
        option.account.name: round(option.chance, 3)
        for option in capable
        if option.exclusion is None
    }
    shares = {option.account.name: option.share for option in capable if option.share < 1.0}
    exclusions = {
        option.account.name: option.exclusion.value
        for option in capable
        if option.exclusion is not None
    }
    reasons: dict[str, Any] = {"chances": chances}
    if shares:
        reasons["shares"] = shares
    if exclusions:
        reasons["out"] = exclusions
    return reasons
