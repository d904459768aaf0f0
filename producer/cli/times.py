"""Parse times as they are written on the command line; without a zone they are in Asia/Shanghai."""

import re
from datetime import UTC, datetime, time, timedelta

import typer

from worker.domain.timezone import SHANGHAI

_TIME_OF_DAY = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?")
FUTURE_FORMS = 'write "2026-11-22 08:00", "08:00" or "+10m"; without a zone it is Asia/Shanghai'
PAST_FORMS = 'write "2026-11-22 08:00", "2026-11-22", "08:00" or "2h"'


def parse_future(text: str | None, option: str, now: datetime | None = None) -> datetime | None:
    """Read a future time: a date and a time, the next such time of day, or `+10m`.

    Raises `typer.BadParameter`, naming `option`, for what is no time or is past.
    """
    if text is None:
        return None
    now = now or datetime.now(UTC)
    trimmed = text.strip()
    if trimmed.startswith("+"):
        return now + _parse_duration(trimmed[1:], option, FUTURE_FORMS)
    moment = _parse_time_of_day(trimmed, now, option)
    if moment is not None:
        return moment if moment > now else moment + timedelta(days=1)
    moment = _parse_iso(trimmed, option, FUTURE_FORMS)
    if moment <= now:
        msg = f"{option}: {trimmed} is over"
        raise typer.BadParameter(msg)
    return moment


def parse_past(text: str | None, option: str, now: datetime | None = None) -> datetime | None:
    """Read a past time: a date, a date and a time, the last such time of day, or `2h` ago.

    Raises `typer.BadParameter`, naming `option`, for what is no time.
    """
    if text is None:
        return None
    now = now or datetime.now(UTC)
    trimmed = text.strip()
    if re.fullmatch(r"-?[\d.]+\s*[a-z]+", trimmed):
        return now - _parse_duration(trimmed.removeprefix("-"), option, PAST_FORMS)
    moment = _parse_time_of_day(trimmed, now, option)
    if moment is not None:
        return moment if moment <= now else moment - timedelta(days=1)
    return _parse_iso(trimmed, option, PAST_FORMS)


def _parse_duration(duration: str, option: str, accepted_forms: str) -> timedelta:
    """Read `10m` or `2h`."""
    from worker.domain import durations

    try:
        return timedelta(seconds=durations.parse(duration))
    except ValueError:
        msg = f"{option}: {accepted_forms}"
        raise typer.BadParameter(msg) from None


def _parse_time_of_day(clock_time: str, now: datetime, option: str) -> datetime | None:
    """Read `8:00` or `08:00:30` as that time today in Shanghai; None for any other form."""
    match = _TIME_OF_DAY.fullmatch(clock_time)
    if match is None:
        return None
    try:
        hour, minute, second = (int(digits or 0) for digits in match.groups())
        time_of_day = time(hour, minute, second)
    except ValueError:
        msg = f"{option}: {clock_time} is no time of day"
        raise typer.BadParameter(msg) from None
    return datetime.combine(now.astimezone(SHANGHAI).date(), time_of_day, SHANGHAI)


def _parse_iso(iso_time: str, option: str, accepted_forms: str) -> datetime:
    """Read a date, or a date and a time, in the form of ISO 8601 with a `T` or a space."""
    try:
        moment = datetime.fromisoformat(iso_time)
    except ValueError:
        msg = f"{option}: {accepted_forms}"
        raise typer.BadParameter(msg) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
