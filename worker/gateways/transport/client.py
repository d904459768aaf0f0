"""Sends requests, as the only module: one total deadline, no retry, no redirect, no proxy.

It raises two errors only. `NotSent`: no byte of the request left this machine, as its transport
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
    AnswerTooLong,
    ConnectionBroken,
    RawResponse,
    RequestTrace,
    Transport,
    UnreadableAnswer,
)

#: The longest answer that is read, in bytes: reads of reports are the longest by far.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
USER_AGENT = "xinshi"
#: The errors that a transport raises on purpose, or for a reason outside of this program.
FAILURES = (
    ConnectionBroken,
    OSError,
    UnicodeError,
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    zlib.error,
)
#: The transports by their names in the configuration.
TRANSPORTS: Mapping[str, type[HttpxTransport] | type[AsyncioTransport]] = {
    "own": AsyncioTransport,
    "httpx": HttpxTransport,
}
#: Headers about the body's coding and length on the wire; they are untrue of the decoded body.
_CODING_HEADERS = {b"transfer-encoding", b"content-length", b"content-encoding"}


class GatewayClient:
    """Sends requests over a pool of connections, for one event loop; `close` it when the loop ends.

    `trust` replaces the public authorities that servers' certificates are checked against.
    """

    def __init__(
        self,
        transport: str = "own",
        connections: int = 100,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._transport: Transport = TRANSPORTS[transport](connections, MAX_ANSWER_BYTES, trust)

    async def call(self, request: httpx.Request, seconds: float) -> httpx.Response:
        """Send `request` and return the whole answer within `seconds`.

        Any status is an answer. Raises `NotSent` or `OutcomeUnknown`; neither names the URL.
        """
        if "user-agent" not in request.headers:
            request.headers["User-Agent"] = USER_AGENT
        trace = RequestTrace()
        started_at = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                answer = await self._transport.exchange(request, trace)
            return _response(answer)
        except FAILURES as error:
            raise _failure(error, started_at, write_began=trace.write_began) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()


def _response(answer: RawResponse) -> httpx.Response:
    """Return an answer as httpx's response, its body decoded."""
    headers, codings = [], []
    for header in answer.headers:
        name = header[0].lower()
        if name not in _CODING_HEADERS:
            headers.append(header)
        elif name == b"content-encoding":
            codings.append(header[1])
    body = _decode_body(answer.body, codings) if codings else answer.body
    return httpx.Response(answer.status, headers=headers, content=body)


def _decode_body(body: bytes, codings: list[bytes]) -> bytes:
    """Undo a content coding; some servers use one although none was asked for."""
    coding = b",".join(codings).strip().lower()
    if coding in {b"", b"identity"} or not body:
        return body
    if coding not in {b"gzip", b"x-gzip", b"deflate"}:
        raise UnreadableAnswer
    try:
        return _inflate(body, zlib.MAX_WBITS | 32)
    except zlib.error:
        # Some servers call raw deflate "deflate" (RFC 9110, section 8.4.1.2).
        return _inflate(body, -zlib.MAX_WBITS)


def _inflate(body: bytes, bits: int) -> bytes:
    """Decompress a body; raise `AnswerTooLong` when it is a bomb, `UnreadableAnswer` when cut."""
    decompressor = zlib.decompressobj(bits)
    plain = decompressor.decompress(body, MAX_ANSWER_BYTES + 1)
    if len(plain) > MAX_ANSWER_BYTES:
        raise AnswerTooLong
    if not decompressor.eof:
        raise UnreadableAnswer
    return plain


def _failure(
    error: BaseException, started_at: float, *, write_began: bool
) -> NotSent | OutcomeUnknown:
    """Return the error that says what a failed request may have done at the gateway."""
    label = error.label if isinstance(error, ConnectionBroken) else type(error).__name__
    words = f"{label} after {time.monotonic() - started_at:.1f} s"
    return OutcomeUnknown(words) if write_began else NotSent(words)
