"""Tells which address a call comes from: its peer, or the client that a trusted proxy names."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.requests import HTTPConnection

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]


def client_address(connection: HTTPConnection, trusted: Networks) -> Address | None:
    """Return the address that a call comes from; None when it has none (a Unix socket).

    `X-Forwarded-For` is read from its end. An entry counts only when the proxy that added it is
    trusted.
    """
    peer = _parse(connection.client.host if connection.client else "")
    forwarded = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
    while peer is not None and is_inside(peer, trusted) and forwarded:
        previous = _parse(forwarded.pop())
        if previous is None:
            break
        peer = previous
    return peer


def is_inside(address: Address, networks: Networks) -> bool:
    """Tell whether an address lies in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
