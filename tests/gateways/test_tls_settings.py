"""Whom an account trusts: its own authority, the name that it says, the TLS that it allows."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trustme

from tests.gateways.test_proxies import ask
from tests.support.dropping_gateway import gateway
from worker.domain.errors import NotSent
from worker.gateways.egress import DIRECT, Egress
from worker.gateways.transport.client import TRANSPORTS

AUTHORITY = trustme.CA()
PEM = AUTHORITY.cert_pem.bytes().decode()
pytestmark = [
    pytest.mark.parametrize("transport", sorted(TRANSPORTS)),
    # httpx leaves a socket to the garbage collector when a handshake fails in its middle.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def server(certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """Return the context of a gateway with a certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (certificate or AUTHORITY.issue_cert("127.0.0.1")).configure_cert(made)
    return made


def test_an_account_s_own_authority_is_trusted_and_no_other(transport: str) -> None:
    with gateway(good=1, trust=server()) as there:
        assert ask(transport, there.url, Egress(authorities=PEM)).text == "ok"
    other = trustme.CA().cert_pem.bytes().decode()
    with gateway(good=1, trust=server()) as there:
        with pytest.raises(NotSent, match="signed by nobody that is trusted: set ca_file"):
            ask(transport, there.url, Egress(authorities=other))
        assert there.bytes_seen == 0


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_name_that_an_account_says_is_asked_for_and_checked(
    transport: str, newest: ssl.TLSVersion
) -> None:
    names: list[str | None] = []
    context = server(AUTHORITY.issue_cert("sms.example.com"))
    context.maximum_version = newest
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with gateway(good=1, trust=context) as there:
        egress = Egress(authorities=PEM, server_name="sms.example.com")
        assert ask(transport, there.url, egress).text == "ok"
        assert b"Host: 127.0.0.1:%d" % there.port in there.taken[0]
    assert names == ["sms.example.com"]


def test_an_old_protocol_is_refused_where_the_account_says_so(transport: str) -> None:
    context = server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with gateway(good=2, trust=context) as there:
        assert ask(transport, there.url, Egress(authorities=PEM)).text == "ok"
        with pytest.raises(NotSent, match="another version of TLS than tls_minimum allows"):
            ask(transport, there.url, Egress(authorities=PEM, tls_minimum="1.3"))
        assert len(there.taken) == 1


def dated(**dates: timedelta) -> trustme.LeafCert:
    """Return a certificate that is valid at other times than now."""
    times = {name: datetime.now(UTC) + span for name, span in dates.items()}
    return AUTHORITY.issue_cert("127.0.0.1", **times)


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (lambda: dated(not_after=timedelta(days=-1)), "its certificate has expired"),
        (lambda: dated(not_before=timedelta(days=1)), "its certificate is not valid yet"),
        (
            lambda: AUTHORITY.issue_cert("other.example"),
            "its certificate is for another name than 127.0.0.1: set server_name",
        ),
    ],
    ids=["expired", "not yet", "another name"],
)
def test_why_a_server_is_not_trusted_is_said_in_words(
    transport: str, certificate: object, words: str
) -> None:
    made = certificate()  # type: ignore[operator]
    with gateway(good=1, trust=server(made)) as there:
        with pytest.raises(NotSent, match=words):
            ask(transport, there.url, Egress(authorities=PEM))
        assert there.bytes_seen == 0


def test_a_gateway_that_speaks_no_tls_is_said_to_speak_none(transport: str) -> None:
    def answer_in_clear() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_in_clear)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(NotSent, match="does not speak TLS: is its address http://"):
            ask(transport, url, Egress(authorities=PEM))
        thread.join()


def test_the_public_authorities_are_trusted_as_before(transport: str) -> None:
    with gateway(good=1, trust=server()) as there:
        with pytest.raises(NotSent, match="signed by nobody that is trusted"):
            ask(transport, there.url, DIRECT)
        assert there.bytes_seen == 0


def test_a_minimum_alone_keeps_the_public_authorities(transport: str) -> None:
    with gateway(good=1, trust=server()) as there, pytest.raises(NotSent, match="trusted"):
        ask(transport, there.url, Egress(tls_minimum="1.3"))
    assert httpx.create_ssl_context(trust_env=False).minimum_version >= ssl.TLSVersion.TLSv1_2
