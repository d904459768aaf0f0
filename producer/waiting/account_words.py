"""Says why an account is held or doubtful."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.store.accounts import AccountState


def hold_words(state: "AccountState") -> str:
    """Say why an account is held: the gateway's code and words."""
    return " ".join(filter(None, [state.held_code, state.held_why]))


def doubt_words(*, unproven: bool) -> str:
    """Say why an account is doubtful."""
    return "its login was not accepted yet" if unproven else "its last calls ended in doubt"
