"""Judges network addresses: which of them callbacks may reach. Pure."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Where public IPv6 addresses lie (RFC 4291); all else is local, deprecated or another's notation.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
#: The network whose addresses hold an IPv4 address in their last 32 bits (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
#: Networks that no application is reached in, and that Python 3.11 calls global: tunnels (6to4,
#: Teredo and the relays of 6to4), documentation and the IETF's own assignments.
_UNUSABLE: tuple[Network, ...] = (
    IPv6Network("2002::/16"),
    IPv6Network("2001::/32"),
    IPv6Network("3fff::/20"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("192.0.0.0/24"),
)
#: The second 32 bits of an interface's id that hold an IPv4 address by ISATAP (RFC 5214).
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


def is_reachable(address: Address, allowed: Collection[Network]) -> bool:
    """Tell whether an address is public, or in a network that the configuration allows.

    An IPv6 address that stands for an IPv4 address (mapped, or by NAT64) is judged as that one.
    """
    return is_within(address, allowed) or _is_public(_effective_address(address))


def is_within(address: Address, networks: Collection[Network]) -> bool:
    """Tell whether an address, or the IPv4 address that it stands for, is in one of `networks`."""
    effective = _effective_address(address)
    return any(
        effective.version == network.version and effective in network for network in networks
    )


def _is_public(address: Address) -> bool:
    """Tell whether an address is one of the Internet's, at which a machine is reached directly."""
    if isinstance(address, IPv6Address) and (
        address not in _GLOBAL_UNICAST or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    ):
        return False
    return address.is_global and not address.is_multicast and not is_within(address, _UNUSABLE)


def _effective_address(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
