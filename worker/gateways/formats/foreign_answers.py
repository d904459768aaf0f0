"""Recognises answers of what stands between us and a gateway: portals, proxies, redirects.

They prove nothing of the messages, which something may have passed on. What is said of them names
hosts only: an address could repeat our own, with its login.
"""

import re
from urllib.parse import urlsplit

import httpx

from worker.gateways.formats.values import tidy_words

#: The most of a page that is looked at, in characters.
_MAX_LOOKED_AT = 16 * 1024
_PAGE = re.compile(
    r"(?:\s++|<!--.*?-->|<\?xml[^>]*+>)*+"
    r"<(?:!doctype\s++html|html|head|body|title|meta|script|center)\b",
    re.DOTALL | re.IGNORECASE,
)
_UNSEEN = re.compile(
    r"<(script|style)\b.*?(?:</\1[^>]*+>?|\Z)|<[^>]*+>?", re.DOTALL | re.IGNORECASE
)
#: What an address is made of, beside letters.
_MARKS_OF_ADDRESSES = set("=?&/%@")
#: The most that is said of what a page shows, in characters.
_MAX_SHOWN = 60
_ADDRESS = re.compile(r"https?://[^\s\"'<>\\]{1,300}", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9.:_-]{1,100}")
#: What every page may name, and nobody is led to.
_NO_GOAL = re.compile(r"(?:.*\.)?w3\.org")


def describe_status(response: httpx.Response, text: str) -> str:
    """Say what an answer looks like whose status no gateway gives; "" for all others."""
    status = response.status_code
    if 300 <= status < 400:
        return _redirect(response.headers.get("location", ""))
    if status == 407:
        return "a proxy wants a login, and the account names none"
    if status == 511:
        return f"a network wants a sign-in{_goal(text)}"
    return ""


def describe_page(text: str) -> str:
    """Say what an HTML page looks like, where `text` is one; "" for any other text."""
    beginning = text[:_MAX_LOOKED_AT]
    if _PAGE.match(beginning) is None:
        return ""
    shown = _shown(beginning)
    return f"an HTML page{f' (“{shown}”)' if shown else ''}{_goal(beginning)}"


def _shown(page: str) -> str:
    """Return the first words that a page shows, without what could be a part of an address."""
    words = _UNSEEN.sub(" ", page).split()
    plain_words = [word for word in words if _MARKS_OF_ADDRESSES.isdisjoint(word)]
    return tidy_words(" ".join(plain_words))[:_MAX_SHOWN].rstrip()


def _redirect(location: str) -> str:
    if not location:
        return "a redirect to nowhere"
    goal = _host(location)
    if not goal and "//" in location.partition("?")[0]:
        return "a redirect to an address that cannot be read"
    return f"a redirect to {goal}" if goal else "a redirect within its own host"


def _goal(text: str) -> str:
    """Say where a page points first, as ", points to …"."""
    for address in _ADDRESS.findall(text[:_MAX_LOOKED_AT]):
        goal = _host(address)
        if goal and _NO_GOAL.fullmatch(goal.rpartition("/")[2]) is None:
            return f", points to {goal}"
    return ""


def _host(address: str) -> str:
    """Return the scheme and the host of an address; "" when it has none, or none that is one."""
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    if _HOST.fullmatch(host) is None:
        return ""
    return f"{parts.scheme}://{host}" if parts.scheme in {"http", "https"} else host
