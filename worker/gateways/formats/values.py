"""Reading what gateways write: charsets, words, counts, times and numbers. Nothing here raises.

Whatever comes out can be stored: it holds neither NULs nor halves of surrogate pairs.
"""

import math
import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from worker.domain.msisdn import mask, normalise

#: What every gateway here means by a time (document 001, section 4; the others by their country).
BEIJING = ZoneInfo("Asia/Shanghai")

#: The longest that a code or an id may be before it is cut; the longest known has 36 characters.
LONGEST_WORD = 64
#: The longest that a gateway's words may be before they are cut.
LONGEST_WORDS = 200

_BOM = b"\xef\xbb\xbf"
_EDGES = " \t\r\n\v\f\u00a0\u200b\u3000\ufeff"
_TIME = re.compile(
    r"(\d{4})[-/](\d\d?)[-/](\d\d?)[ T](\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?", re.ASCII
)
_WHOLE = re.compile(r"([+-]?\d{1,18})(?:\.\d*)?", re.ASCII)
_MASKED = re.compile(r"\d{1,7}\*{2,}\d{0,8}", re.ASCII)
_LONG_DIGITS = re.compile(r"\d{10,}", re.ASCII)


def decoded(raw: bytes, *charsets: str) -> str:
    """Decode by the first of `charsets` that fits; else by the first with U+FFFD for what does not.

    A byte order mark is left out and puts UTF-8 first: pages that emit one are not always UTF-8.
    """
    tried = ("utf-8", *charsets) if raw.startswith(_BOM) else charsets
    raw = raw.removeprefix(_BOM).replace(b"\0", b"")
    for charset in tried:
        try:
            return raw.decode(charset)
        except UnicodeDecodeError:
            continue
    return raw.decode(charsets[0], "replace")


def bare(text: str) -> str:
    """Strip the blanks, line breaks and byte order marks around an answer."""
    return text.strip(_EDGES)


def clean(text: str) -> str:
    """Leave out NULs and put U+FFFD for halves of surrogate pairs, which no database stores."""
    text = text.replace("\0", "")
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def tidy(value: object) -> str:
    """Return a gateway's words on one line, cut to `LONGEST_WORDS`, whole numbers masked."""
    text = value if isinstance(value, str) else word(value)
    line = " ".join(clean(text[: 8 * LONGEST_WORDS]).split())
    line = "".join(char for char in line if char.isprintable())
    return _LONG_DIGITS.sub(lambda digits: mask(digits[0]), line)[:LONGEST_WORDS]


def word(value: object) -> str:
    """Return a code or an id as text, whether the gateway wrote a string or a number; else `""`.

    A number that has lost digits on its way (a large one with a point) is no id.
    """
    match value:
        case str() if len(value) <= LONGEST_WORD and value.isascii() and value.isprintable():
            # As nearly all are: nothing has to be cleaned.
            return value.strip(" ")
        case bool():
            written = str(value).lower()
        case float() if abs(value) >= 2**53 or not value.is_integer():
            return ""
        case float():
            written = str(int(value))
        case str() | int():
            written = str(value)
        case _:
            return ""
    return bare(clean(written[: 2 * LONGEST_WORD]))[:LONGEST_WORD]


def said(value: object) -> str | None:
    """Return what a person wrote, as it is; None where there is no text."""
    if isinstance(value, str):
        return clean(value)
    return word(value) or None


def whole(value: object) -> int | None:
    """Return a count, cut to a whole number, from a number or its text; None when it is neither."""
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, int | float):
        return int(value) if abs(value) < 10**18 else None
    match = _WHOLE.fullmatch(bare(value)) if isinstance(value, str) else None
    return int(match[1]) if match else None


def beijing(value: object) -> datetime | None:
    """Return a time of Beijing, aware, or None when it is no time.

    Takes `YYYY-MM-DD HH:MM[:SS[.f]]`, with `/` or `T` too.
    """
    return _beijing(value) if isinstance(value, str) else None


@lru_cache(maxsize=1024)
def _beijing(written: str) -> datetime | None:
    """Read a time; those of one page are few."""
    match = _TIME.fullmatch(bare(written))
    if match is None or not 1990 <= int(match[1]) <= 2100:
        return None
    fraction = int((match[7] or "0").ljust(6, "0"))
    parts = [int(part or 0) for part in match.groups()[:6]]
    try:
        return datetime(*parts[:6], microsecond=fraction, tzinfo=BEIJING)  # type: ignore[arg-type, misc]
    except ValueError:
        return None


def number(value: object) -> str | None:
    """Return a number in the form that is stored, a masked one as it is, None when unreadable.

    Document 003 prints masked numbers in its samples (`135****9831`).
    """
    written = word(value)
    if _MASKED.fullmatch(written):
        return written
    try:
        return normalise(written)
    except ValueError:
        return None
