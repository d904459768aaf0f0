"""Where a call comes from: the peer, or whom a proxy that we trust says that it came from."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.requests import HTTPConnection

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]


def address(connection: HTTPConnection, trusted: Networks) -> Address | None:
    """Return the address that a call comes from; None when it has none (a Unix socket).

    `X-Forwarded-For` is read from its end, as long as whoever wrote an entry is trusted.
    """
    peer = _read(connection.client.host if connection.client else "")
    said = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
    while peer is not None and inside(peer, trusted) and said:
        before = _read(said.pop())
        if before is None:
            break
        peer = before
    return peer


def inside(one: Address, networks: Networks) -> bool:
    """Tell whether an address lies in one of the networks."""
    return any(one.version == network.version and one in network for network in networks)


def _read(text: str) -> Address | None:
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
