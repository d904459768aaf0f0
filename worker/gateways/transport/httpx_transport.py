"""Sends requests by httpx's own transport, which is slower; its trace events tell of the write.

Each call has a connection of its own, that is closed after the answer. So no call waits for
another's place in a pool, and what a server writes after an answer is never read.
"""

import ssl
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from worker.gateways.egress import DIRECT, Egress
from worker.gateways.transport.httpx_backend import RecordingTransport
from worker.gateways.transport.httpx_faults import broken_connection
from worker.gateways.transport.httpx_tunnel import TunnelBackend
from worker.gateways.transport.protocol import AnswerTooLong, RawResponse, RequestTrace
from worker.gateways.transport.tls import TlsContexts

_WRITE_STARTED = "send_request_headers.started"


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
        self._contexts = TlsContexts(trust)
        # Before the first call, and not within its deadline.
        self._contexts.of(DIRECT)
        self._in_use: set[RecordingTransport] = set()

    async def exchange(
        self,
        request: httpx.Request,
        trace: RequestTrace,
        max_bytes: int,
        egress: Egress = DIRECT,
    ) -> RawResponse:
        """Send a request once, and return the whole answer."""
        transport = self._open(egress)
        request.extensions = {"trace": _WriteWatch(trace)}
        if egress.server_name is not None:
            request.extensions["sni_hostname"] = egress.server_name
        self._in_use.add(transport)
        try:
            response = await transport.handle_async_request(request)
            answer = await _read_answer(response, trace, max_bytes)
        except httpx.RemoteProtocolError as error:
            raise broken_connection(error) from error
        else:
            if transport.has_surplus(max_bytes):
                trace.start = answer._replace(is_cut=True)
            return answer
        finally:
            self._in_use.discard(transport)
            await transport.aclose()

    async def close(self) -> None:
        """Close all connections."""
        in_use, self._in_use = self._in_use, set()
        for transport in in_use:
            await transport.aclose()

    def _open(self, egress: Egress) -> RecordingTransport:
        """Return httpx's transport for one call."""
        backend = httpcore.AnyIOBackend() if egress.proxy is None else TunnelBackend(egress.proxy)
        return RecordingTransport(self._contexts.of(egress), backend)


async def _read_answer(
    response: httpx.Response, trace: RequestTrace, max_bytes: int
) -> RawResponse:
    """Read an answer to its end, or raise; what came is in `trace.start` then."""
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > max_bytes:
                raise AnswerTooLong  # noqa: TRY301 - noted below as any other end
    except BaseException:
        start = bytes(body[:max_bytes])
        trace.start = RawResponse(response.status_code, response.headers.raw, start, is_cut=True)
        raise
    finally:
        await response.aclose()
    return RawResponse(response.status_code, response.headers.raw, bytes(body))
