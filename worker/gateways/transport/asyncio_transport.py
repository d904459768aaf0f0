"""Xinshi's own transport: asyncio and httptools, no proxy, no redirect, no HTTP/2.

It knows whether a byte of a request can have left: `Sent.began` is set right before the first
write, and whatever fails before it (name, connection, TLS) has sent nothing. A kept connection that
the server has closed is noticed before it is written to, and replaced; after the first byte nothing
is ever repeated.
"""

import asyncio
import ssl
from collections import defaultdict

import httpx

from worker.gateways.transport.connection import ServerConnection
from worker.gateways.transport.http1 import written
from worker.gateways.transport.protocol import RawResponse, RequestTrace, trusted

#: How long an unused connection is kept, in seconds: shorter than servers do, since one that
#: they close just as a request is written makes its outcome unknown.
KEPT = 4.0
#: How long an address is tried alone before the next of the same name, in seconds (RFC 8305).
_NEXT_ADDRESS = 0.25

#: Scheme, host and port.
Origin = tuple[str, bytes, int]


class AsyncioTransport:
    """Keeps at most so many unused connections; there are as many used ones as there are calls."""

    def __init__(self, connections: int, longest: int, trust: ssl.SSLContext | None = None) -> None:
        self._most = connections
        self._longest = longest
        self._trust = trust
        self._open: set[ServerConnection] = set()
        #: The last one used is at the end: it is the least likely to be closed.
        self._unused: defaultdict[Origin, list[ServerConnection]] = defaultdict(list)
        self._sweep: asyncio.TimerHandle | None = None

    async def exchange(self, request: httpx.Request, sent: RequestTrace) -> RawResponse:
        """Send a request once, and return the whole answer."""
        data = written(request)
        origin = _origin(request.url)
        connection = self._kept(origin) or await self._connect(origin)
        sent.began = True
        answer = await connection.exchange(data)
        self._keep(origin, connection)
        return answer

    async def close(self) -> None:
        """Close all connections, and wait until they are gone."""
        if self._sweep is not None:
            self._sweep.cancel()
        self._unused.clear()
        opened, self._open = self._open, set()
        for one in opened:
            one.close()
        await asyncio.gather(*(one.gone for one in opened))

    async def _connect(self, origin: Origin) -> ServerConnection:
        scheme, host, port = origin
        name = host.decode("ascii")
        loop = asyncio.get_running_loop()
        self._open -= {one for one in self._open if one.gone.done()}
        if scheme == "https" and self._trust is None:
            self._trust = trusted()
        secured = scheme == "https"
        _, connection = await loop.create_connection(
            lambda: ServerConnection(self._longest),
            name,
            port,
            ssl=self._trust if secured else None,
            server_hostname=name if secured else None,
            happy_eyeballs_delay=_NEXT_ADDRESS,
        )
        self._open.add(connection)
        return connection

    def _kept(self, origin: Origin) -> ServerConnection | None:
        """Take the connection that was used last, if it is still good."""
        unused = self._unused.get(origin)
        oldest = asyncio.get_running_loop().time() - KEPT
        while unused:
            connection = unused.pop()
            if connection.since > oldest and connection.unspoilt():
                return connection
            connection.close()
        return None

    def _keep(self, origin: Origin, connection: ServerConnection) -> None:
        if not connection.open() or len(self._open) > self._most:
            connection.close()
            return
        self._unused[origin].append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(KEPT, self._close_old)

    def _close_old(self) -> None:
        """Close what was not used for long; come again while anything is left."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - KEPT
        for origin, unused in list(self._unused.items()):
            for one in unused:
                if one.since <= oldest:
                    one.close()
            self._unused[origin] = [one for one in unused if one.since > oldest]
            if not self._unused[origin]:
                del self._unused[origin]
        self._open -= {one for one in self._open if one.gone.done()}
        self._sweep = loop.call_later(KEPT, self._close_old) if self._unused else None


def _origin(url: httpx.URL) -> Origin:
    scheme, host = url.scheme, url.raw_host
    if scheme not in {"http", "https"} or not host:
        msg = "the address is neither http:// nor https://"
        raise httpx.UnsupportedProtocol(msg)
    return scheme, host, url.port or (443 if scheme == "https" else 80)
