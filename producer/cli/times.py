"""Times as they are written on the command line: without a zone they are in Asia/Shanghai."""

import re
from datetime import UTC, datetime, time, timedelta

import typer

from producer.cli.output import SHANGHAI

_CLOCK = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?")
_HOW = 'write "2026-11-22 08:00", "08:00" or "+10m"; without a zone it is Asia/Shanghai'
_HOW_BEFORE = 'write "2026-11-22 08:00", "2026-11-22", "08:00" or "2h"'


def ahead(text: str | None, option: str, at: datetime | None = None) -> datetime | None:
    """Read a time to come: a date and a time, the next such time of day, or `+10m`.

    Raises `typer.BadParameter`, naming `option`, for what is no time or is over.
    """
    if text is None:
        return None
    at = at or datetime.now(UTC)
    word = text.strip()
    if word.startswith("+"):
        return at + _span(word[1:], option, _HOW)
    found = _of_day(word, at, option)
    if found is not None:
        return found if found > at else found + timedelta(days=1)
    found = _absolute(word, option, _HOW)
    if found <= at:
        msg = f"{option}: {word} is over"
        raise typer.BadParameter(msg)
    return found


def before(text: str | None, option: str, at: datetime | None = None) -> datetime | None:
    """Read a time gone by: a date, a date and a time, the last such time of day, or `2h`."""
    if text is None:
        return None
    at = at or datetime.now(UTC)
    word = text.strip()
    if re.fullmatch(r"-?[\d.]+\s*[a-z]+", word):
        return at - _span(word.removeprefix("-"), option, _HOW_BEFORE)
    found = _of_day(word, at, option)
    if found is not None:
        return found if found <= at else found - timedelta(days=1)
    return _absolute(word, option, _HOW_BEFORE)


def _span(word: str, option: str, how: str) -> timedelta:
    from worker.domain import durations

    try:
        return timedelta(seconds=durations.parse(word))
    except ValueError:
        msg = f"{option}: {how}"
        raise typer.BadParameter(msg) from None


def _of_day(word: str, at: datetime, option: str) -> datetime | None:
    """Return a time of day on the day that it is in Shanghai; None when it is written otherwise."""
    match = _CLOCK.fullmatch(word)
    if match is None:
        return None
    try:
        hour, minute, second = (int(part or 0) for part in match.groups())
        clock = time(hour, minute, second)
    except ValueError:
        msg = f"{option}: {word} is no time of day"
        raise typer.BadParameter(msg) from None
    return datetime.combine(at.astimezone(SHANGHAI).date(), clock, SHANGHAI)


def _absolute(word: str, option: str, how: str) -> datetime:
    try:
        found = datetime.fromisoformat(word)
    except ValueError:
        msg = f"{option}: {how}"
        raise typer.BadParameter(msg) from None
    return found if found.tzinfo else found.replace(tzinfo=SHANGHAI)
