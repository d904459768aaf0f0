"""A company's proxy: what did not get through it was not sent, and what did is as without it."""

import asyncio
import ssl
from collections.abc import Iterator

import httpx
import pytest
import trustme

from tests.support import dropping_gateway, tunnels
from tests.support.dropping_gateway import Failure, Gateway, Line, gateway
from tests.support.tunnels import egress_by, proxy
from worker.domain.errors import NotSent, OutcomeUnknown, WireError
from worker.gateways.egress import DIRECT, Egress
from worker.gateways.transport import answer_bounds
from worker.gateways.transport.client import TRANSPORTS, GatewayClient

AUTHORITY = trustme.CA()
#: The deadline of a call that will be answered, and of one that will not, in seconds.
PATIENT, SHORT = 30.0, 1.0
pytestmark = pytest.mark.parametrize("transport", sorted(TRANSPORTS))
SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])


def served_by(scheme: str) -> ssl.SSLContext | None:
    """Return the context of a gateway that speaks TLS; None for http."""
    if scheme == "http":
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(made)
    return made


def trusting() -> dict[str, str]:
    """Return what an egress says of a gateway whose authority is the tests' own."""
    return {"authorities": AUTHORITY.cert_pem.bytes().decode()}


def ask(
    transport: str, url: str, egress: Egress, calls: int = 1, seconds: float = PATIENT
) -> httpx.Response:
    """Call a gateway so many times, one call after another, and return the last answer."""

    async def call() -> httpx.Response:
        client = GatewayClient(transport)
        try:
            for _ in range(calls):
                request = httpx.Request("POST", url, content=b"x")
                answer = await client.call(request, seconds, answer_bounds.STATUS, egress)
            return answer
        finally:
            await client.close()

    return asyncio.run(call())


