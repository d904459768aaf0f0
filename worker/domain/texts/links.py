"""Finds links that a handset takes for longer, or shorter, than they are."""

import re
from collections.abc import Iterator

from worker.domain.errors import Problem

_DOMAINS = "com cn net org gov edu cc co me io top vip xyz info biz shop site store link ltd tv hk"
_DOMAIN_SET = frozenset(_DOMAINS.split())
#: The rest of a link up to its last ASCII character, and what stands directly behind it. Case is
#: not folded by the pattern: that would make the search slow.
_NEXT_TO_SCHEME = re.compile(r"://[!-~]{0,300}+([^\x00-\x7f\s])")
_NEXT_TO_DOMAIN = re.compile(r"\.([A-Za-z]{2,5})(?![A-Za-z0-9-])(?=[!-~]{0,300}+([^\x00-\x7f\s]))")
#: A placeholder that is called after a link, and what stands directly behind it.
_NEXT_TO_NAMED_LINK = re.compile(
    r"\{[^{}]{0,20}(?:url|link|链接|网址)[^{}]{0,20}\}([^\x00-\x7f\s])", re.IGNORECASE
)
#: A link whose punctuation is full-width is none to a handset.
_WIDE_LINK = re.compile(
    r"https?(?:：[/／]{2}|:／[/／]|:/／)|ｈｔｔｐ|(?:https?://|www\.)[a-z0-9.-]{0,300}+[。．][a-z0-9]",
    re.IGNORECASE,
)
_WIDE_MARK = re.compile("[：／。．ｈ]")
#: What makes a text hold a link, of which no value of a template may be a part.
_LINK = re.compile(r"://|www\.", re.IGNORECASE)
_DOMAIN_END = re.compile(r"\.([A-Za-z]{2,5})(?![A-Za-z0-9-])")
_MAIL_BEFORE = re.compile(r"@[A-Za-z0-9.-]*\Z")
#: How far before its last dot a mail address may begin its domain.
_MAX_DOMAIN = 64


def contains(text: str) -> bool:
    """Tell whether a text holds a link: one with a scheme, or a name under a common domain."""
    if _LINK.search(text):
        return True
    return any(match[1].lower() in _DOMAIN_SET for match in _DOMAIN_END.finditer(text))


def warnings(text: str) -> Iterator[Problem]:
    """Yield a warning for each link that a handset will not take as it is meant."""
    for at in sorted(_positions_behind_links(text)):
        what = f"has “{text[at]}” directly behind a link, at character {at + 1}"
        yield Problem("text", f"{what}: handsets may take it to the link; put a blank between")
    if _WIDE_MARK.search(text) and any(sign in text for sign in ("http", "www", "HTTP", "ｈｔｔ")):
        for match in _WIDE_LINK.finditer(text):
            what = f"has full-width marks in a link, at character {match.start() + 1}"
            yield Problem("text", f"{what}; write them in ASCII")


def _positions_behind_links(text: str) -> set[int]:
    """Return the positions of what stands directly behind links and is no part of them."""
    positions: set[int] = set()
    if "://" in text:
        positions.update(match.start(1) for match in _NEXT_TO_SCHEME.finditer(text))
    if "." in text:
        positions.update(
            match.start(2)
            for match in _NEXT_TO_DOMAIN.finditer(text)
            if match[1].lower() in _DOMAIN_SET and not _is_mail(text, match.start())
        )
    if "{" in text:
        positions.update(match.start(1) for match in _NEXT_TO_NAMED_LINK.finditer(text))
    return positions


def _is_mail(text: str, at: int) -> bool:
    """Tell whether the domain with the dot at a position is that of a mail address."""
    return _MAIL_BEFORE.search(text, max(0, at - _MAX_DOMAIN), at) is not None
