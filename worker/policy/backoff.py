"""Decide when messages that a gateway provably did not take are tried again. Pure.

They are tried until their validity ends; there is no other limit, because giving up early would
lose a message that could still go. What may have been taken is never tried again here.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from worker.domain.enums import Advice, Outcome
from worker.domain.timezone import SHANGHAI
from worker.gateways.results import Result

#: The first pause in seconds, which doubles with each counted attempt, and the longest one.
FIRST_PAUSE = 1.0
MAX_PAUSE = 600.0

#: Outcomes after which messages go back to the queue, because the gateway has none of them.
RETURNING_OUTCOMES = frozenset(
    {Outcome.DEFERRED, Outcome.THROTTLED, Outcome.ACCOUNT_HELD, Outcome.NOT_SENT}
)
#: Those of them that count as an attempt.
COUNTED_OUTCOMES = frozenset({Outcome.DEFERRED, Outcome.NOT_SENT})


def pause(result: Result, attempts: int, at: datetime, draw: Callable[[], float]) -> float:
    """Return the seconds to wait before messages that go back are tried again.

    `attempts` counts the attempts so far, this one included; `draw` gives a number in [0, 1) and
    spreads the tries, so that what failed together does not come back together.
    """
    if result.advice is Advice.RECIPIENT_UNTIL and result.wait is not None:
        return result.wait + min(60.0, 0.1 * result.wait) * draw()
    if result.advice is Advice.RECIPIENT_UNTIL:
        return _seconds_until_tomorrow(at) + 60.0 * draw()
    if result.outcome is Outcome.ACCOUNT_HELD:
        return 0.0
    if result.advice is Advice.ONCE_MORE and attempts <= 1:
        return 0.0
    if result.outcome is Outcome.THROTTLED:
        return 0.5 + draw()
    full_pause = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 30))
    return full_pause * (0.5 + 0.5 * draw())


def _seconds_until_tomorrow(at: datetime) -> float:
    """Return the seconds until the next day begins in Shanghai."""
    local_time = at.astimezone(SHANGHAI)
    midnight = (local_time + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - local_time).total_seconds()
