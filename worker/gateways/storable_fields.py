"""Fits single values of gateways to the columns that hold them.

Words and texts are cut. Names (ids, references, extensions, numbers) are kept whole or left out:
one that was cut would be another one.
"""

import math
from datetime import UTC, datetime, timedelta

from worker.gateways.formats.values import make_storable

# The lengths of the columns, in characters; a test compares them with the schema.
MAX_CODE = 64
MAX_WORDS = 200
MAX_ID = 64
MAX_MSISDN = 16
MAX_EXTENSION = 20
MAX_SERVICE_NUMBER = 32
#: The longest text of a handset that is kept; carriers join at most 255 parts of 67 characters.
MAX_TEXT = 20_000
#: Gateways' times outside of these years are none.
YEARS = range(1990, 2101)
#: No zone on Earth is so far from UTC; PostgreSQL takes less than 16 hours.
MAX_OFFSET = timedelta(hours=15)
#: The longest hold or pause in seconds that is heeded as it was given.
MAX_SECONDS = 366 * 86400.0
#: Counts beyond this, up or down, are no counts.
MAX_COUNT = 10**18
#: The most damaged rows that are told of one page.
MAX_DAMAGED = 10**9


def count(number: int | None) -> int | None:
    """Return a count; None for one that no counter can have."""
    return None if number is None or abs(number) > MAX_COUNT else number


def cut(text: str, length: int) -> str:
    """Return a text as databases store it, cut to a length."""
    return make_storable(text[: 2 * length])[:length]


def name(text: str | None, length: int) -> str | None:
    """Return a name unchanged; None for one that is empty, too long, or not storable."""
    if not text or len(text) > length or make_storable(text) != text:
        return None
    return text


def seconds(span: float | None) -> float | None:
    """Return a span of time between nothing and `MAX_SECONDS`; None for one that is no number."""
    if span is None:
        return None
    bounded = min(max(span, 0.0), MAX_SECONDS)
    return None if math.isnan(bounded) else bounded


def time(moment: datetime | None) -> datetime | None:
    """Return a moment; None for one without a zone, or that no clock can have shown.

    One whose zone is further from UTC than PostgreSQL takes is written in UTC.
    """
    offset = moment.utcoffset() if moment else None
    if moment is None or offset is None or moment.year not in YEARS:
        return None
    return moment if abs(offset) < MAX_OFFSET else moment.astimezone(UTC)
