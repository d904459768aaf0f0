"""Sends requests by httpx's own transport, which is slower; its trace events tell of the write.

Each call has a connection of its own, that is closed after the answer. So no call waits for
another's place in a pool, and what a server writes after an answer is never read.
"""

import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from worker.gateways.transport.protocol import (
    AnswerTooLong,
    RawResponse,
    RequestTrace,
    make_ssl_context,
)

_WRITE_STARTED = "send_request_headers.started"
_NOTHING_KEPT = httpx.Limits(max_keepalive_connections=0)


@dataclass(slots=True)
class _WriteWatch:
    """Notes in `trace` when httpx begins to write the request."""

    trace: RequestTrace

    async def __call__(self, event: str, _info: Any) -> None:
        if event.endswith(_WRITE_STARTED):
            self.trace.write_began = True


class HttpxTransport:
    """A transport that opens a connection for each call, and keeps none."""

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._trust = make_ssl_context() if trust is None else trust
        self._in_use: set[httpx.AsyncHTTPTransport] = set()

    async def exchange(
        self, request: httpx.Request, trace: RequestTrace, max_bytes: int
    ) -> RawResponse:
        """Send a request once, and return the whole answer."""
        transport = httpx.AsyncHTTPTransport(
            verify=self._trust, limits=_NOTHING_KEPT, retries=0, trust_env=False
        )
        request.extensions = {"trace": _WriteWatch(trace)}
        self._in_use.add(transport)
        try:
            return await _read_answer(await transport.handle_async_request(request), max_bytes)
        finally:
            self._in_use.discard(transport)
            await transport.aclose()

    async def close(self) -> None:
        """Close all connections."""
        in_use, self._in_use = self._in_use, set()
        for transport in in_use:
            await transport.aclose()


async def _read_answer(response: httpx.Response, max_bytes: int) -> RawResponse:
    """Read an answer to its end, or raise `AnswerTooLong`."""
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > max_bytes:
                start = bytes(body[:max_bytes])
                answer = RawResponse(response.status_code, response.headers.raw, start, is_cut=True)
                raise AnswerTooLong(answer)
    finally:
        await response.aclose()
    return RawResponse(response.status_code, response.headers.raw, bytes(body))
