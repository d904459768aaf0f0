"""Sends requests by Xinshi's own transport: asyncio and httptools, no redirect, no HTTP/2.

It knows whether a byte of a request can have left: `RequestTrace.write_began` is set right before
the first write, and whatever fails before it (name, connection, TLS) has sent nothing. A kept
connection that the server has closed is noticed before it is written to, and replaced; after the
first byte nothing is ever repeated.
"""

import asyncio
import contextlib
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx

from worker.gateways.egress import DIRECT, Egress
from worker.gateways.transport import proxy_tunnel
from worker.gateways.transport.connection import ServerConnection
from worker.gateways.transport.http1 import encode_request
from worker.gateways.transport.protocol import RawResponse, RequestTrace
from worker.gateways.transport.tls import TlsContexts

#: How long an unused connection is kept: shorter than servers keep theirs, since the outcome of a
#: request is unknown when the server closes the connection just as the request is written.
KEEPALIVE_SECONDS = 4.0
#: How long one address of a name is tried alone before the next one, in seconds (RFC 8305).
_NEXT_ADDRESS_DELAY = 0.25
#: How long one of several resolved addresses is tried before the next one, in seconds.
_LONGEST_TRY = 2.0

#: Scheme, host and port.
Origin = tuple[str, bytes, int]
#: What a connection is kept for: nobody else's requests may go by it.
Route = tuple[Egress, Origin]
#: Finds the addresses of an origin that may be connected to, the preferred one first; never none.
Resolve = Callable[[Origin], Awaitable[Sequence[str]]]


class AsyncioTransport:
    """A transport that opens a connection for each call under way, and keeps unused ones for later.

    It keeps a connection while it has no more than `max_unused` in all. `trust` replaces the
    public authorities, and `resolve` the event loop's own look-up of names: a proxy, which looks
    names up by itself, is refused then.
    """

    def __init__(
        self,
        max_unused: int,
        trust: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._max_unused = max_unused
        self._contexts = TlsContexts(trust)
        self._resolve = resolve
        self._connections: set[ServerConnection] = set()
        #: The connection used last is at the end: the server is the least likely to have closed it.
        self._unused: defaultdict[Route, list[ServerConnection]] = defaultdict(list)
        self._sweep_timer: asyncio.TimerHandle | None = None

    async def exchange(
        self,
        request: httpx.Request,
        trace: RequestTrace,
        max_bytes: int,
        egress: Egress = DIRECT,
    ) -> RawResponse:
        """Send a request once, and return the whole answer."""
        data = encode_request(request)
        route = egress, _origin(request.url)
        connection = self._take_unused(route) or await self._connect(route)
        trace.write_began = True
        answer = await connection.exchange(data, max_bytes, trace)
        self._keep_unused(route, connection)
        return answer

    async def close(self) -> None:
        """Close all connections, and wait until they are gone."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        self._unused.clear()
        open_connections, self._connections = self._connections, set()
        for connection in open_connections:
            connection.close()
        await asyncio.gather(*(connection.closed for connection in open_connections))

    async def _connect(self, route: Route) -> ServerConnection:
        """Open a connection to an origin; forget those that are closed."""
        self._forget_closed()
        egress, origin = route
        if egress.proxy is not None:
            connection = await self._connect_by_proxy(egress, origin)
        elif self._resolve is None:
            connection = await self._connect_to(origin[1].decode("ascii"), route)
        else:
            connection = await self._connect_to_any(await self._resolve(origin), route)
        self._connections.add(connection)
        return connection

    async def _connect_by_proxy(self, egress: Egress, origin: Origin) -> ServerConnection:
        """Open a connection through a tunnel of the account's proxy."""
        if egress.proxy is None or self._resolve is not None:
            msg = "no proxy is gone through to addresses that were resolved here"
            raise httpx.ProxyError(msg)
        host, port = origin[1].decode("ascii"), origin[2]
        tunnel = await proxy_tunnel.connect(egress.proxy, host, port)
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                ServerConnection, sock=tunnel, **self._tls(egress, origin)
            )
        except BaseException:
            tunnel.close()
            raise
        return connection

    async def _connect_to_any(self, addresses: Sequence[str], route: Route) -> ServerConnection:
        """Open a connection to the first address that takes one, or raise the last one's error."""
        for address in addresses[:-1]:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(_LONGEST_TRY):
                    return await self._connect_to(address, route)
        return await self._connect_to(addresses[-1], route)

    async def _connect_to(self, address: str, route: Route) -> ServerConnection:
        """Open a connection to an address, or to the addresses of a name."""
        egress, origin = route
        # A race of addresses that is cancelled may leave a connected socket to the garbage
        # collector: an address that was resolved before needs none.
        delay = _NEXT_ADDRESS_DELAY if self._resolve is None else None
        _, connection = await asyncio.get_running_loop().create_connection(
            ServerConnection,
            address,
            origin[2],
            happy_eyeballs_delay=delay,
            **self._tls(egress, origin),
        )
        return connection

    def _tls(self, egress: Egress, origin: Origin) -> dict[str, Any]:
        """Return what asyncio is told about TLS: nothing for http."""
        scheme, host, _ = origin
        if scheme != "https":
            return {}
        name = egress.server_name or host.decode("ascii")
        return {"ssl": self._contexts.of(egress), "server_hostname": name}

    def _forget_closed(self) -> None:
        self._connections -= {
            connection for connection in self._connections if connection.closed.done()
        }

    def _take_unused(self, route: Route) -> ServerConnection | None:
        """Take out the connection that was used last and is still good; close the others met."""
        unused = self._unused.get(route)
        oldest = asyncio.get_running_loop().time() - KEEPALIVE_SECONDS
        while unused:
            connection = unused.pop()
            if connection.idle_since > oldest and connection.is_reusable():
                return connection
            connection.close()
        return None

    def _keep_unused(self, route: Route, connection: ServerConnection) -> None:
        """Keep a connection for later calls, or close it when there are enough."""
        if not connection.is_open() or len(self._connections) > self._max_unused:
            connection.close()
            return
        self._unused[route].append(connection)
        if self._sweep_timer is None:
            self._sweep_timer = asyncio.get_running_loop().call_later(
                KEEPALIVE_SECONDS, self._close_expired
            )

    def _close_expired(self) -> None:
        """Close connections that were unused for too long; run again later while any is unused."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - KEEPALIVE_SECONDS
        for route, unused in list(self._unused.items()):
            for connection in unused:
                if connection.idle_since <= oldest:
                    connection.close()
            self._unused[route] = [
                connection for connection in unused if connection.idle_since > oldest
            ]
            if not self._unused[route]:
                del self._unused[route]
        self._forget_closed()
        self._sweep_timer = (
            loop.call_later(KEEPALIVE_SECONDS, self._close_expired) if self._unused else None
        )


def _origin(url: httpx.URL) -> Origin:
    """Return where to connect to. Raises `httpx.UnsupportedProtocol` for anything but HTTP."""
    scheme, host = url.scheme, url.raw_host
    if scheme not in {"http", "https"} or not host:
        msg = "the address is neither http:// nor https://"
        raise httpx.UnsupportedProtocol(msg)
    return scheme, host, url.port or (443 if scheme == "https" else 80)
