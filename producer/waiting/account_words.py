"""Says why an account is held, doubtful, left out by routing, or given less than its full share."""

from typing import TYPE_CHECKING

from producer.waiting.wait_reasons import WaitCause, WaitKind

if TYPE_CHECKING:
    from worker.domain.enums import MessageClass
    from worker.policy.eligibility import AccountOption
    from worker.store.accounts import AccountState


def hold_words(state: "AccountState") -> str:
    """Say why an account is held: the gateway's code and words."""
    return " ".join(filter(None, [state.held_code, state.held_why]))


def doubt_words(*, unproven: bool) -> str:
    """Say why an account is doubtful."""
    return "its login was not accepted yet" if unproven else "its last calls ended in doubt"


def probe_words(*, unproven: bool, probe: bool) -> str:
    """Say why an account is doubtful, and whether the next submission is its probe."""
    reason = doubt_words(unproven=unproven)
    if probe:
        return f"{reason}: the next one is its probe"
    return WaitCause(WaitKind.DOUBT, why=reason).sentence()


def exclusion_words(
    option: "AccountOption",
    message_class: "MessageClass",
    named_account: str | None,
    state: "AccountState | None",
) -> str:
    """Say why an account is not asked; of one that is asked, why it gets less than all.

    `named_account` is the account that the request names, if it names one.
    """
    from worker.policy import eligibility
    from worker.policy.eligibility import Exclusion

    reduction = state.health.reason if state and option.share < 1.0 else ""
    reasons = {
        Exclusion.CLASS: eligibility.candidacy_problem(message_class, named_account),
        Exclusion.CANNOT: "; ".join(problem.what for problem in option.problems),
        Exclusion.HELD: f"held: {hold_words(state)}" if state else "held",
        Exclusion.HOURS: f"its sending hours begin in {_hours_and_minutes(option.wait_seconds)}",
        Exclusion.FULL: "; ".join(filter(None, ["as much is under way as may be", reduction])),
    }
    return reasons.get(option.exclusion, reduction) if option.exclusion else reduction


def _hours_and_minutes(seconds: float) -> str:
    """Write seconds as hours and minutes, rounded up to the next minute: `2 h 5 min`, `7 min`."""
    minutes = int(seconds // 60) + 1
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
