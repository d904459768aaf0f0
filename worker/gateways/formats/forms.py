"""Writes and reads forms byte for byte: gateways take their parameters so, and push so.

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

from worker.gateways.formats.values import decode

#: No `charset` parameter: no document asks for one, no public client sends one, and a server that
#: undoes a Latin-1 reading by hand (an old Java habit) would decode twice if it saw one.
CONTENT_TYPE = "application/x-www-form-urlencoded"

_HEADERS = httpx.Headers({"Content-Type": CONTENT_TYPE})
_NUMBER_LIST = re.compile(r"[0-9,]*")
_TO_ESCAPE = re.compile(r"[^A-Za-z0-9_.-]+")


def encode(value: str, charset: str) -> bytes:
    """Encode `value` in `charset`, or raise `ValueError`: nothing is ever replaced by `?`."""
    try:
        return value.encode(charset)
    except UnicodeEncodeError as error:
        msg = f"character {error.start + 1} cannot be written in {charset}; use a utf-8 account"
        raise ValueError(msg) from None


def quote(value: str, charset: str = "utf-8") -> str:
    """Return `value` as a form writes it. Raises `ValueError` as `encode` does."""
    encode(value, charset)
    return _TO_ESCAPE.sub(lambda run: _percent_encode(encode(run[0], charset)), value)


def encode_form(fields: Mapping[str, str], charset: str = "utf-8") -> str:
    """Write `fields` as a form, in their order."""
    return "&".join(f"{name}={quote(value, charset)}" for name, value in fields.items())


def join_numbers(msisdns: Iterable[str]) -> str:
    """Write a list of numbers with bare half-width commas, as all the documents print it."""
    joined = ",".join(msisdns)
    return joined if _NUMBER_LIST.fullmatch(joined) else quote(joined).replace("%2C", ",")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a gateway, parsed once, and the method by which its forms travel.

    A query in `url` stays there, with either method.
    """

    url: httpx.URL
    method: str = "POST"

    def request(self, form: str) -> httpx.Request:
        """Build a request that carries `form`: in the body with POST, in the query with GET."""
        data = form.encode("ascii")
        if self.method == "POST":
            return httpx.Request("POST", self.url, headers=_HEADERS, content=data)
        query = self.url.query + b"&" + data if self.url.query else data
        return httpx.Request("GET", self.url.copy_with(query=query))


def parse_form(data: bytes) -> dict[str, str]:
    """Read a form that was pushed to us: each value as UTF-8, else GBK; the last of a name wins.

    Takes any bytes; pairs without a name are left out.
    """
    pairs = (pair.partition(b"=") for pair in data.split(b"&"))
    return {_decode_part(name): _decode_part(value) for name, _, value in pairs if name}


def _percent_encode(data: bytes) -> str:
    return f"%{data.hex('%').upper()}".replace("%20", "+")


def _decode_part(part: bytes) -> str:
    return decode(unquote_to_bytes(part.replace(b"+", b" ")), "utf-8", "gbk")
