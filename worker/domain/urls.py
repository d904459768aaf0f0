"""Check the URLs of applications as they are written, without a look-up. Pure."""

import re
from collections.abc import Collection
from ipaddress import ip_address

import httpx
import idna

from worker.domain.addresses import Address, Network, is_reachable, is_within

MAX_URL_LENGTH = 2000
MAX_HOST_LENGTH = 253
#: A label of a host name; names of containers may have an underscore.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
#: A last label that resolvers read as a part of an IPv4 address: `127.1`, `0x7f000001`.
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
#: What resolvers answer for these names without asking anybody (RFC 6761).
_LOCALHOST: tuple[Address, ...] = (ip_address("127.0.0.1"), ip_address("::1"))

_NO_URL = "is no URL"
_NO_HOST = "its host is no name and no address; write it as https://app.example.com/xinshi"


def problem(url: str, networks: Collection[Network] = ()) -> str | None:
    """Return why nothing can be posted to a URL as it is written; None when it can be.

    `networks` are those that the configuration allows: private addresses and plain HTTP lead there
    alone. What a name leads to is seen when an event is posted.
    """
    if len(url) > MAX_URL_LENGTH:
        return f"has more than {MAX_URL_LENGTH} characters"
    try:
        parts = httpx.URL(url)
        host = parts.raw_host.decode("ascii").lower()
    except (httpx.InvalidURL, ValueError):
        return _NO_URL
    has_port = parts.port is None or 0 < parts.port < 65536
    if parts.scheme not in {"http", "https"} or not host or not has_port:
        return "write it with its scheme and host, as https://app.example.com/xinshi"
    if parts.userinfo or parts.fragment:
        return "leave out the user, the password and the fragment; events are signed instead"
    try:
        addresses = _addresses(host)
    except ValueError:
        return _NO_HOST
    return _reach_problem(parts.scheme, addresses, networks)


def _reach_problem(
    scheme: str, addresses: Collection[Address], networks: Collection[Network]
) -> str | None:
    """Return why a scheme and the addresses of a host (none where a name is to be asked) do not do.

    Numbers and texts of replies go over the wire in plain HTTP: only where the configuration says
    that the network is its own.
    """
    if addresses and not any(is_reachable(address, networks) for address in addresses):
        return "leads to a private address; callback_networks has to name its network"
    in_own_network = any(is_within(address, networks) for address in addresses)
    if scheme == "http" and not (in_own_network or (networks and not addresses)):
        return "write https://; plain HTTP is for networks that callback_networks names"
    return None


def _addresses(host: str) -> tuple[Address, ...]:
    """Return the addresses that a host in ASCII is, known without asking; () for other names.

    Raises `ValueError` for what is neither a name nor an address.
    """
    if ":" in host or _NUMERIC.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        return (ip_address(host),)
    labels = host.removesuffix(".").split(".")
    if len(host) > MAX_HOST_LENGTH or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(_NO_HOST)
    for label in labels:
        if label.startswith("xn--"):
            idna.ulabel(label)  # raises IDNAError, a ValueError
    return _LOCALHOST if labels[-1] == "localhost" else ()
