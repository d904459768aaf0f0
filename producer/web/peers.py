"""Tells which address a call comes from: its peer, or the client that a trusted proxy names."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from starlette.requests import HTTPConnection

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]

#: The forms in which proxies write an address, with a port or without: in brackets, or IPv4.
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::[0-9]{1,5})?")
_IPV4_AND_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
#: How much is kept of an entry that cannot be read, in characters.
_MAX_UNREADABLE = 45


class Peer(NamedTuple):
    """Where a call comes from; `address` is None when it has none (a Unix socket)."""

    address: Address | None
    #: What the last trusted proxy wrote, where it is no address: who is before it is not known.
    unreadable: str = ""


def client_peer(connection: HTTPConnection, trusted: Networks) -> Peer:
    """Return where a call comes from.

    `X-Forwarded-For` is read from its end. An entry counts only when the proxy that added it is
    trusted; an empty one is none.
    """
    address = _parse(connection.client.host if connection.client else "")
    forwarded = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
    entries = [entry for part in forwarded if (entry := part.strip(' \t"'))]
    while address is not None and is_inside(address, trusted) and entries:
        entry = entries.pop()
        previous = _parse(entry)
        if previous is None:
            return Peer(address, ascii(entry[:_MAX_UNREADABLE])[1:-1][:_MAX_UNREADABLE])
        address = previous
    return Peer(address)


def is_inside(address: Address, networks: Networks) -> bool:
    """Tell whether an address lies in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def _parse(text: str) -> Address | None:
    """Read an address, without its port; None when it is none."""
    with_port = _BRACKETED.fullmatch(text) or _IPV4_AND_PORT.fullmatch(text)
    try:
        address = ip_address(with_port[1] if with_port else text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
