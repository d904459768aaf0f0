"""Logs an event that may come a thousand times a second, once in some seconds."""

from time import monotonic
from typing import Any

import structlog

log = structlog.get_logger()

#: Seconds from one line to the next.
INTERVAL_SECONDS = 10.0


class SparseLog:
    """Logs one event as a warning with its count; strangers cannot fill the disk by it."""

    def __init__(self, event: str, **fields: Any) -> None:
        self._event, self._fields = event, fields
        self._count = 0
        self._next_at = 0.0

    def warn(self) -> None:
        """Count the event; write a line if the last one was long enough ago."""
        self._count += 1
        now = monotonic()
        if now >= self._next_at:
            log.warning(self._event, times=self._count, **self._fields)
            self._count, self._next_at = 0, now + INTERVAL_SECONDS
