"""Say which state of a signature or a binding follows which, and when reports pause a binding."""

from collections.abc import Collection
from datetime import datetime, timedelta

from worker.domain.enums import RegistrationState

#: So many reports within `UNREGISTERED_WITHIN` that call a binding unregistered pause it.
UNREGISTERED_REPORTS = 3
UNREGISTERED_WITHIN = timedelta(minutes=10)
#: The longest reason that is kept, in characters.
MAX_REASON_LENGTH = 200


def sources(state: RegistrationState) -> list[RegistrationState]:
    """Return the states from which a move leads to `state`: any other.

    Whoever moves it knows its vendor's word for it; only a new one is a draft.
    """
    return [source for source in RegistrationState if source is not state]


def count_unregistered(earlier_ms: Collection[int] | None, at: datetime) -> tuple[list[int], bool]:
    """Add a report that calls a binding unregistered to the earlier ones; tell if they are enough.

    Times are kept in milliseconds since 1970, in order, and none that lies more than ten minutes
    before the last. Reports may come in any order.
    """
    at_ms = int(at.timestamp() * 1000)
    times = sorted([*(earlier_ms or ()), at_ms])
    begin = times[-1] - int(UNREGISTERED_WITHIN.total_seconds() * 1000)
    kept = [time for time in times if time >= begin]
    return kept, len(kept) >= UNREGISTERED_REPORTS


def state_words(state: RegistrationState, why: str | None) -> str:
    """Return a state as people read it, with its reason where there is one."""
    return f"{state.value}: {why}" if why else state.value


def kept_reason(why: str | None) -> str | None:
    """Return as much of a reason as is kept; None where there is none."""
    return why[:MAX_REASON_LENGTH] if why else None
