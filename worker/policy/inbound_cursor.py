"""Decide which hour of inbound messages to read next, by a cursor that is stored. Pure.

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
#: An hour counts as closed this long after its end, because late entries may still come in.
CLOSING_DELAY = timedelta(minutes=10)
#: How far back is read again when nobody knows which hours were read in truth.
REREAD_HOURS = 48


@dataclass(frozen=True, slots=True)
class InboundCursor:
    """How far the reading has come. `since` is the first hour that has to be read."""

    since: datetime
    #: The hours from `since` on that were read after they had closed.
    read_hours: frozenset[datetime] = frozenset()
    #: Whether the last read was of the hour that ran then.
    last_was_current: bool = False
    #: When the gateway was asked last, whatever came of it.
    asked_at: datetime | None = None


def next_hour(cursor: InboundCursor, at: datetime) -> datetime:
    """Return the start of the hour to read at `at`."""
    closed_hours = unread_hours(cursor, at)
    return closed_hours[0] if closed_hours and cursor.last_was_current else _hour_start(at)


def unread_hours(cursor: InboundCursor, at: datetime) -> list[datetime]:
    """Return the closed hours that were not read since they closed, the newest first."""
    hour = _hour_start(at - CLOSING_DELAY) - HOUR
    unread = []
    while hour >= cursor.since:
        if hour not in cursor.read_hours:
            unread.append(hour)
        hour -= HOUR
    return unread


def after_asking(cursor: InboundCursor, at: datetime) -> InboundCursor:
    """Return the cursor after the gateway was asked, whatever comes of it."""
    return replace(cursor, asked_at=at)


def after_reading(cursor: InboundCursor, hour: datetime, at: datetime) -> InboundCursor:
    """Return the cursor after `hour` was read, and its page stored, at `at`."""
    closed = hour + HOUR + CLOSING_DELAY <= at
    read_hours = cursor.read_hours | {hour} if closed else cursor.read_hours
    since = cursor.since
    while since in read_hours:
        read_hours -= {since}
        since += HOUR
    return replace(
        cursor, since=since, read_hours=read_hours, last_was_current=not closed, asked_at=at
    )


def seconds_until_read(cursor: InboundCursor, spacing: float, at: datetime) -> float:
    """Return the seconds until the next read is allowed; 0 when it is now."""
    if cursor.asked_at is None:
        return 0.0
    return max(0.0, spacing - (at - cursor.asked_at).total_seconds())


def cut_back(cursor: InboundCursor, at: datetime) -> InboundCursor:
    """Return the cursor without what cannot have happened by `at`: a clock was ahead, or went back.

    Then no hour counts as read, since nobody knows which of them had closed: reading one again
    changes nothing. The gateway is asked again after its spacing.
    """
    hours = [hour for hour in cursor.read_hours if hour + HOUR + CLOSING_DELAY > at]
    is_ahead = cursor.since > _hour_start(at)
    if not (hours or is_ahead or (cursor.asked_at is not None and cursor.asked_at > at)):
        return cursor
    since = _hour_start(at) - REREAD_HOURS * HOUR if is_ahead else cursor.since
    asked_at = None if cursor.asked_at is None else min(cursor.asked_at, at)
    return InboundCursor(since, asked_at=asked_at)


def load(stored: Mapping[str, Any], at: datetime) -> InboundCursor:
    """Read a cursor from the database; a new account begins with the hour before this one."""
    if not stored:
        return InboundCursor(_hour_start(at) - HOUR)
    return InboundCursor(
        datetime.fromisoformat(stored["since"]),
        frozenset(map(datetime.fromisoformat, stored["done"])),
        stored["was_current"],
        stored["last"] and datetime.fromisoformat(stored["last"]),
    )


def dump(cursor: InboundCursor) -> dict[str, Any]:
    """Return the cursor as it is stored."""
    return {
        "since": cursor.since.isoformat(),
        "done": sorted(hour.isoformat() for hour in cursor.read_hours),
        "was_current": cursor.last_was_current,
        "last": cursor.asked_at and cursor.asked_at.isoformat(),
    }


def _hour_start(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
