"""Finds what is wrong with a text's signature, the brand in 【…】 at its beginning.

Gateways refuse a text without one, or put one of their own there; nothing is added here.
"""

import re
from collections.abc import Iterator, Mapping

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


def warnings(text: str, added_signatures: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is doubtful about the signature of a text.

    `added_signatures` has what each account that may carry the text adds itself, "" for nothing.
    """
    if _is_good(text) and not any(added_signatures.values()):
        return
    matches = list(_SIGNATURE.finditer(text))
    yield from _form_warnings(text, matches)
    if not matches:
        adding_none = sorted(name for name, signature in added_signatures.items() if not signature)
        if adding_none and not ("【" in text or "】" in text):
            yield _missing(text, adding_none)
        return
    is_signed = not text[: matches[0].start()].strip() or not text[matches[-1].end() :].strip()
    for name, signature in added_signatures.items():
        if signature and is_signed:
            what = f"{name} adds {signature} itself and the text brings a signature: two are sent"
            yield Problem("text", f"{what}; leave it out of the text, or name another account")


def _is_good(text: str) -> bool:
    """Tell at one glance whether a text has one signature, in its place, as most have."""
    end = text.find("】")
    return (
        text.startswith("【")
        and 2 < end <= MAX_LENGTH + 1
        and text.find("【", 1) < 0
        and text.find("】", end + 1) < 0
        and text[1:end] == text[1:end].strip()
    )


def _form_warnings(text: str, matches: list[re.Match[str]]) -> Iterator[Problem]:
    if text.count("【") != len(matches) or text.count("】") != len(matches):
        at = _unpaired(text) + 1
        yield Problem("text", f"has a 【 or 】 without its other half at character {at}; pair them")
    if not matches:
        return
    first, *others = matches
    if first.start() and not text[: first.start()].strip():
        yield Problem("text", "begins with a blank before its signature 【…】; remove the blank")
    elif first.start():
        what = f"has its first 【…】 at character {first.start() + 1} and not at the beginning"
        yield Problem("text", f"{what}, where gateways look for the signature; put it there")
    if not 2 <= len(first[1].strip()) <= MAX_LENGTH or first[1] != first[1].strip():
        rule = f"2 to {MAX_LENGTH} characters without a blank around them"
        yield Problem("text", f"has a 【…】 at character {first.start() + 1} that is not {rule}")
    if others:
        at = others[0].start() + 1
        what = f"has a second 【…】 at character {at}, which may pass for a second signature"
        yield Problem("text", f"{what}; use other brackets")


def _missing(text: str, accounts: list[str]) -> Problem:
    """Return the warning that a text has no signature, for accounts that add none."""
    if _OTHER_BRACKETS.match(text):
        return Problem("text", "has its signature in other brackets; write it in 【…】")
    names = ", ".join(filter(None, accounts[:3])) + (" and others" if len(accounts) > 3 else "")
    adds_none = f", and none is known that {names} would add" if names else ""
    advice = "begin the text with it, or set added_signature"
    return Problem("text", f"has no signature 【…】{adds_none}; {advice}")


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
