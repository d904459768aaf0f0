"""Take off a number what phones, PDFs, keyboards and spreadsheets put around it and into it."""

import re
import unicodedata
from collections.abc import Iterator

from worker.domain import invisible, number_names

#: Pictures of telephones, which address books put before numbers.
_TELEPHONES = "☎☏✆📞📱📲🤙"
_IGNORABLE = re.compile(f"[{invisible.CLASS}\u20e3{_TELEPHONES}]")
_SEPARATOR_CATEGORIES = frozenset({"Pd", "Ps", "Pe", "Pi", "Pf", "Pc", "Zs", "Zl", "Zp"})
#: Dots, and dashes that are no punctuation by Unicode's word.
_DOTS = ".·‧•∙⋅・･。｡．․·᛫⸰⸱⸳﹒ꞏ"
#: `<13800138000>`, as mail programs write it.
_ANGLES = "<>＜＞"
_DASHES = "\u2212\u02d7\u2043\u23af\u2500\u2501\u2796\u207b\u208b\u30fc\uff70\uffe3"
_QUOTES = "'\"`´′″＇＂｀ʼʹ"
_PLUSES = "+＋﹢⁺₊➕"
_FORMULA = re.compile(r'\s*="?(.*?)"?\s*', re.DOTALL)
#: A number that a spreadsheet has shortened: 1.38E+10.
_EXPONENT = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")
_FRACTION = re.compile(r"(\+?\d{11,15})\.0+")
_LABEL = re.compile(r"\s*([^\W\d][^\d:：+]*?)\s*[:：]?\s*(?=[\d+])")
_SCHEMES = frozenset({"sms", "smsto", "callto", "mob", "ph", "t", "m", "p"})
_EXTENSION = re.compile(
    r"[+\d ]{7,}(?:转|轉|分机|分機|内线|內線|ext(?:ension|n)?|x|p|w|#|,|，|;\s*ext=?|;)+"
    r"[ :：]*\d{1,8}",
    re.IGNORECASE,
)
#: What is complete without the group of digits behind it.
_COMPLETE = re.compile(r"(?:(?:\+|00)?86)?(?:0?1[3-9]\d{9}|0(?:10|[2-9]\d)\d{7,9})")


class _Marks(dict[int, str | None]):
    """Translates characters: digits to ASCII, separators to a blank, marks to nothing."""

    def __missing__(self, code: int) -> str | None:
        """Look a character up in Unicode's data, once."""
        self[code] = _translated(chr(code))
        return self[code]


def _translated(character: str) -> str | None:
    if _IGNORABLE.match(character) or character in _QUOTES:
        return None
    if character in _PLUSES:
        return "+"
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    is_separator = category in _SEPARATOR_CATEGORIES or character.isspace()
    return " " if is_separator or character in _DOTS + _DASHES + _ANGLES else character


_MARKS = _Marks()


def bare(number: str) -> str:
    """Return a number without marks, blanks and labels; what else it holds stays in it.

    Raises `ValueError` for a number that a spreadsheet has shortened, and for an extension.
    """
    text = invisible.strip(number).lstrip("'`")
    if text.startswith("="):
        text = _FORMULA.sub(r"\1", text, count=1)
    if is_shortened(text):
        msg = "a spreadsheet has shortened the number; format its column as text, export again"
        raise ValueError(msg)
    fraction = _FRACTION.fullmatch(text)
    groups = _without_label((fraction[1] if fraction else text).translate(_MARKS))
    if _EXTENSION.fullmatch(groups.strip()) or _ends_in_extension(groups.split()):
        msg = "has an extension, which no text reaches; give the number alone"
        raise ValueError(msg)
    return groups.replace(" ", "")


def is_shortened(text: str) -> bool:
    """Tell whether a spreadsheet has made 1.38E+10 of a number."""
    return bool(_EXPONENT.fullmatch(text))


def left_over(number: str) -> str | None:
    """Return the code point of the first character that no number has, as `U+00B7`."""
    return next(_codes_left(number.removeprefix("+")), None)


def _codes_left(number: str) -> Iterator[str]:
    for character in number:
        if not (character.isascii() and character.isdigit()):
            yield f"U+{ord(character):04X}"


def _without_label(text: str) -> str:
    """Return a text without `tel:` and its like before the digits."""
    label = _LABEL.match(text)
    if label is None:
        return text
    name = label[1].strip().casefold()
    is_label = name in _SCHEMES or number_names.names_number(name)
    return text[label.end() :] if is_label else text


def _ends_in_extension(groups: list[str]) -> bool:
    """Tell whether a number is complete before its last group of digits: 021 54188741 801."""
    head, tail = "".join(groups[:-1]), groups[-1] if groups else ""
    return 0 < len(tail) <= 6 and tail.isdigit() and bool(_COMPLETE.fullmatch(head))
