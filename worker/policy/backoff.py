"""When to try again: a pure policy.

Whatever was provably not taken is tried again until its validity ends; there is no other limit,
because giving up early would lose a message that could still go. What may have been taken is never
tried again here.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from worker.domain.enums import Advice, Outcome
from worker.gateways.results import Result

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: The first pause in seconds, doubled with each counted attempt up to the longest.
FIRST = 1.0
LONGEST = 600.0

#: Outcomes after which the messages go back, because the gateway has none of them.
BACK = frozenset({Outcome.DEFERRED, Outcome.THROTTLED, Outcome.ACCOUNT_HELD, Outcome.NOT_SENT})
#: Those of them that count as an attempt.
COUNTED = frozenset({Outcome.DEFERRED, Outcome.NOT_SENT})


def pause(result: Result, attempts: int, at: datetime, draw: Callable[[], float]) -> float:
    """Return the seconds to wait before the next try of messages that go back.

    `attempts` counts the tries so far, this one included; `draw` gives a number in [0, 1) and
    spreads the tries, so that what failed together does not come back together.
    """
    if result.advice is Advice.RECIPIENT_SECOND:
        return 1.0 + 0.1 * draw()
    if result.advice is Advice.RECIPIENT_DAY:
        return _until_tomorrow(at) + 60.0 * draw()
    if result.outcome is Outcome.ACCOUNT_HELD:
        return 0.0
    if result.advice is Advice.ONCE_MORE and attempts <= 1:
        return 0.0
    if result.outcome is Outcome.THROTTLED:
        return 0.5 + draw()
    longest = min(LONGEST, FIRST * 2.0 ** min(attempts - 1, 30))
    return longest * (0.5 + 0.5 * draw())


def _until_tomorrow(at: datetime) -> float:
    today = at.astimezone(SHANGHAI)
    tomorrow = (today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (tomorrow - today).total_seconds()
