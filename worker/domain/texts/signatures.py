"""Finds what is wrong with a text's signature, the brand in 【…】 at its beginning.

Gateways refuse a text without one, or put one of their own there; nothing is added here.
"""

import re
from collections.abc import Iterator

from worker.domain.errors import Problem

_SIGNATURE = re.compile("【([^【】]*)】")
#: The longest signature that carriers register, in characters.
MAX_LENGTH = 20
_PAIRS = ("[]", "［］", "〖〗", "〔〕", "「」", "『』", "﹝﹞")
#: Brackets that other things stand in too, at a text's end.
_PAIRS_AT_BEGINNING = (*_PAIRS, "()", "（）", "<>", "＜＞", "〈〉", "《》", "﹙﹚")


def _any_of(pairs: tuple[str, ...]) -> str:
    """Return the pattern of up to twenty characters in one of the pairs of brackets."""
    return "|".join(
        rf"{re.escape(pair[0])}[^\n{re.escape(pair)}]{{1,20}}{re.escape(pair[1])}" for pair in pairs
    )


_OTHER_BRACKETS = re.compile(
    rf"\s*(?:{_any_of(_PAIRS_AT_BEGINNING)})|(?s:.*)(?:{_any_of(_PAIRS)})\s*\Z"
)


def is_name(name: str) -> bool:
    """Tell whether carriers would register a name, without its brackets, as a signature."""
    return 2 <= len(name) <= MAX_LENGTH and name == name.strip() and not re.search("[【】\n]", name)


def is_well_signed(text: str) -> bool:
    """Tell at one glance whether a text has one signature, in its place, as most have.

    Of such a text nothing is found here where the account adds no signature.
    """
    end = text.find("】")
    return (
        text.startswith("【")
        and 2 < end <= MAX_LENGTH + 1
        and text.find("【", 1) < 0
        and text.find("】", end + 1) < 0
        and text[1:end] == text[1:end].strip()
    )


def signature_of(text: str, added_signature: str = "") -> str | None:
    """Return the signature with which a text arrives, without brackets; None if it has none.

    It is that at the text's beginning, else that at its end, else the one that the account adds.
    """
    matches = list(_SIGNATURE.finditer(text))
    if matches and not text[: matches[0].start()].strip():
        return matches[0][1].strip()
    if matches and not text[matches[-1].end() :].strip():
        return matches[-1][1].strip()
    added = _SIGNATURE.fullmatch(added_signature.strip())
    return added[1].strip() if added else added_signature.strip() or None


def problems(text: str, added_signature: str = "") -> Iterator[Problem]:
    """Yield what is doubtful about the signature of a text, to which an account may add its own."""
    matches = list(_SIGNATURE.finditer(text))
    if text.count("【") != len(matches) or text.count("】") != len(matches):
        at = _unpaired(text) + 1
        yield Problem("text", f"has a 【 or 】 without its other half at character {at}; pair them")
        if not matches:
            return
    if not matches:
        if not added_signature:
            yield _missing(text)
        return
    first = matches[0]
    if first.start() and not text[: first.start()].strip():
        yield Problem("text", "begins with a blank before its signature 【…】; remove the blank")
    elif first.start():
        what = f"has its first 【…】 at character {first.start() + 1} and not at the beginning"
        yield Problem("text", f"{what}, where gateways look for the signature; put it there")
    if not 2 <= len(first[1].strip()) <= MAX_LENGTH or first[1] != first[1].strip():
        rule = f"2 to {MAX_LENGTH} characters without a blank around them"
        yield Problem("text", f"has a 【…】 at character {first.start() + 1} that is not {rule}")


def second_problems(text: str, added_signature: str = "") -> Iterator[Problem]:
    """Yield that a text has two signatures, or one beside that which its account adds."""
    matches = list(_SIGNATURE.finditer(text))
    if not matches:
        return
    if len(matches) > 1:
        at = matches[1].start() + 1
        what = f"has a second 【…】 at character {at}, which may pass for a second signature"
        yield Problem("text", f"{what}; use other brackets")
    is_signed = not text[: matches[0].start()].strip() or not text[matches[-1].end() :].strip()
    if added_signature and is_signed:
        what = f"brings a signature beside {added_signature}, which the account adds: two are sent"
        yield Problem("text", f"{what}; leave it out of the text, or name another account")


def _missing(text: str) -> Problem:
    """Return the problem that a text has no signature, for an account that adds none."""
    if _OTHER_BRACKETS.match(text):
        return Problem("text", "has its signature in other brackets; write it in 【…】")
    what = "has no signature 【…】, and none is known that the account would add"
    return Problem("text", f"{what}; begin the text with it, or set added_signature")


def _unpaired(text: str) -> int:
    """Return the position of the first 【 or 】 that has no other half."""
    opened: int | None = None
    for at, character in enumerate(text):
        if character == "【":
            if opened is not None:
                return opened
            opened = at
        elif character == "】":
            if opened is None:
                return at
            opened = None
    return opened or 0
