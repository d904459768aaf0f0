"""POSTs to the URLs of applications: never to a private address unless the configuration names it.

A name is resolved once and the connection goes to what was found, so that a name which changes its
mind reaches nothing that was not looked at. No redirect, no proxy, no cookie.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

import httpx

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Networks whose addresses hide an IPv4 address in their last 32 bits (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
#: What is read of an answer, in bytes: nobody looks at more than its status.
_MOST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Said:
    """How a POST ended: the answer's status, or None with what went wrong."""

    status: int | None
    words: str = ""
    #: Seconds that the receiver asks us to wait.
    retry_after: float | None = None


def problem(url: str) -> str | None:
    """Say why nothing can be posted to a URL as it is written; None when it can."""
    try:
        parts = urlsplit(url)
        port_is_sane = parts.port != 0
    except ValueError:
        return "is no URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_sane:
        return "write it with its scheme and host, as https://app.example.com/xinshi"
    if parts.username or parts.password or parts.fragment:
        return "leave out the user, the password and the fragment; events are signed instead"
    return None


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


class Outward:
    """Connections to applications, for one event loop. `close` it when the loop ends."""

    def __init__(self, allowed: Collection[Network]) -> None:
        self._allowed = tuple(allowed)
        self._transport = httpx.AsyncHTTPTransport(retries=0, trust_env=False)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Said:
        """Post `body` within `seconds`; whatever happens is an answer, and none names the URL."""
        try:
            async with asyncio.timeout(seconds):
                return await self._post(httpx.URL(url), body, headers, seconds)
        except (TimeoutError, OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            return Said(None, type(error).__name__)

    async def _post(
        self, url: httpx.URL, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Said:
        address = await self._resolve(url)
        if address is None:
            return Said(None, "private address")
        request = httpx.Request(
            "POST",
            url.copy_with(host=str(address)),
            headers={"host": url.netloc.decode(), "user-agent": "xinshi", **headers},
            content=body,
            extensions={
                "timeout": httpx.Timeout(seconds).as_dict(),
                "sni_hostname": url.host,
            },
        )
        response = await self._transport.handle_async_request(request)
        try:
            read = 0
            async for part in response.aiter_raw():
                read += len(part)
                if read > _MOST:
                    break
        finally:
            await response.aclose()
        return Said(response.status_code, retry_after=_seconds(response.headers))

    async def _resolve(self, url: httpx.URL) -> Address | None:
        """Return an address that may be reached; None when there is only what may not."""
        found = await asyncio.get_running_loop().getaddrinfo(
            url.host, url.port or 443, type=socket.SOCK_STREAM
        )
        addresses = [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found]
        return next((one for one in addresses if reachable(one, self._allowed)), None)

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


def _seconds(headers: httpx.Headers) -> float | None:
    said = headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() and len(said) < 7 else None
