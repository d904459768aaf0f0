"""What passes between the wire, the rules and a gateway's side: requests, calls, answers.

A `Request` is what HTTP carried. A side reads it into a `Call`, and answers it with an `Answer`;
where the gateway took messages, the answer holds the `Submission`, and that is what the ledger
keeps.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

PLAIN = "text/plain"


_ESCAPED = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")


def parameters(raw: bytes) -> dict[str, bytes]:
    """Read a form or a query string: names to raw value bytes; the last of equal names wins.

    Values stay bytes, since at two gateways the charset is GBK unless another field says so.
    """
    found: dict[str, bytes] = {}
    for pair in raw.split(b"&") if raw else ():
        name, _, value = pair.partition(b"=")
        if b"+" in value or b"%" in value:
            value = _plain(value)
        found[_name(name)] = value
    return found


@lru_cache(maxsize=256)
def _name(raw: bytes) -> str:
    return _plain(raw).strip().decode("latin-1")


@lru_cache(maxsize=256)
def _query(raw: bytes) -> dict[str, bytes]:
    return parameters(raw)


def _plain(value: bytes) -> bytes:
    """Decode a form's value; a percent sign that escapes nothing stays."""
    value = value.replace(b"+", b" ")
    if b"%2C" in value:
        # A list of numbers is mostly commas: taking them first makes long lists cheap.
        value = value.replace(b"%2C", b",")
    return _ESCAPED.sub(_unescaped, value) if b"%" in value else value


def _unescaped(run: re.Match[bytes]) -> bytes:
    # A whole run at once: a Chinese text is a few long runs.
    return bytes.fromhex(run[0].replace(b"%", b"").decode())


@dataclass(slots=True)
class Request:
    """One HTTP request to a gateway's endpoint; `path` begins after the gateway's prefix."""

    method: str
    path: str
    query: bytes
    body: bytes
    #: When it had wholly arrived, in seconds since 1970.
    at: float

    def fields(self) -> dict[str, bytes]:
        """Read query and form together; where both name a field, the form wins."""
        if not self.body:
            return _query(self.query) if len(self.query) < 100 else parameters(self.query)
        form = parameters(self.body)
        return _query(self.query) | form if self.query else form


@dataclass(slots=True)
class Call:
    """One request as its side understood it, before anything was checked."""

    #: The gateway's own word: `tx`, `Submit`, `send`, `sendSMS`.
    name: str
    #: The account that the caller claims to be; not verified.
    account: str
    method: str
    at: float
    fields: Mapping[str, bytes]
    #: The recipients of a submission, as given; empty for a read.
    numbers: list[str] = field(default_factory=list)
    #: Whether this call submits messages.
    submits: bool = False
    #: The form in which the answer is wanted, where a gateway has several.
    form: str = ""


@dataclass(slots=True)
class Submission:
    """What a gateway took: the messages of one submission."""

    msisdns: list[str]
    text: str
    #: Billed parts for each message.
    segments: int
    extension: str = ""
    #: The identifier that the client chose.
    reference: str = ""
    #: The identifier that the gateway gave.
    id: str = ""
    #: When it is to be sent, as the client wrote it.
    schedule: str = ""
    template: str = ""
    #: Which of an account's balances pays.
    pool: str = ""


@dataclass(slots=True)
class Answer:
    """What goes back, and what was taken before it goes."""

    #: The gateway's own word, as the ledger keeps it.
    code: str
    body: bytes
    kind: str = PLAIN
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    taken: Submission | None = None
