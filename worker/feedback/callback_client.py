"""Posts events to the URLs of applications, to private addresses only where the settings say so.

Each connection resolves its host name once, checks the addresses and connects to one of those, so
that a name which resolves to another address a moment later leads nowhere that was not checked. It
follows no redirect, uses no proxy and sends no cookie.
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

#: The network whose addresses hold an IPv4 address in their last 32 bits (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
#: How many bytes of an answer are read at the most; only its status and headers are used.
_MAX_ANSWER_BYTES = 64 * 1024
#: The exceptions that httpcore defines itself for a request that fails on its way.
_TRANSPORT_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class PostResult:
    """How a POST ended: with the status of an answer, or without an answer and with a problem."""

    #: None when there was no answer.
    status: int | None
    #: What went wrong: the name of an exception, or "private address". Empty after an answer.
    problem: str = ""
    #: Seconds that the receiver asks us to wait.
    retry_after: float | None = None


def is_reachable(address: Address, allowed: Collection[Network]) -> bool:
    """Tell whether an address is public, or in a network that the configuration allows.

    An IPv6 address that stands for an IPv4 address is judged as that IPv4 address.
    """
    effective = _effective_address(address)
    if any(effective.version == network.version and effective in network for network in allowed):
        return True
    return effective.is_global and not effective.is_multicast


def _effective_address(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class PrivateAddress(OSError):
    """A host name resolves only to addresses that callbacks must not reach."""


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves host names itself and connects only to addresses that callbacks may reach.

    httpcore keeps a connection under its host name, so no event for another host goes over it.
    """

    def __init__(self, allowed: Collection[Network]) -> None:
        self._allowed = tuple(allowed)
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the protocol's own word
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        problem: Exception = PrivateAddress()
        for address in await self._resolve_reachable(host, port):
            try:
                return await self._backend.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem

    async def _resolve_reachable(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host that callbacks may reach, the preferred one first."""
        address_infos = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )
        addresses = (
            ipaddress.ip_address(str(address_info[4][0]).partition("%")[0])
            for address_info in address_infos
        )
        return [address for address in addresses if is_reachable(address, self._allowed)]

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class CallbackClient:
    """A pool of connections to applications, for one event loop; `close` it with the loop."""

    def __init__(self, allowed: Collection[Network]) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_GuardedBackend(allowed),
        )

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> PostResult:
        """Post `body` within `seconds`, and return how that ended.

        It raises nothing that the network or the URL is the cause of, and no result holds the URL.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._post(httpx.URL(url), body, headers, seconds)
        except PrivateAddress:
            return PostResult(None, "private address")
        except (TimeoutError, OSError, httpx.InvalidURL, *_TRANSPORT_ERRORS) as error:
            return PostResult(None, type(error).__name__)

    async def _post(
        self, url: httpx.URL, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> PostResult:
        all_headers = {"user-agent": "xinshi", **headers}
        prepared = httpx.Request("POST", url, headers=all_headers, content=body)
        request = httpcore.Request(
            "POST",
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=prepared.headers.raw,
            content=body,
            extensions={"timeout": httpx.Timeout(seconds).as_dict()},
        )
        response = await self._pool.handle_async_request(request)
        try:
            read_bytes = 0
            async for chunk in response.aiter_stream():
                read_bytes += len(chunk)
                if read_bytes > _MAX_ANSWER_BYTES:
                    break
        finally:
            await response.aclose()
        return PostResult(
            response.status, retry_after=_retry_after(httpx.Headers(response.headers))
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


def _retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that `Retry-After` asks for; None for a date, or without the header."""
    header = headers.get("retry-after", "")
    return float(header) if header.isascii() and header.isdigit() and len(header) < 7 else None
