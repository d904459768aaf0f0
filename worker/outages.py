"""Tell of a server that is away by few lines: when it begins, one a minute, and when it is back.

Each process tells for itself. Whatever asks the server says how it went; nothing else has to log
that the server was away.
"""

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

#: The least time between two lines about one server, in seconds.
LINE_INTERVAL = 60.0


class Outage:
    """What this process knows of a server: whether it is away, and since when."""

    def __init__(
        self,
        log_away: Callable[..., object],
        log_back: Callable[..., object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log_away = log_away
        self._log_back = log_back
        self._clock = clock
        self._lock = threading.Lock()
        self._began: float | None = None
        self._told_at: float | None = None
        self._failures = 0
        self._is_told = False

    @property
    def is_away(self) -> bool:
        """Whether the last that was heard of the server was a failure."""
        return self._began is not None

    def failed(self, why: str) -> None:
        """Note that the server did not do what it was asked; `why` holds no secret."""
        with self._lock:
            now = self._clock()
            if self._began is None:
                self._began = now
            self._failures += 1
            if self._told_at is not None and now - self._told_at < LINE_INTERVAL:
                return
            self._told_at, self._is_told = now, True
            failures, self._failures = self._failures, 0
            seconds = now - self._began
        self._log_away(why=why, times=failures, seconds=round(seconds, 1))

    def answered(self) -> None:
        """Note that the server answers."""
        if self._began is None:
            return
        with self._lock:
            if self._began is None:
                return
            seconds = self._clock() - self._began
            is_told, self._is_told, self._began = self._is_told, False, None
        if is_told:
            self._log_back(seconds=round(seconds, 1))


#: The database, as every transaction finds it.
DATABASE = Outage(
    lambda **fields: log.warning("database.away", **fields),
    lambda **fields: log.info("database.back", **fields),
)
#: The broker, as doorbells and Celery find it.
BROKER = Outage(
    lambda **fields: log.warning("broker.away", **fields),
    lambda **fields: log.info("broker.back", **fields),
)
