"""Decides when a callback event that was not taken is sent again. Pure."""

from collections.abc import Callable

from worker.feedback.callback_client import PostResult
from worker.store.feedback.callback_turns import CallbackEvent

#: An event that is older is not sent again.
RETRY_FOR_SECONDS = 24 * 3600.0


#: The pauses between tries double from the first to the longest.
FIRST_PAUSE_SECONDS = 5.0


LONGEST_PAUSE_SECONDS = 3600.0


def pause(answer: PostResult, event: CallbackEvent, draw: Callable[[], float]) -> float | None:
    """Return the seconds until an event is sent again: 0 when it was taken, None to park it.

    5xx, 408, 425, 429 and a POST without an answer are tried again for a day; any other answer than
    2xx is parked at once, because it would be the same again. `draw` returns a random number from
    0 to 1, by which the pauses are spread.
    """
    status = answer.status
    if status is not None and 200 <= status < 300:
        return 0.0
    may_change = status is None or status >= 500 or status in {408, 425, 429}
    if not may_change or event.age >= RETRY_FOR_SECONDS:
        return None
    doubled = FIRST_PAUSE_SECONDS * 2.0 ** min(event.attempts - 1, 20)
    spread = min(LONGEST_PAUSE_SECONDS, doubled) * (0.75 + 0.5 * draw())
    return max(spread, min(answer.retry_after or 0.0, LONGEST_PAUSE_SECONDS))
