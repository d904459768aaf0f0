"""Read how long the ticks have been due, which shows whether any worker runs."""

from sqlalchemy import Connection

from worker.store import ticks

#: The tick that is looked at: each worker process runs all ticks in one thread.
TICK = "sweep"
#: A tick that has been due for more seconds than these says that no worker runs.
MAX_DELAY = 30.0


def read_delay(connection: Connection) -> float | None:
    """Return for how many seconds the tick has been due; None when no worker ever ran."""
    return ticks.late_seconds(connection, TICK)


def runs(connection: Connection) -> bool:
    """Tell whether a worker runs."""
    delay = read_delay(connection)
    return delay is not None and delay <= MAX_DELAY
