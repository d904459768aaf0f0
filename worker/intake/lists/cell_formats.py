"""Write the numbers of a workbook's cells as text: exactly, and dates as dates.

ECMA-376, 18.8.30: the built-in formats, and codes of formats.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 37: "#,##0", 38: "#,##0",
    39: "#,##0.00", 40: "#,##0.00",
}  # fmt: skip
#: Dates, times, and both; 27 to 36 and 50 to 58 are Chinese dates.
_BUILT_IN_DATES = frozenset({*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)})
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]')
_DATE_LETTER = re.compile(r"[ymdhs]|上午|AM/PM", re.IGNORECASE)
_DAY_LETTER = re.compile(r"[yd]|m(?!in)", re.IGNORECASE)
_TIME_LETTER = re.compile(r"[hs]", re.IGNORECASE)
_FIXED = re.compile(r"(#,##)?(0+)(?:\.(0+))?(%)?")

Writer = Callable[[str], str]


def writer_of(format_id: int, code: str | None, *, from_1904: bool) -> Writer:
    """Return how numbers of a format are written; a format that is not known, as they are."""
    form = _LITERAL.sub("", (code or _BUILT_IN.get(format_id, "")).split(";")[0]).strip()
    if code is None and format_id in _BUILT_IN_DATES:
        return _date_writer(from_1904=from_1904)
    if _DATE_LETTER.search(form) and "general" not in form.casefold():
        if "[" in form:
            return plain
        return _date_writer(from_1904=from_1904)
    fixed = _FIXED.fullmatch(form)
    return _fixed_writer(fixed) if fixed else plain


def plain(number: str) -> str:
    """Return a number with all of its digits and without an exponent: 1.3E10 is 13000000000."""
    if number.isdigit():
        return number
    try:
        value = Decimal(number)
    except InvalidOperation:
        return number
    if not value.is_finite() or abs(value.adjusted()) > 300:
        return number
    if value != value.to_integral_value():
        # A spreadsheet shows 15 digits: 0.1 + 0.2 is stored as 0.30000000000000004.
        value = Decimal(f"{value:.15g}")
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _fixed_writer(form: re.Match[str]) -> Writer:
    """Return a writer for `0.00`, `#,##0`, `00000` and `0%`."""
    thousands, whole, decimals, percent = form.groups()
    places = len(decimals or "")

    def write(number: str) -> str:
        try:
            value = Decimal(number) * (100 if percent else 1)
            value = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        except InvalidOperation:
            return number
        sign, digits = ("-" if value < 0 else ""), f"{abs(value):{',' if thousands else ''}f}"
        width = len(whole) + (places + 1 if places else 0)
        return f"{sign}{digits.zfill(width)}{percent or ''}"

    return write


def _date_writer(*, from_1904: bool) -> Writer:
    """Return a writer of days since 1900, or 1904: 2026-11-27, 2026-11-27 09:30, 09:30."""

    def write(number: str) -> str:
        try:
            days = float(number)
            date = _date(days, from_1904=from_1904)
        except (ValueError, OverflowError):
            return number
        time = f"{date:%H:%M:%S}" if date.second else f"{date:%H:%M}"
        if 0 <= days < 1:
            return time
        return f"{date:%Y-%m-%d}" if days == int(days) else f"{date:%Y-%m-%d} {time}"

    return write


def _date(days: float, *, from_1904: bool) -> datetime:
    # Day 60 is 1900-02-29, which never was: before it the count is one less.
    first = (1904, 1, 1) if from_1904 else (1899, 12, 31 if days < 60 else 30)
    return datetime(*first) + timedelta(seconds=round(days * 86_400))  # noqa: DTZ001 - no zone
