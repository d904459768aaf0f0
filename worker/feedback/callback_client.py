"""POSTs to the URLs of applications: never to a private address unless the configuration names it.

Each connection resolves its name once and goes to what was found, so that a name which changes its
mind reaches nothing that was not looked at. No redirect, no proxy, no cookie.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import httpcore
import httpx

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Networks whose addresses hide an IPv4 address in their last 32 bits (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
#: What is read of an answer, in bytes: nobody looks at more than its status.
_MOST = 64 * 1024
#: What httpcore raises on its own account.
_WIRE = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class PostResult:
    """How a POST ended: the answer's status, or None with what went wrong."""

    status: int | None
    words: str = ""
    #: Seconds that the receiver asks us to wait.
    retry_after: float | None = None


def reachable(address: Address, allowed: Collection[Network]) -> bool:
    """Tell whether an address is public, or in a network that the configuration allows."""
    inner = _inner(address)
    if any(inner.version == one.version and inner in one for one in allowed):
        return True
    return inner.is_global and not inner.is_multicast


def _inner(address: Address) -> Address:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class PrivateAddress(OSError):
    """A name leads only to addresses that are not to be reached."""


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to names by what they resolve to, if that may be reached.

    A connection that is kept belongs to its name, so that no other name is ever told over it.
    """

    def __init__(self, allowed: Collection[Network]) -> None:
        self._allowed = tuple(allowed)
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the protocol's own word
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        problem: Exception = PrivateAddress()
        for address in await self._reachable(host, port):
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem

    async def _reachable(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a name that may be reached, the preferred one first."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = (ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found)
        return [one for one in addresses if reachable(one, self._allowed)]

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class CallbackClient:
    """Connections to applications, for one event loop. `close` it when the loop ends."""

    def __init__(self, allowed: Collection[Network]) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_Guarded(allowed),
        )

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> PostResult:
        """Post `body` within `seconds`; whatever happens is an answer, and none names the URL."""
        try:
            async with asyncio.timeout(seconds):
                return await self._post(httpx.URL(url), body, headers, seconds)
        except PrivateAddress:
            return PostResult(None, "private address")
        except (TimeoutError, OSError, httpx.InvalidURL, *_WIRE) as error:
            return PostResult(None, type(error).__name__)

    async def _post(
        self, url: httpx.URL, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> PostResult:
        named = {"user-agent": "xinshi", **headers}
        made = httpx.Request("POST", url, headers=named, content=body)
        request = httpcore.Request(
            "POST",
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=made.headers.raw,
            content=body,
            extensions={"timeout": httpx.Timeout(seconds).as_dict()},
        )
        response = await self._pool.handle_async_request(request)
        try:
            read = 0
            async for part in response.aiter_stream():
                read += len(part)
                if read > _MOST:
                    break
        finally:
            await response.aclose()
        return PostResult(response.status, retry_after=_seconds(httpx.Headers(response.headers)))

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


def _seconds(headers: httpx.Headers) -> float | None:
    said = headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() and len(said) < 7 else None
