"""Which hour of inbound messages to read next: a pure policy over a durable cursor.

For gateways that keep inbound messages by the hour and let an hour be read again, but allow a read
only now and then (every 10 minutes, says document 001, section 5). Each hour is read once more
after it has closed, so that a crash or an outage loses none; the newest closed hour comes first,
and at least every second read is of the hour that runs, so that replies come in fresh.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

HOUR = timedelta(hours=1)
#: An hour counts as closed this long after its end: a late entry may still come in.
SETTLED = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the reading has come. `since` is the first hour that is ours to read."""

    since: datetime
    #: Hours from `since` on that were read after they had closed.
    done: frozenset[datetime] = frozenset()
    #: True when the last read was of the hour that ran then.
    was_current: bool = False
    last: datetime | None = None


def next_hour(cursor: Cursor, at: datetime) -> datetime:
    """Return the start of the hour to read at `at`."""
    current = _start(at)
    waiting = unread(cursor, at)
    return waiting[0] if waiting and cursor.was_current else current


def unread(cursor: Cursor, at: datetime) -> list[datetime]:
    """Return the closed hours that were not read since they closed, the newest first."""
    hour = _start(at - SETTLED) - HOUR
    found = []
    while hour >= cursor.since:
        if hour not in cursor.done:
            found.append(hour)
        hour -= HOUR
    return found


def asked(cursor: Cursor, at: datetime) -> Cursor:
    """Return the cursor after the gateway was asked, whatever comes of it."""
    return replace(cursor, last=at)


def read(cursor: Cursor, hour: datetime, at: datetime) -> Cursor:
    """Return the cursor after `hour` was read, and its page stored, at `at`."""
    closed = hour + HOUR + SETTLED <= at
    done = cursor.done | {hour} if closed else cursor.done
    since = cursor.since
    while since in done:
        done -= {since}
        since += HOUR
    return replace(cursor, since=since, done=done, was_current=not closed, last=at)


def wait(cursor: Cursor, spacing: float, at: datetime) -> float:
    """Return the seconds until the next read is allowed; 0 when it is now."""
    if cursor.last is None:
        return 0.0
    return max(0.0, spacing - (at - cursor.last).total_seconds())


def load(stored: Mapping[str, Any], at: datetime) -> Cursor:
    """Read a cursor from the database; a new account begins with the hour before this one."""
    if not stored:
        return Cursor(_start(at) - HOUR)
    return Cursor(
        datetime.fromisoformat(stored["since"]),
        frozenset(map(datetime.fromisoformat, stored["done"])),
        stored["was_current"],
        stored["last"] and datetime.fromisoformat(stored["last"]),
    )


def dump(cursor: Cursor) -> dict[str, Any]:
    """Return the cursor as it is stored."""
    return {
        "since": cursor.since.isoformat(),
        "done": sorted(hour.isoformat() for hour in cursor.done),
        "was_current": cursor.was_current,
        "last": cursor.last and cursor.last.isoformat(),
    }


def _start(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
