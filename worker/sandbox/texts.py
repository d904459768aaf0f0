"""Measures texts as carriers do: charset, length, segments, emoji; and converts Beijing time.

Segments: up to 70 characters are one, a longer text is cut every 67; a character beyond the basic
plane counts as two UTF-16 units (carriers' rule, gateways.md §5). Written here once more, since
the sandbox shares nothing with the program that it tests.
"""

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

BEIJING = timezone(timedelta(hours=8))


@lru_cache(maxsize=4096)
def decode(raw: bytes, charset: str) -> str | None:
    """Decode strictly, or return None where the bytes are not of that charset."""
    try:
        return raw.decode(charset)
    except UnicodeDecodeError:
        return None


def utf16_units(text: str) -> int:
    """Count the UTF-16 units of a text."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def segment_count(text: str) -> int:
    """Count the billed parts of a text."""
    unit_count = utf16_units(text)
    return 1 if unit_count <= 70 else -(-unit_count // 67)


_EMOJI = re.compile("[\U00010000-\U0010ffff\ufe0f]")


def has_emoji(text: str) -> bool:
    """Tell whether the text holds a pictograph: beyond the basic plane, or with its selector."""
    return _EMOJI.search(text) is not None


def format_beijing(at: float, time_format: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write a moment in Beijing time."""
    return datetime.fromtimestamp(at, BEIJING).strftime(time_format)


def beijing_day_number(at: float) -> int:
    """Number the days in Beijing: two moments of one day there have the same number."""
    return int(at + 8 * 3600) // 86400


def parse_beijing(text: str, time_format: str) -> float | None:
    """Read a moment in Beijing time, or return None where it is not written so."""
    try:
        return datetime.strptime(text, time_format).replace(tzinfo=BEIJING).timestamp()
    except ValueError:
        return None
