"""Reads values as gateways write them: charsets, words, counts, times, numbers. Never raises.

Whatever comes out can be stored: it holds neither NULs nor halves of surrogate pairs. A "word" is a
code or an id; "words" are a sentence that the gateway says beside it.
"""

import math
import re
from datetime import datetime
from functools import lru_cache

from worker.domain.msisdn import mask, normalise
from worker.domain.timezone import SHANGHAI

#: The longest that a code or an id may be; the longest known has 36 characters.
MAX_WORD_LENGTH = 64
#: The longest that a gateway's words may be before they are cut, in characters.
MAX_WORDS_LENGTH = 200

_BOM = b"\xef\xbb\xbf"
#: How Python says that only the last character is damaged: a part of it is missing.
_CUT_CHARACTER = {"unexpected end of data", "incomplete multibyte sequence"}
_BLANKS = " \t\r\n\v\f\u00a0\u200b\u3000\ufeff"
_TIME = re.compile(
    r"(\d{4})[-/](\d\d?)[-/](\d\d?)[ T](\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?", re.ASCII
)
_WHOLE_NUMBER = re.compile(r"([+-]?\d{1,18})(?:\.\d*)?", re.ASCII)
_MASKED = re.compile(r"\d{1,7}\*{2,}\d{0,8}", re.ASCII)
_LONG_DIGITS = re.compile(r"\d{10,}", re.ASCII)


def decode(raw: bytes, *charsets: str) -> str:
    """Decode by the first of `charsets` that fits; if none does, by the first, with U+FFFD.

    A byte order mark is left out and puts UTF-8 first: pages that emit one are not always UTF-8.
    A text that is cut off within a character has the charset in which all before it is written.
    """
    candidates = ("utf-8", *charsets) if raw.startswith(_BOM) else charsets
    raw = raw.removeprefix(_BOM).replace(b"\0", b"")
    cut_in = ""
    for charset in candidates:
        try:
            return raw.decode(charset)
        except UnicodeDecodeError as error:
            if error.reason not in _CUT_CHARACTER:
                continue
            if charset == "utf-8" and not raw[: error.start].isascii():
                # Nothing else is UTF-8 by chance; GBK would read most of it as other characters.
                return raw.decode(charset, "replace")
            cut_in = cut_in or charset
    return raw.decode(cut_in or charsets[0], "replace")


def strip_blanks(text: str) -> str:
    """Strip blanks, line breaks and byte order marks from both ends of an answer."""
    return text.strip(_BLANKS)


def make_storable(text: str) -> str:
    """Leave out NULs and put U+FFFD for halves of surrogate pairs, which no database stores."""
    text = text.replace("\0", "")
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def tidy_words(value: object) -> str:
    """Return a gateway's words on one line, cut to `MAX_WORDS_LENGTH`, phone numbers masked."""
    text = value if isinstance(value, str) else read_word(value)
    line = " ".join(make_storable(text[: 8 * MAX_WORDS_LENGTH]).split())
    line = "".join(char for char in line if char.isprintable())
    return _LONG_DIGITS.sub(lambda digits: mask(digits[0]), line)[:MAX_WORDS_LENGTH]


def read_word(value: object) -> str:
    """Read a code or an id as text, from a string or a number; `""` for anything else.

    What is longer than `MAX_WORD_LENGTH` is cut to one more: an id that was cut is seen to be none.
    A number that has lost digits on its way (a large one with a point) is no id.
    """
    match value:
        case str() if len(value) <= MAX_WORD_LENGTH and value.isascii() and value.isprintable():
            # Nearly all are such: nothing has to be cleaned.
            return value.strip(" ")
        case bool():
            text = str(value).lower()
        case float() if abs(value) >= 2**53 or not value.is_integer():
            return ""
        case float():
            text = str(int(value))
        case str() | int():
            text = str(value)
        case _:
            return ""
    return strip_blanks(make_storable(text[: 2 * MAX_WORD_LENGTH]))[: MAX_WORD_LENGTH + 1]


def read_text(value: object) -> str | None:
    """Read a text that a person wrote, unchanged but for `make_storable`; None if there is none."""
    if isinstance(value, str):
        return make_storable(value)
    return read_word(value) or None


def read_count(value: object) -> int | None:
    """Read a count from a number or its text, cut to a whole number; None when it is neither."""
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, int | float):
        return int(value) if abs(value) < 10**18 else None
    match = _WHOLE_NUMBER.fullmatch(strip_blanks(value)) if isinstance(value, str) else None
    return int(match[1]) if match else None


def read_time(value: object) -> datetime | None:
    """Read a time of Beijing, aware; None when it is no time.

    Takes `YYYY-MM-DD HH:MM[:SS[.f]]`, with `/` or `T` too. All gateways here are in
    Asia/Shanghai (document 001, section 4; the others by their country).
    """
    return _parse_time(value) if isinstance(value, str) else None


@lru_cache(maxsize=1024)
def _parse_time(text: str) -> datetime | None:
    """Read a time from text; cached, since few different times stand in one page."""
    match = _TIME.fullmatch(strip_blanks(text))
    if match is None or not 1990 <= int(match[1]) <= 2100:
        return None
    fraction = int((match[7] or "0").ljust(6, "0"))
    parts = [int(part or 0) for part in match.groups()[:6]]
    try:
        return datetime(*parts[:6], microsecond=fraction, tzinfo=SHANGHAI)  # type: ignore[arg-type, misc]
    except ValueError:
        return None


def read_msisdn(value: object) -> str | None:
    """Read an MSISDN in the form that is stored, a masked one unchanged; None when unreadable.

    Document 003 prints masked numbers in its samples (`135****9831`).
    """
    text = read_word(value)
    if _MASKED.fullmatch(text):
        return text
    try:
        return normalise(text)
    except ValueError:
        return None
