"""The only module that sends: one request, one total deadline, no retry, no redirect, no proxy.

It raises two things alone. `NotSent`: no byte of the request left this machine, as its transport
knows. `OutcomeUnknown`: anything else that is no answer.
"""

import asyncio
import ssl
import time
import zlib
from collections.abc import Mapping

import httpx

from worker.domain.errors import NotSent, OutcomeUnknown
from worker.gateways.transport.asyncio_transport import AsyncioTransport
from worker.gateways.transport.httpx_transport import HttpxTransport
from worker.gateways.transport.protocol import (
    Broken,
    RawResponse,
    RequestTrace,
    TooLong,
    Transport,
    Unreadable,
)

#: The longest answer that is read, in bytes: reads of reports are the longest by far.
LONGEST_ANSWER = 32 * 1024 * 1024
USER_AGENT = "xinshi"
#: What a transport raises on purpose, or for a reason outside of this program.
FAILURES = (
    Broken,
    OSError,
    UnicodeError,
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    zlib.error,
)
#: By their names in the configuration.
TRANSPORTS: Mapping[str, type[HttpxTransport] | type[AsyncioTransport]] = {
    "own": AsyncioTransport,
    "httpx": HttpxTransport,
}
#: They say how the body travelled; it has been put together.
_TRAVELLED = {b"transfer-encoding", b"content-length", b"content-encoding"}


class GatewayClient:
    """A pool of connections, for one event loop. `close` it when the loop ends.

    `trust` replaces the public authorities that a server's certificate is held to.
    """

    def __init__(
        self,
        transport: str = "own",
        connections: int = 100,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._transport: Transport = TRANSPORTS[transport](connections, LONGEST_ANSWER, trust)

    async def call(self, request: httpx.Request, seconds: float) -> httpx.Response:
        """Send `request` and return the whole answer within `seconds`.

        Any status is an answer. Raises `NotSent` or `OutcomeUnknown`; neither names the URL.
        """
        if "user-agent" not in request.headers:
            request.headers["User-Agent"] = USER_AGENT
        sent = RequestTrace()
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                answer = await self._transport.exchange(request, sent)
            return _response(answer)
        except FAILURES as error:
            raise _ended(error, began, sent=sent.began) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()


def _response(answer: RawResponse) -> httpx.Response:
    plain, codings = [], []
    for pair in answer.headers:
        name = pair[0].lower()
        if name not in _TRAVELLED:
            plain.append(pair)
        elif name == b"content-encoding":
            codings.append(pair[1])
    body = _decoded(answer.body, codings) if codings else answer.body
    return httpx.Response(answer.status, headers=plain, content=body)


def _decoded(body: bytes, codings: list[bytes]) -> bytes:
    """Undo a content coding that we did not ask for, as some servers use it all the same."""
    named = b",".join(codings).strip().lower()
    if named in {b"", b"identity"} or not body:
        return body
    if named not in {b"gzip", b"x-gzip", b"deflate"}:
        raise Unreadable
    try:
        return _inflated(body, zlib.MAX_WBITS | 32)
    except zlib.error:
        # Some servers call raw deflate "deflate" (RFC 9110, section 8.4.1.2).
        return _inflated(body, -zlib.MAX_WBITS)


def _inflated(body: bytes, bits: int) -> bytes:
    inflating = zlib.decompressobj(bits)
    plain = inflating.decompress(body, LONGEST_ANSWER + 1)
    if len(plain) > LONGEST_ANSWER:
        raise TooLong
    if not inflating.eof:
        raise Unreadable
    return plain


def _ended(error: BaseException, began: float, *, sent: bool) -> NotSent | OutcomeUnknown:
    said = f"{type(error).__name__} after {time.monotonic() - began:.1f} s"
    return OutcomeUnknown(said) if sent else NotSent(said)
