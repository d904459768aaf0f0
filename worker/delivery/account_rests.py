"""Remember, for one lane, the accounts that give it no permit for a moment."""

import time
from collections.abc import Mapping

#: Rests up to this are kept in memory and written nowhere, in seconds.
MAX_REMEMBERED_REST = 1.0


class AccountRests:
    """The accounts that give a lane no permit for a moment; remembered here, written nowhere."""

    def __init__(self) -> None:
        #: On the monotonic clock.
        self._until: dict[str, float] = {}

    def note(self, rests: Mapping[str, float]) -> None:
        """Remember for how many seconds accounts rest."""
        now = time.monotonic()
        self._until |= {
            account_name: now + min(rest, MAX_REMEMBERED_REST)
            for account_name, rest in rests.items()
        }

    def remaining(self) -> dict[str, float]:
        """Return the accounts that rest still, and for how many seconds."""
        now = time.monotonic()
        self._until = {
            account_name: until for account_name, until in self._until.items() if until > now
        }
        return {account_name: until - now for account_name, until in self._until.items()}
