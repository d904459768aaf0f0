"""Forms, byte for byte: how all these gateways take their parameters, and how they push theirs.

The encoding is the one that document 001 spells out (section 4): each character that is neither an
ASCII letter or digit nor one of `-_.` becomes its bytes in the charset, each as `%` and two
upper-case digits, and a space becomes `+`. The other documents ask for "URL encoding" only, which
this form satisfies. A character's second byte is written as `%6C` also where it happens to be an
ASCII letter (GBK has such): decoders that join runs of `%XX`, as Java's does, need it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import httpx

from worker.gateways.formats.values import decoded

#: No `charset` parameter: no document asks for one, no public client sends one, and a server that
#: undoes a Latin-1 reading by hand (an old Java habit) would decode twice if it saw one.
CONTENT_TYPE = "application/x-www-form-urlencoded"

_HEADERS = httpx.Headers({"Content-Type": CONTENT_TYPE})
_LIST = re.compile(r"[0-9,]*")
_WRITTEN = re.compile(r"[^A-Za-z0-9_.-]+")


def encoded(value: str, charset: str) -> bytes:
    """Return `value` in `charset`, or raise `ValueError`: nothing is ever replaced by `?`."""
    try:
        return value.encode(charset)
    except UnicodeEncodeError as error:
        msg = f"character {error.start + 1} cannot be written in {charset}; use a utf-8 account"
        raise ValueError(msg) from None


def quoted(value: str, charset: str = "utf-8") -> str:
    """Return `value` as a form writes it. Raises `ValueError` as `encoded` does."""
    encoded(value, charset)
    return _WRITTEN.sub(lambda run: _percent(encoded(run[0], charset)), value)


def form(fields: Mapping[str, str], charset: str = "utf-8") -> str:
    """Write `fields` as a form, in their order."""
    return "&".join(f"{name}={quoted(value, charset)}" for name, value in fields.items())


def numbers(msisdns: Iterable[str]) -> str:
    """Write a list of numbers, its half-width commas bare as all the documents print them."""
    joined = ",".join(msisdns)
    return joined if _LIST.fullmatch(joined) else quoted(joined).replace("%2C", ",")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a gateway, parsed once, and the method by which its forms travel.

    A query in `url` stays there, with either method.
    """

    url: httpx.URL
    method: str = "POST"

    def request(self, written: str) -> httpx.Request:
        """Carry a written form: in the body with POST, in the query with GET."""
        raw = written.encode("ascii")
        if self.method == "POST":
            return httpx.Request("POST", self.url, headers=_HEADERS, content=raw)
        query = self.url.query + b"&" + raw if self.url.query else raw
        return httpx.Request("GET", self.url.copy_with(query=query))


def fields(raw: bytes) -> dict[str, str]:
    """Read a form that was pushed to us: UTF-8, else GBK, value by value. The last of a name wins.

    Takes any bytes; pairs without a name are left out.
    """
    pairs = (pair.partition(b"=") for pair in raw.split(b"&"))
    return {_plain(name): _plain(value) for name, _, value in pairs if name}


def _percent(raw: bytes) -> str:
    return f"%{raw.hex('%').upper()}".replace("%20", "+")


def _plain(part: bytes) -> str:
    return decoded(unquote_to_bytes(part.replace(b"+", b" ")), "utf-8", "gbk")
