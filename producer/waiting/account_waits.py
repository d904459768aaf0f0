"""Finds why each account that could carry something does not take it now."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from producer.waiting.account_words import doubt_words, hold_words
from producer.waiting.wait_reasons import WaitCause, WaitKind
from worker.config.settings import Settings
from worker.delivery.claim import begin_claim
from worker.policy.eligibility import AccountOption, Exclusion, RoutingQuery
from worker.store import accounts

if TYPE_CHECKING:
    from worker.delivery.account_choice import AccountSelector
    from worker.store.accounts import AccountState


def reasons(connection: Connection, settings: Settings, query: RoutingQuery) -> list[WaitCause]:
    """Return why each account of a class takes nothing of it; none when one of them takes it."""
    selector = begin_claim(connection, settings, query.message_class, "").selector
    states = accounts.states(connection, settings.logins)
    causes: list[WaitCause] = []
    for option in selector.options(query):
        if _takes(option, selector):
            return []
        if option.exclusion is not Exclusion.CLASS:
            causes.append(_reason(option, selector, states.get(option.account.name)))
    return causes or [WaitCause(WaitKind.NO_ACCOUNT)]


def _takes(option: AccountOption, selector: "AccountSelector") -> bool:
    """Tell whether an account takes something now, or as soon as a slot is free."""
    if option.exclusion is Exclusion.DOUBT:
        return selector.may_probe(option.account.name)
    return option.exclusion in {None, Exclusion.FULL, Exclusion.TRIED}


def _reason(
    option: AccountOption, selector: "AccountSelector", state: "AccountState | None"
) -> WaitCause:
    name = option.account.name
    if option.exclusion is Exclusion.DOUBT:
        why = doubt_words(unproven=selector.doubts[name].unproven)
        return WaitCause(WaitKind.DOUBT, name, state.probe_at if state else None, why)
    if option.exclusion is Exclusion.HOURS:
        begin = datetime.now(UTC) + timedelta(seconds=option.wait_seconds)
        return WaitCause(WaitKind.HOURS, name, begin)
    if option.exclusion is Exclusion.HELD:
        why = hold_words(state) if state else ""
        until = state.held_until if state else None
        return WaitCause(WaitKind.HELD, name, until, why, "`xinshi accounts`")
    problems = "; ".join(problem.what for problem in option.problems)
    return WaitCause(WaitKind.CANNOT, name, why=problems)
