"""What carries a request: the values that a transport takes and gives, and what it promises.

A transport sends a request at most once, follows nothing, repeats nothing, and sets `Sent.began`
before the first byte of the request can leave this machine. Deadlines are the work of
`worker.gateways.transport.client`.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import httpx


class RawResponse(NamedTuple):
    """An answer as it travelled: the body is put together, and still in its content coding."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


@dataclass(slots=True)
class RequestTrace:
    """What is known of one request while it is under way."""

    #: Whether a byte of it may have left: False is a proof that none did.
    began: bool = False


class Broken(Exception):
    """There is no whole answer: it is cut off, is no HTTP/1.1, or is too long."""


class Disconnected(Broken):
    """The server closed the connection before the answer was whole."""


class Unreadable(Broken):
    """What came is no answer by HTTP/1.1, or one that nobody asked for."""


class TooLong(Broken):
    """The answer's head or body is longer than anybody needs."""


class Transport(Protocol):
    """Carries requests from one event loop, each once. `close` it when the loop ends."""

    async def exchange(self, request: httpx.Request, sent: RequestTrace) -> RawResponse:
        """Send a request and return the whole answer, or raise; a cancelled call leaves nothing."""

    async def close(self) -> None:
        """Close all connections."""


def trusted() -> ssl.SSLContext:
    """Return what a server's certificate is held to: certifi's authorities, as httpx does."""
    # Without the environment: a proxy's authority that a shell names is not ours.
    context = httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context
