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
from worker.gateways.transport import answer_bounds, content_coding
from worker.gateways.transport.answer_bounds import CUT_HEADER, AnswerBound
from worker.gateways.transport.asyncio_transport import AsyncioTransport
from worker.gateways.transport.httpx_transport import HttpxTransport
from worker.gateways.transport.protocol import (
    AnswerTooLong,
    ConnectionBroken,
    RawResponse,
    RequestTrace,
    Transport,
)

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


class GatewayClient:
    """Sends requests to gateways, for one event loop; `close` it when the loop ends.

    It keeps up to `connections` open between calls, where its transport keeps any. `trust` replaces
    the public authorities that servers' certificates are checked against.
    """

    def __init__(
        self,
        transport: str = "own",
        connections: int = 100,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._transport: Transport = (
            HttpxTransport(trust) if transport == "httpx" else AsyncioTransport(connections, trust)
        )

    async def call(
        self,
        request: httpx.Request,
        seconds: float,
        bound: AnswerBound = answer_bounds.STATUS,
    ) -> httpx.Response:
        """Send `request` and return the whole answer within `seconds`.

        Any status is an answer. Raises `NotSent` or `OutcomeUnknown`; neither names the URL. An
        answer beyond `bound` is unknown, or is returned up to there where the bound says so.
        """
        if "user-agent" not in request.headers:
            request.headers["User-Agent"] = USER_AGENT
        trace = RequestTrace()
        started_at = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                answer = await self._transport.exchange(request, trace, bound.max_bytes)
            return _response(answer, bound)
        except FAILURES as error:
            kept = _kept_start(error, bound)
            if kept is not None:
                return kept
            raise _failure(error, started_at, write_began=trace.write_began) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()


def _response(answer: RawResponse, bound: AnswerBound) -> httpx.Response:
    """Return an answer as httpx's response, its body decoded; it is marked when it was cut."""
    headers, body = content_coding.decode(answer, bound.max_bytes)
    response = httpx.Response(answer.status, headers=headers, content=body)
    if answer.is_cut:
        response.headers[CUT_HEADER] = AnswerTooLong.label
    return response


def _kept_start(error: Exception, bound: AnswerBound) -> httpx.Response | None:
    """Return the start of an answer beyond its bound, where that is kept; else None."""
    if not (isinstance(error, AnswerTooLong) and error.start is not None and bound.keeps_start):
        return None
    try:
        return _response(error.start, bound)
    except FAILURES:
        return None


def _failure(
    error: BaseException, started_at: float, *, write_began: bool
) -> NotSent | OutcomeUnknown:
    """Return the error that says what a failed request may have done at the gateway."""
    label = type(error).__name__
    if isinstance(error, ConnectionBroken):
        label = f"{error.label} ({error.detail})" if error.detail else error.label
    words = f"{label} after {time.monotonic() - started_at:.1f} s"
    return OutcomeUnknown(words) if write_began else NotSent(words)
