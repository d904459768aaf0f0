"""Finds links, and those that a handset takes for longer, or shorter, than they are."""

import re
from collections.abc import Iterator
from itertools import islice

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
#: Where a link begins: with its scheme, with `www.`, or with a domain alone.
_SCHEME = re.compile(r"(?:https?|HTTPS?|ｈｔｔｐｓ?) ?[:：] ?[/／]{2}|www[.．。]|WWW[.．]")
_DOMAIN = re.compile(r"(?<=[A-Za-z0-9])\.([A-Za-z]{2,12})(?![A-Za-z0-9-])")
_HOST_BEFORE = re.compile(r"[A-Za-z0-9.-]+\Z")
_MAIL_BEFORE = re.compile(r"@[A-Za-z0-9.-]*\Z")
#: How far before its last dot a mail address may begin its domain.
_MAX_DOMAIN = 64


def may_hold_link(text: str) -> bool:
    """Tell at one glance whether a text has a mark without which there is no link."""
    return (
        "." in text
        or "/" in text
        or "{" in text
        or "／" in text
        or "．" in text
        or "ｈ" in text
        or "www" in text
    )


def contains(text: str) -> bool:
    """Tell whether a text holds a link."""
    return next(problems(text), None) is not None


def problems(text: str) -> Iterator[Problem]:
    """Yield the place of the first link of a text, which itself is not repeated."""
    positions = [match.start() for match in islice(_SCHEME.finditer(text), 1)]
    for match in _DOMAIN.finditer(text):
        is_domain = match[1].lower() in _DOMAIN_SET or text.startswith("/", match.end())
        if is_domain and not _is_mail(text, match.start()):
            host = _HOST_BEFORE.search(text, max(0, match.start() - _MAX_DOMAIN), match.start())
            positions.append(host.start() if host else match.start())
            break
    if positions:
        what = f"has a link at character {min(positions) + 1}"
        yield Problem("text", f"{what}; leave it out, or use a text that is registered with it")


def broken_link_problems(text: str) -> Iterator[Problem]:
    """Yield the place of each link that a handset will not take as it is meant."""
    if not may_hold_link(text):
        return
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
