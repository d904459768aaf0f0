"""Bring the clients that applications name to one spelling each, under which codes are counted.

A client is an address or any other word, as a session's name.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

#: The network that counts as one IPv6 client. A household is delegated a whole /56 (RIPE-690), so
#: that /64s would be 256 clients. A handset has one /64: those that share a /56 are still fewer
#: than share one IPv4 address behind a carrier. A /48 would be a town of handsets.
IPV6_PREFIX = 56
#: The longest name that is counted; of a longer one the rest makes no difference.
MAX_KEY_LENGTH = 128

_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::\d{1,5})?")
_DOTTED = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?::\d{1,5})?", re.ASCII)
_DECIMAL = re.compile(r"[1-9]\d{7,9}", re.ASCII)
#: The addresses that a decimal can stand for, from 1.0.0.0 on: a smaller one is somebody's number.
_DECIMAL_ADDRESSES = range(2**24, 2**32)


def client_key(client: str) -> str:
    """Return the name under which a client's codes are counted.

    Of an address the port, brackets, zone and needless zeros are left out, and a decimal is written
    with dots. An IPv6 address that stands for an IPv4 one (mapped, 6to4, Teredo) counts as that,
    any other as its network.
    """
    name = client.strip()
    address = _address(name)
    if address is None:
        return name[:MAX_KEY_LENGTH]
    if isinstance(address, IPv4Address):
        return str(address)
    teredo = address.teredo
    embedded = address.ipv4_mapped or address.sixtofour or (teredo and teredo[1])
    unscoped = IPv6Address(int(address))
    return str(embedded or ip_network((unscoped, IPV6_PREFIX), strict=False))


def _address(name: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a name is, however it is written; None when it is none."""
    bracketed, dotted = _BRACKETED.fullmatch(name), _DOTTED.fullmatch(name)
    if bracketed:
        name = bracketed[1]
    elif dotted:
        name = ".".join(str(int(part)) for part in dotted.groups())
    elif _DECIMAL.fullmatch(name) and int(name) in _DECIMAL_ADDRESSES:
        return IPv4Address(int(name))
    try:
        return ip_address(name)
    except ValueError:
        return None
