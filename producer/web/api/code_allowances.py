"""Says what a request for codes takes of the allowances: for each number, and for a client."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from worker.config.web_settings import WebSettings
from worker.domain.enums import MessageClass
from worker.intake.enqueue import CheckedRequest
from worker.store.intake.allowances import AllowanceClaim

#: An IPv6 client usually has a whole network of this length to itself.
IPV6_PREFIX = 64


def allowance_claims(
    web: WebSettings, checked: CheckedRequest, client: str | None, *, test: bool
) -> Sequence[AllowanceClaim]:
    """Return what a request takes of the allowances: nothing, unless it is a code."""
    if checked.new_request.message_class is not MessageClass.OTP:
        return ()
    prefix = "test_" if test else ""
    claims = []
    if web.otp_per_recipient:
        claims += [
            AllowanceClaim(f"{prefix}otp_recipient", recipient, web.otp_per_recipient)
            for recipient in checked.msisdns
        ]
    if client is not None and web.otp_per_client:
        claims.append(AllowanceClaim(f"{prefix}otp_client", client_key(client), web.otp_per_client))
    return claims


def client_key(client: str) -> str:
    """Return the name under which a client's codes are counted.

    An application names its client by an address or by any other word. An IPv6 address counts as
    its /64, and one that stands for an IPv4 address as the IPv4 address.
    """
    try:
        address = ip_address(client.strip())
    except ValueError:
        return client.strip()[:128]
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        unscoped = IPv6Address(int(address))
        return str(ip_network((unscoped, IPV6_PREFIX), strict=False))
    return str(address)