@SCHEMES
def test_every_call_goes_by_a_tunnel(transport: str, scheme: str) -> None:
    """Also for http: a proxy that forwards could repeat a call, or answer from its memory."""
    with proxy(good=0) as between, gateway(good=9, trust=served_by(scheme)) as there:
        egress = egress_by(between, "me:p%40ss", **trusting())
        assert ask(transport, there.url, egress, calls=2).text == "ok"
        assert len(there.taken) == 2
        tunnel_count = 1 if transport == "own" else 2
        assert len(between.taken) == tunnel_count == there.connections
    target = b"127.0.0.1:%d" % there.port
    assert between.taken[0].startswith(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n" % (target, target))
    assert b"\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n" in between.taken[0]
    assert b"Proxy-Authorization" not in b"".join(there.taken)


REFUSALS: list[tuple[Failure, str]] = [
    (tunnels.refusing(407), r"ProxyRefused \(it wants other credentials \(407\): see proxy\)"),
    (tunnels.refusing(403), r"ProxyRefused \(it opens no tunnel to this gateway \(403\)\)"),
    (tunnels.refusing(502), r"ProxyRefused \(it opens no tunnel to this gateway \(502\)\)"),
    (tunnels.refusing(302), r"ProxyRefused \(it opens no tunnel to this gateway \(302\)\)"),
    (tunnels.garbage, r"ProxyRefused \(it does not speak HTTP\)"),
    (tunnels.huge_head, r"ProxyRefused \(its answer has no end\)"),
    (tunnels.speak_before, r"ProxyRefused \(something was said in the tunnel"),
    (dropping_gateway.close, r"ProxyRefused \(it closed the connection\)"),
    (dropping_gateway.half_a_head, r"ProxyRefused \(it closed the connection\)"),
    (dropping_gateway.reset, "Error"),
    (dropping_gateway.silence, "TimeoutError"),
]


@SCHEMES
@pytest.mark.parametrize(("behave", "words"), REFUSALS)
def test_what_gets_no_tunnel_is_not_sent_and_says_why(
    transport: str, scheme: str, behave: Failure, words: str
) -> None:
    with proxy(behave) as between, gateway(good=9, trust=served_by(scheme)) as there:
        egress = egress_by(between, "me:secret", **trusting())
        with pytest.raises(NotSent, match=words) as refused:
            ask(transport, there.url, egress, seconds=SHORT)
        assert (there.connections, there.taken) == (0, [])
        assert len(between.taken) == 1
    assert "secret" not in str(refused.value)
    assert "bWU6" not in str(refused.value)


def test_a_proxy_that_is_not_there_is_not_sent(transport: str) -> None:
    with proxy() as between:
        egress = egress_by(between)
    with gateway(good=1) as there:
        with pytest.raises(NotSent):
            ask(transport, there.url, egress)
        assert there.connections == 0


@SCHEMES
@pytest.mark.parametrize("kept", [False, True])
def test_a_proxy_that_dies_when_the_gateway_has_the_request_leaves_it_unknown(
    transport: str, scheme: str, *, kept: bool
) -> None:
    """However it was before: nothing is sent twice."""
    good = 1 if kept else 0

    def die(line: Line) -> None:
        tunnels.tunnel(line, lambda: len(there.taken) > good)

    with (
        gateway(dropping_gateway.silence, good=good, trust=served_by(scheme)) as there,
        proxy(die) as between,
    ):
        egress = egress_by(between, **trusting())
        with pytest.raises(OutcomeUnknown):
            ask(transport, there.url, egress, calls=good + 1)
        assert len(there.taken) == good + 1


@SCHEMES
@pytest.mark.parametrize("failure", [dropping_gateway.half_a_body, dropping_gateway.reset])
def test_what_fails_behind_the_tunnel_is_as_without_a_proxy(
    transport: str, scheme: str, failure: Failure
) -> None:
    with proxy() as between, gateway(failure, trust=served_by(scheme)) as there:
        with pytest.raises(OutcomeUnknown):
            ask(transport, there.url, egress_by(between, **trusting()))
        assert len(there.taken) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_gateway_behind_a_tunnel_is_trusted_no_more_than_without_one(transport: str) -> None:
    with proxy() as between, gateway(good=1, trust=served_by("https")) as there:
        with pytest.raises(NotSent, match="signed by nobody that is trusted: set ca_file"):
            ask(transport, there.url, egress_by(between))
        assert there.taken == []


def test_accounts_share_no_connection_across_ways_out(transport: str) -> None:
    """A connection by one way is not used by an account that goes another."""

    async def call() -> None:
        client = GatewayClient(transport)
        try:
            for egress in (egress_by(between), DIRECT, egress_by(between, "me:x"), DIRECT):
                request = httpx.Request("POST", there.url, content=b"x")
                await client.call(request, PATIENT, answer_bounds.STATUS, egress)
        finally:
            await client.close()

    with proxy() as between, gateway(good=9) as there:
        asyncio.run(call())
        assert len(between.taken) == 2
        assert there.connections == (3 if transport == "own" else 4)


@pytest.fixture
def trap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A proxy that only the environment names."""
    with proxy() as between:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{between.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        yield between


@SCHEMES
def test_the_environment_s_proxy_is_never_gone_through(
    transport: str, scheme: str, trap: Gateway
) -> None:
    with gateway(good=1, trust=served_by(scheme)) as there:
        assert ask(transport, there.url, Egress(**trusting())).text == "ok"
    assert trap.connections == 0


def test_a_call_that_is_given_up_in_a_tunnel_leaves_nothing_open(transport: str) -> None:
    """Neither while the proxy thinks, nor behind it: the next call is served."""
    hanging = [True]

    def think_first(line: Line) -> None:
        if hanging.pop():
            line.request()
        else:
            tunnels.tunnel(line)

    async def call() -> httpx.Response:
        client = GatewayClient(transport)
        try:
            request = httpx.Request("POST", there.url, content=b"x")
            with pytest.raises(WireError):
                await client.call(request, 0.3, answer_bounds.STATUS, egress)
            hanging.append(False)
            return await client.call(request, PATIENT, answer_bounds.STATUS, egress)
        finally:
            await client.close()

    with proxy(think_first) as between, gateway(good=1) as there:
        egress = egress_by(between)
        assert asyncio.run(call()).text == "ok"
