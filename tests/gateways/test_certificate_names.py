"""Whose certificate it is can be read by a person who has to know, and nothing is sent for it."""

import asyncio
import ssl
from collections.abc import Sequence

import httpx
import pytest
import trustme

from tests.support.dropping_gateway import Gateway, gateway
from tests.support.tunnels import egress_by, proxy
from worker.gateways.egress import Egress
from worker.gateways.transport import certificate_names

AUTHORITY = trustme.CA()
PEM = AUTHORITY.cert_pem.bytes().decode()


def server(*names: str) -> ssl.SSLContext:
    """Return the context of a gateway whose certificate bears these names."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names).configure_cert(made)
    return made


def names_at(there: Gateway, egress: Egress) -> Sequence[str]:
    return asyncio.run(certificate_names.read(httpx.URL(there.url), egress, 10.0))


def test_the_names_of_a_certificate_are_read_straight_and_by_a_tunnel() -> None:
    with gateway(trust=server("a.example", "*.b.example")) as there, proxy() as between:
        for egress in (Egress(authorities=PEM), egress_by(between, authorities=PEM)):
            assert names_at(there, egress) == ["a.example", "*.b.example"]
        assert (there.bytes_seen, len(between.taken)) == (0, 1)


def test_whoever_signed_it_has_to_be_trusted() -> None:
    with (
        gateway(trust=server("a.example")) as there,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        names_at(there, Egress())
