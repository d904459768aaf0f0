"""Counts events that may come a thousand times a second, for a log that is written now and then."""

from time import monotonic

#: Seconds from one line of the log to the next.
INTERVAL_SECONDS = 10.0


class EventCounter:
    """Counts one kind of event, so that strangers who cause it cannot fill the disk by the log."""

    def __init__(self) -> None:
        self._count = 0
        self._next_line_at = 0.0

    def add(self) -> int:
        """Count an event; return how many there were since the last line if one is due, else 0."""
        self._count += 1
        now = monotonic()
        if now < self._next_line_at:
            return 0
        count, self._count = self._count, 0
        self._next_line_at = now + INTERVAL_SECONDS
        return count
