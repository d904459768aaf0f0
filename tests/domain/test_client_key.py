"""A client has one name, however it is written: codes are counted under it."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.client_key import IPV6_PREFIX, MAX_KEY_LENGTH, client_key

PORTS = st.integers(0, 65535)
PUBLIC = st.integers(2**24, 2**32 - 1).map(IPv4Address)


def spellings(address: IPv4Address, port: int) -> list[str]:
    """Return the ways in which an application may come to write an IPv4 address."""
    number, octets = int(address), str(address).split(".")
    teredo = IPv6Address((0x20010000 << 96) | (0x41000000 << 64) | (number ^ 0xFFFFFFFF))
    return [
        *(f"{address}", f" {address}\n", f"{address}:{port}", str(number)),
        *(".".join(octet.zfill(3) for octet in octets), f"::ffff:{address}"),
        *(f"[::ffff:{address}]:{port}", str(IPv6Address((0x2002 << 112) | (number << 80) | 1))),
        str(teredo),
    ]


@given(PUBLIC, PORTS)
def test_all_spellings_of_an_ipv4_address_are_one_client(address: IPv4Address, port: int) -> None:
    assert {client_key(spelling) for spelling in spellings(address, port)} == {str(address)}


@given(st.integers(0x2A << 120, (0x2A << 120) + 2**120 - 1), st.integers(0, 2**128 - 1), PORTS)
def test_all_addresses_of_a_household_s_network_are_one_client(
    address: int, others: int, port: int
) -> None:
    """A household is given a /56, and may choose any address in it."""
    host_bits = 2 ** (128 - IPV6_PREFIX) - 1
    neighbour = IPv6Address((address & ~host_bits) | (others & host_bits))
    own = IPv6Address(address)
    for spelling in (f"{neighbour}", f"[{neighbour}]", f"[{neighbour}]:{port}", f"{own}%eth0"):
        assert client_key(spelling) == client_key(own.exploded.upper())
    assert client_key(str(IPv6Address(address ^ (host_bits + 1)))) != client_key(str(own))


@given(st.text(max_size=300))
def test_a_key_is_its_own_key_and_fits_into_its_column(client: str) -> None:
    key = client_key(client)
    assert len(key) <= MAX_KEY_LENGTH
    assert client_key(key.removesuffix(f"/{IPV6_PREFIX}")) == key.strip()


@pytest.mark.parametrize("name", ["session-1", "4711", "13800138000", "007", "1.1.1.256", "a:1"])
def test_what_is_no_address_is_a_name_as_it_stands(name: str) -> None:
    assert client_key(name) == name
