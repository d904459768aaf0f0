"""Defines what passes between the connections, the rules and the sides: requests, calls, answers.

A `SandboxRequest` is what HTTP carried. A side reads it into a `GatewayCall`, and answers it with a
`SandboxAnswer`; where the gateway took messages, the answer holds the `TakenSubmission`, and that
is what the ledger keeps.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

TEXT_PLAIN = "text/plain"


_ESCAPED = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")


def parse_form(raw: bytes) -> dict[str, bytes]:
    """Read a form or a query string: names to raw value bytes; the last of equal names wins.

    Values stay bytes, since at two gateways the charset is GBK unless another field says so.
    """
    fields: dict[str, bytes] = {}
    for pair in raw.split(b"&") if raw else ():
        name, _, value = pair.partition(b"=")
        if b"+" in value or b"%" in value:
            value = _decode_value(value)
        fields[_field_name(name)] = value
    return fields


@lru_cache(maxsize=256)
def _field_name(raw: bytes) -> str:
    return _decode_value(raw).strip().decode("latin-1")


@lru_cache(maxsize=256)
def _query_fields(raw: bytes) -> dict[str, bytes]:
    return parse_form(raw)


def _decode_value(value: bytes) -> bytes:
    """Decode a form's value; a percent sign that escapes nothing stays."""
    value = value.replace(b"+", b" ")
    if b"%2C" in value:
        # A list of numbers is mostly commas: taking them first makes long lists cheap.
        value = value.replace(b"%2C", b",")
    return _ESCAPED.sub(_unescape_run, value) if b"%" in value else value


def _unescape_run(run: re.Match[bytes]) -> bytes:
    # A whole run at once: a Chinese text is a few long runs.
    return bytes.fromhex(run[0].replace(b"%", b"").decode())


@dataclass(slots=True)
class SandboxRequest:
    """An HTTP request to a gateway's endpoint; `path` begins after the gateway's prefix."""

    method: str
    path: str
    query: bytes
    body: bytes
    #: When the whole request had arrived, in seconds since 1970.
    at: float
    #: By their names in lower case; the last of equal names wins.
    headers: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> dict[str, bytes]:
        """Return the fields of query and form; where both name a field, the form wins."""
        if not self.body:
            return _query_fields(self.query) if len(self.query) < 100 else parse_form(self.query)
        form_fields = parse_form(self.body)
        return _query_fields(self.query) | form_fields if self.query else form_fields


@dataclass(slots=True)
class GatewayCall:
    """A request as its side understood it, before anything was checked."""

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
    #: What HTTP carried beside the fields, for gateways whose signatures stand there.
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class TakenSubmission:
    """The messages of one submission, which a gateway takes or took."""

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
    #: The text and the billed parts of each message, and the identifier that the gateway gave it,
    #: in the order of the numbers; empty where all have the same.
    texts: list[str] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    @property
    def segment_sum(self) -> int:
        """The billed parts of all messages."""
        return sum(self.parts) if self.parts else self.segments * len(self.msisdns)


@dataclass(slots=True)
class SandboxAnswer:
    """An answer to a call, and the submission that is taken before it is sent."""

    #: The gateway's own word, as the ledger keeps it.
    code: str
    body: bytes
    content_type: str = TEXT_PLAIN
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    submission: TakenSubmission | None = None
