"""Keeps what comes over the connections that httpx opens, to tell what stood behind an answer.

httpx drops the bytes behind an answer's stated length without a word. They say that the length is
wrong, and that the body may be only the start of what the gateway wrote.
"""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from worker.gateways.transport.protocol import ConnectionBroken
from worker.gateways.transport.tolerant_parser import TolerantParser


class RecordingTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, for one call, with connections that `backend` opens."""

    def __init__(self, context: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend) -> None:
        self._received = bytearray()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_keepalive_connections=0,
            retries=0,
            network_backend=_RecordingBackend(backend, self._received),
        )

    def has_surplus(self, max_bytes: int) -> bool:
        """Tell whether anything but line ends came behind the answer, of at most so many bytes."""
        parser = TolerantParser(max_bytes)
        try:
            parser.feed(bytes(self._received))
        except ConnectionBroken:
            return False
        return parser.has_surplus


class _RecordingBackend(httpcore.AsyncNetworkBackend):
    """Opens connections by another backend, and notes what is read from them."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, received: bytearray) -> None:
        self._backend = backend
        self._received = received

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a connection as the other backend opens it; raises as that does."""
        stream = await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return _RecordingStream(stream, self._received)

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore asks before it tries again; it is told to try once."""
        await self._backend.sleep(seconds)


class _RecordingStream(httpcore.AsyncNetworkStream):
    """A connection that notes what is read from it, without its TLS."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, received: bytearray) -> None:
        self._stream = stream
        self._received = received

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Read what has come, and note it."""
        data = await self._stream.read(max_bytes, timeout)
        self._received += data
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Write all of it."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
    ) -> httpcore.AsyncNetworkStream:
        """Return the same connection with TLS."""
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _RecordingStream(stream, self._received)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks of the connection."""
        return self._stream.get_extra_info(info)
