"""Which URLs events may be posted to, as they are written."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain import urls
from worker.domain.addresses import is_reachable

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
#: An address in a private network that every form below hides.
HIDDEN = int(IPv4Address("10.0.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        *("", "app", "ftp://a.example", "https://", "https://me:pw@a.example/x"),
        *("https://a.example/#x", "https://a.example:0/", "https://a.example:65536/"),
        *("https://a..b/", f"https://{'a' * 64}.example/", "https://xn--/", "https://xn--a/"),
        *(
            f"https://{'a.' * 130}example/",
            "https://.example/",
            "https://-a.example/",
            "https://a b/",
        ),
        *("https://a.example/\0", "https://a.example/\ud800", "https://a\r\nb.example/"),
        *("https://127.1/", "https://0x7f000001/", "https://2130706433/", "https://1.2.3.4.5/"),
        *(
            "https://256.1.1.1/",
            "https://[::1/",
            "https://[1.2.3.4]/",
            f"https://a.example/{'x' * 2000}",
        ),
    ],
)
def test_a_url_to_which_nothing_can_be_posted_is_refused(url: str) -> None:
    assert urls.problem(url, LOOPBACK)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://app.example.com:8443/xinshi?of=shop",
            "https://app/",
            "https://my_app.internal/",
        ),
        *("https://例子.example/x", "https://xn--fsqu00a.example/", "https://93.184.216.34/"),
        *("https://[2606:2800:220:1::1]/", "https://app.example.com./", "HTTPS://APP.EXAMPLE.COM/"),
    ],
)
def test_an_ordinary_url_is_fine(url: str) -> None:
    assert urls.problem(url) is None


@pytest.mark.parametrize("host", ["10.0.0.1", "localhost", "LOCALHOST.", "[::1]", "[::ffff:a00:1]"])
def test_a_private_address_is_refused_when_it_is_written_down(host: str) -> None:
    assert "private" in str(urls.problem(f"https://{host}/"))


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]", "app:8000"])
def test_plain_http_is_for_networks_that_are_named(host: str) -> None:
    assert urls.problem(f"http://{host}/")
    assert urls.problem(f"http://{host}/", LOOPBACK) is None


def test_plain_http_to_a_public_address_is_refused_whatever_else_is_allowed() -> None:
    assert "https://" in str(urls.problem("http://93.184.216.34/", LOOPBACK))
    assert urls.problem("http://93.184.216.34/", [ip_network("93.184.216.34/32")]) is None


@given(st.text() | st.text().map(lambda rest: f"https://{rest}"))
def test_no_text_is_more_than_refused(url: str) -> None:
    reason = urls.problem(url)
    assert reason is None or reason


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *(("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False)),
        *(("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False)),
        *(("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False)),
        *(("224.0.0.1", False), ("255.255.255.255", False), ("192.88.99.1", False)),
        *(("::1", False), ("::", False), ("fe80::1", False), ("fd00::1", False)),
        *(("fec0::1", False), ("ff0e::1", False), ("100::1", False), ("2001:db8::1", False)),
        *(("3fff::1", False), ("5f00::1", False), ("4000::1", False)),
    ],
)
def test_only_public_addresses_are_reachable(address: str, *, public: bool) -> None:
    assert is_reachable(ip_address(address), ()) is public


@pytest.mark.parametrize(
    "form",
    [
        *("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::", "fe80::5efe:0:0"),
        *("2606:2800:220:1::5efe:0:0", "2606:2800:220:1:200:5efe:0:0"),
    ],
)
def test_an_ipv4_address_is_hidden_in_no_form_of_an_ipv6_address(form: str) -> None:
    assert not is_reachable(IPv6Address(int(IPv6Address(form)) | HIDDEN), ())


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**80 - 1))
def test_no_tunnel_is_reachable(relay: int, rest: int) -> None:
    """6to4 and Teredo lead through somebody else's relay, whatever address they hold."""
    assert not is_reachable(IPv6Address((0x2002 << 112) | (relay << 80) | rest), ())
    assert not is_reachable(IPv6Address((0x20010000 << 96) | (relay << 64) | rest % 2**64), ())


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_address_that_is_mapped_or_behind_nat64_is_judged_as_itself(
    address: IPv4Address,
) -> None:
    for form in ("::ffff:0:0", "64:ff9b::"):
        translated = IPv6Address(int(IPv6Address(form)) | int(address))
        for allowed in ((), LOOPBACK):
            assert is_reachable(translated, allowed) is is_reachable(address, allowed)
