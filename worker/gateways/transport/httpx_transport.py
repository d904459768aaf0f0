"""Sends requests by httpx's own transport, which is slower; its trace events tell of the write."""

import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from worker.gateways.transport.asyncio_transport import KEEPALIVE_SECONDS
from worker.gateways.transport.protocol import AnswerTooLong, RawResponse, RequestTrace

_WRITE_STARTED = "send_request_headers.started"


@dataclass(slots=True)
class _WriteWatch:
    """Notes in `trace` when httpx begins to write the request."""

    trace: RequestTrace

    async def __call__(self, event: str, _info: Any) -> None:
        if event.endswith(_WRITE_STARTED):
            self.trace.write_began = True


class HttpxTransport:
    """A transport over httpx's pool of at most `max_connections` connections."""

    def __init__(
        self, max_connections: int, max_bytes: int, trust: ssl.SSLContext | None = None
    ) -> None:
        limits = httpx.Limits(
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=KEEPALIVE_SECONDS,
        )
        self._max_bytes = max_bytes
        self._transport = httpx.AsyncHTTPTransport(
            verify=True if trust is None else trust, limits=limits, retries=0, trust_env=False
        )

    async def exchange(self, request: httpx.Request, trace: RequestTrace) -> RawResponse:
        """Send a request once, and return the whole answer."""
        request.extensions = {"trace": _WriteWatch(trace)}
        response = await self._transport.handle_async_request(request)
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self._max_bytes:
                    raise AnswerTooLong
        finally:
            await response.aclose()
        return RawResponse(response.status_code, response.headers.raw, bytes(body))

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()
