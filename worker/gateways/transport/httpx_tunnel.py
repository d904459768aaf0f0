"""Carries httpx's requests through the account's proxy: always by a tunnel, also for http.

httpx by itself forwards http requests to a proxy, and counts a CONNECT as the request's own write.
Below its pool, a connection is a tunnel from the start, and neither happens.
"""

from collections.abc import Iterable
from functools import partial

import httpcore

from worker.gateways.egress import Proxy
from worker.gateways.transport import proxy_tunnel


class TunnelBackend(httpcore.AsyncNetworkBackend):
    """Opens tunnels where httpcore asks for connections."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a tunnel to `host`. Raises `ProxyRefused`, or httpcore's own errors."""
        stream = await self._network.connect_tcp(self._proxy.host, self._proxy.port, timeout)
        try:
            await proxy_tunnel.open_tunnel(
                self._proxy,
                host,
                port,
                stream.write,
                partial(stream.read, proxy_tunnel.MAX_ANSWER_BYTES),
            )
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore asks before it tries again; it is told to try once."""
        await self._network.sleep(seconds)
