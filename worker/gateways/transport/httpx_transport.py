"""httpx's own transport: slower, and told by its traces what it has written."""

import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from worker.gateways.transport.asyncio_transport import KEPT
from worker.gateways.transport.protocol import RawResponse, RequestTrace, TooLong

_FIRST_BYTE = "send_request_headers.started"


@dataclass(slots=True)
class _Trace:
    """Learns when the transport begins to write."""

    sent: RequestTrace

    async def __call__(self, event: str, _info: Any) -> None:
        if event.endswith(_FIRST_BYTE):
            self.sent.began = True


class HttpxTransport:
    """A pool of connections, at most so many."""

    def __init__(self, connections: int, longest: int, trust: ssl.SSLContext | None = None) -> None:
        limits = httpx.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=KEPT,
        )
        self._longest = longest
        self._transport = httpx.AsyncHTTPTransport(
            verify=True if trust is None else trust, limits=limits, retries=0, trust_env=False
        )

    async def exchange(self, request: httpx.Request, sent: RequestTrace) -> RawResponse:
        """Send a request once, and return the whole answer."""
        request.extensions = {"trace": _Trace(sent)}
        response = await self._transport.handle_async_request(request)
        body = bytearray()
        try:
            async for part in response.aiter_raw():
                body += part
                if len(body) > self._longest:
                    raise TooLong
        finally:
            await response.aclose()
        return RawResponse(response.status_code, response.headers.raw, bytes(body))

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()
