"""Sends requests, as the only module: one total deadline, no retry, no redirect.

A proxy is gone through where the account names one, and never because of the environment.

It raises two errors only. `NotSent`: no byte of the request left this machine, as its transport
knows. `OutcomeUnknown`: anything else that is no answer.
"""

import asyncio
import ssl
import time
import zlib
from collections.abc import Mapping

import httpx

from worker.domain.errors import NotSent, OutcomeUnknown, ProxyRefusal
from worker.gateways.egress import DIRECT, Egress
from worker.gateways.page_contents import CUT_HEADER
from worker.gateways.transport import answer_bounds, content_coding, tls
from worker.gateways.transport.answer_bounds import AnswerBound
from worker.gateways.transport.asyncio_transport import AsyncioTransport
from worker.gateways.transport.httpx_transport import HttpxTransport
from worker.gateways.transport.protocol import (
    ConnectionBroken,
    RawResponse,
    RequestTrace,
    Transport,
)
from worker.gateways.transport.proxy_tunnel import ProxyRefused

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
#: Why a page is cut whose server said that it was shorter.
_SURPLUS = "more came behind it"
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
        egress: Egress = DIRECT,
    ) -> httpx.Response:
        """Send `request` by `egress` and return the whole answer within `seconds`.

        Any status is an answer. Raises `NotSent` or `OutcomeUnknown`; neither names the URL. An
        answer that is not whole, or longer than `bound`, is unknown; where the bound says so what
        came of its body is returned, marked by `CUT_HEADER`.
        """
        if "user-agent" not in request.headers:
            request.headers["User-Agent"] = USER_AGENT
        trace = RequestTrace()
        started_at = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                answer = await self._transport.exchange(request, trace, bound.max_bytes, egress)
            if bound.keeps_start:
                return _page_response(answer, trace, bound)
            return _response(answer, bound)
        except FAILURES as error:
            if trace.start is not None and trace.start.body and bound.keeps_start:
                return _cut_response(trace.start, _label(error), bound)
            raise _failure(error, started_at, write_began=trace.write_began) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()


def _response(answer: RawResponse, bound: AnswerBound) -> httpx.Response:
    """Return an answer as httpx's response, its body decoded."""
    headers, body = content_coding.decode(answer, bound.max_bytes)
    return httpx.Response(answer.status, headers=headers, content=body)


def _page_response(answer: RawResponse, trace: RequestTrace, bound: AnswerBound) -> httpx.Response:
    """Return a page, marked as cut where it cannot be decoded, or where more came behind it."""
    if trace.start is not None:
        return _cut_response(trace.start, _SURPLUS, bound)
    try:
        response = _response(answer, bound)
    except FAILURES as error:
        start = getattr(error, "start", None) or answer._replace(is_cut=True)
        return _cut_response(start, _label(error), bound)
    # Only we say so.
    response.headers.pop(CUT_HEADER, None)
    return response


def _cut_response(start: RawResponse, reason: str, bound: AnswerBound) -> httpx.Response:
    """Return the start of an answer, marked; as it came where it cannot be decoded."""
    try:
        response = _response(start, bound)
    except FAILURES:
        response = httpx.Response(start.status, content=start.body)
    response.headers[CUT_HEADER] = reason
    return response


def _failure(
    error: BaseException, started_at: float, *, write_began: bool
) -> NotSent | OutcomeUnknown:
    """Return the error that says what a failed request may have done at the gateway."""
    words = f"{_label(error)} after {time.monotonic() - started_at:.1f} s"
    status = error.status if isinstance(error, ProxyRefused) else None
    if status is not None and status < 500 and not write_began:
        return ProxyRefusal(words, wants_login=status == 407)
    return OutcomeUnknown(words) if write_began else NotSent(words)


def _label(error: BaseException) -> str:
    """Return the word for a failure, and what more is known of it."""
    if isinstance(error, ConnectionBroken):
        label, detail = error.label, error.detail
    else:
        label, detail = type(error).__name__, tls.failure_words(error)
    return f"{label} ({detail})" if detail else label
