"""Finds characters that no text should hold: controls, invisible and private-use ones.

The rule is the same for every account, whatever its charset. They are refused and never taken out:
what is sent is what was given. Line feeds, and joiners where a script or an emoji needs them, are
no fault.
"""

import re
import unicodedata
from collections.abc import Iterator

from worker.domain import invisible
from worker.domain.errors import Problem
from worker.domain.texts import emoji

#: How many different characters of a text are named.
MAX_NAMED = 5

#: Arabic, Indic, Tibetan and Mongolian letters, between which joiners and selectors have a meaning.
_JOINING = "\u0600-\u08ff\u0900-\u0dff\u0f00-\u0fff\u1800-\u18af"
#: Controls but line feed, tab and carriage return; surrogates; what stands for a damaged character.
_CONTROLS = "\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffd-\uffff"
_PRIVATE_USE = "\ue000-\uf8ff\U000f0000-\U0010ffff"
#: What nobody sees, annotation marks, and the two separators.
_INVISIBLE = rf"{invisible.CLASS}\ufff9-\ufffb\u2028\u2029"
_CANDIDATE = re.compile(f"[{_CONTROLS}{_PRIVATE_USE}{_INVISIBLE}]")
#: What may stand before a selector, a joiner, and a letter of a flag's name.
_AFTER_EMOJI = re.compile(f"[{emoji.ALONE}{emoji.WITH_SELECTOR}0-9#*]")
_AFTER_JOINING = re.compile(f"[{emoji.ALONE}{emoji.WITH_SELECTOR}\ufe0f{_JOINING}]")
_AFTER_FLAG = re.compile("[\U0001f3f4\U000e0020-\U000e007e]")


def problems(text: str) -> list[Problem]:
    """Return a problem for each different character that no text should hold, up to five."""
    positions: dict[str, int] = {}
    for at in unsendable(text):
        positions.setdefault(text[at], at)
    return [
        Problem("text", f"holds {name(text[at])} at character {at + 1}; {_advice(text[at])}")
        for at in list(positions.values())[:MAX_NAMED]
    ]


def unsendable(text: str) -> Iterator[int]:
    """Yield the position of each character that no text should hold, values of it included."""
    for match in _CANDIDATE.finditer(text):
        if not _is_needed(text, match.start()):
            yield match.start()


def may_hold_unsendable(text: str) -> bool:
    """Tell, at one go, whether a text holds a character that is worth a look."""
    return _CANDIDATE.search(text) is not None


def _is_needed(text: str, at: int) -> bool:
    """Tell whether an invisible character does its work there: in an emoji, or between letters."""
    character, before = text[at], text[at - 1 : at]
    if character in "\ufe0e\ufe0f":
        return _AFTER_EMOJI.match(before) is not None
    if character in "\u200c\u200d" or "\u180b" <= character <= "\u180f":
        return _AFTER_JOINING.match(before) is not None
    if "\U000e0020" <= character <= "\U000e007f":
        return _AFTER_FLAG.match(before) is not None
    return False


def name(character: str) -> str:
    """Name a character by its code, and by its name where it has one."""
    unicode_name = unicodedata.name(character, "").lower()
    kind = {"Cc": "a control character", "Co": "a private-use character"}
    label = unicode_name or kind.get(unicodedata.category(character), "no character")
    return f"U+{ord(character):04X} ({label})"


def _advice(character: str) -> str:
    if unicodedata.category(character) == "Co":
        return "handsets have no picture of it: write the character that is meant"
    if character == "\ufffd":
        return "the text was damaged when it was read: read it in its own charset"
    if character in "\u2028\u2029\x85\x0b\x0c":
        return "write a line feed for a new line"
    return "remove it"
