"""The wire: what never left is told apart from what nobody knows, whatever carries the request."""

import asyncio
import contextlib
import gc
import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trustme
from structlog.testing import capture_logs

from tests.support import dropping_gateway
from tests.support.dropping_gateway import Failure, Line, gateway
from tests.support.stage import eventually
from worker.domain.errors import NotSent, OutcomeUnknown
from worker.gateways.page_contents import CUT_HEADER
from worker.gateways.transport import answer_bounds, content_coding
from worker.gateways.transport.answer_bounds import AnswerBound
from worker.gateways.transport.client import FAILURES, TRANSPORTS, GatewayClient
from worker.gateways.transport.protocol import RequestTrace

#: What httpx raises only for ways that the wire does not go: cookies, redirects, `raise_for`.
ELSEWHERE = {"CookieConflict", "HTTPStatusError", "TooManyRedirects"}
#: The deadline of a call that will be answered, and of one that will not, in seconds.
PATIENT, SHORT = 30.0, 1.5
#: The transport that keeps connections; the other has a new one for each call.
KEEPING = "own"
pytestmark = pytest.mark.parametrize("transport", sorted(TRANSPORTS))


def connections_of(transport: str, calls: int) -> int:
    """Return how many connections a transport opens for calls that go well one after another."""
    return 1 if transport == KEEPING else calls


def classes(root: type[BaseException]) -> set[type[BaseException]]:
    below = {one for sub in root.__subclasses__() for one in classes(sub)}
    return {root} | below


def run(
    transport: str,
    work: Callable[[GatewayClient], Awaitable[httpx.Response]],
    trust: ssl.SSLContext | None = None,
) -> httpx.Response:
    """Do something with a wire, on an event loop of its own."""

    async def call() -> httpx.Response:
        wire = GatewayClient(transport, trust=trust)
        try:
            return await work(wire)
        finally:
            await wire.close()

    return asyncio.run(call())


async def until(come: Callable[[], bool]) -> None:
    """Wait for what a gateway's thread does."""
    await asyncio.to_thread(eventually, come)


def asked(url: str, method: str = "POST", body: bytes = b"x") -> httpx.Request:
    return httpx.Request(method, url, content=body if method == "POST" else None)


def ask(
    transport: str,
    url: str,
    *,
    method: str = "POST",
    before: int = 0,
    seconds: float = PATIENT,
    trust: ssl.SSLContext | None = None,
) -> httpx.Response:
    """Call once, after so many calls that went well."""

    async def work(wire: GatewayClient) -> httpx.Response:
        for _ in range(before):
            assert (await wire.call(asked(url, method), PATIENT)).text == "ok"
        return await wire.call(asked(url, method), seconds)

    return run(transport, work, trust)


@pytest.mark.parametrize(
    "error",
    sorted(
        {
            one
            for root in (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError)
            for one in classes(root)
            if one.__module__.startswith(("httpx", "builtins", "ssl", "socket"))
            and one.__name__ not in ELSEWHERE
        },
        key=lambda one: one.__name__,
    ),
)
@pytest.mark.parametrize("sent", [False, True])
def test_every_error_is_not_sent_or_unknown(
    transport: str, error: type[Exception], *, sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised after the first byte is unknown, also what usually comes before it."""

    async def fail(
        _self: object, _request: httpx.Request, known: RequestTrace, *_bounds: object
    ) -> None:
        known.write_began = sent
        made = error.__new__(error)
        Exception.__init__(made, "said")
        raise made

    monkeypatch.setattr(TRANSPORTS[transport], "exchange", fail)
    with pytest.raises(OutcomeUnknown if sent else NotSent) as raised:
        ask(transport, "http://127.0.0.1/?pwd=secret")
    assert "secret" not in str(raised.value)
    assert issubclass(error, FAILURES)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("failure", dropping_gateway.FAILURES, ids=lambda one: one.__name__)
def test_taken_then_dropped_is_unknown_and_taken_once(
    transport: str, failure: Failure, *, kept: bool, method: str
) -> None:
    with gateway(failure, good=1 if kept else 0) as there:
        with pytest.raises(OutcomeUnknown):
            ask(transport, there.url, method=method, before=1 if kept else 0, seconds=SHORT)
        assert len(there.taken) == (2 if kept else 1)
        assert there.connections == connections_of(transport, 2 if kept else 1)


def test_a_deadline_is_total_however_the_answer_trickles(transport: str) -> None:
    with (
        gateway(dropping_gateway.trickle) as there,
        pytest.raises(OutcomeUnknown, match=r"TimeoutError after 0\.[5-9] s"),
    ):
        ask(transport, there.url, seconds=0.5)


def test_nobody_there_is_not_sent(transport: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(NotSent):
            ask(transport, f"http://127.0.0.1:{taken.getsockname()[1]}/")


@pytest.mark.parametrize(
    "url", ["http://no-such-host.invalid/", f"http://{'a' * 64}.invalid/", "ftp://127.0.0.1/"]
)
def test_an_address_that_leads_nowhere_is_not_sent(transport: str, url: str) -> None:
    with pytest.raises(NotSent):
        ask(transport, url)


def test_who_does_not_take_a_connection_in_time_was_not_sent_to(transport: str) -> None:
    with socket.socket() as deaf, contextlib.ExitStack() as waiting:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):
            # They fill the queue that nobody takes from: the kernel answers no more.
            other = waiting.enter_context(socket.socket())
            other.settimeout(0)
            other.connect_ex(deaf.getsockname())
        with pytest.raises(NotSent, match="TimeoutError"):
            ask(transport, f"http://127.0.0.1:{deaf.getsockname()[1]}/", seconds=0.3)


def test_the_deadline_holds_while_a_name_is_looked_up(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for = threading.Event()

    def slow(*_words: object, **_more: object) -> None:
        asked_for.wait(20)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    async def work(wire: GatewayClient) -> httpx.Response:
        try:
            return await wire.call(asked("http://slow.example/"), 0.2)
        finally:
            asked_for.set()

    with pytest.raises(NotSent, match="TimeoutError"):
        run(transport, work)


@pytest.mark.parametrize("status", [302, 404, 408, 500, 503])
def test_any_status_is_an_answer_and_asked_for_once(transport: str, status: int) -> None:
    said = b"HTTP/1.1 %d -\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n" % status
    with gateway(lambda line: line.write(said)) as there:
        assert ask(transport, there.url).status_code == status
        assert len(there.taken) == 1


def test_what_is_sent_is_what_was_built(transport: str) -> None:
    request = httpx.Request("POST", "http://x/", headers={"X-Own": "1"}, content="信".encode())
    with gateway(good=1) as there:
        request.url = httpx.URL(there.url)
        request.headers["Host"] = "gateway.example"
        run(transport, lambda wire: wire.call(request, PATIENT))
        head, _, body = there.taken[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /submit?a=%E4%BF%A1 HTTP/1.1"
    assert {one.lower() for one in lines[1:]} == {
        b"host: gateway.example",
        b"x-own: 1",
        b"content-length: 3",
        b"user-agent: xinshi",
    }
    assert body == "信".encode()


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\x00b"])
def test_a_header_that_would_be_two_is_not_sent(transport: str, value: str) -> None:
    request = httpx.Request("GET", "http://x/", headers={"X-Own": value})

    async def work(wire: GatewayClient) -> httpx.Response:
        return await wire.call(request, PATIENT)

    with gateway(good=1) as there:
        request.url = httpx.URL(there.url)
        with pytest.raises((NotSent, OutcomeUnknown)):
            run(transport, work)
        assert there.taken == []


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nok", "ok"),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nok", "ok"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
            "ok",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\nX: y\r\n\r\n",
            "ok",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 200 \xcf\xd0\r\nX: \xd0\xc5\r\nContent-Length: 2\r\n\r\nok", "ok"),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ok"),
    ],
)
def test_all_ways_to_end_an_answer(transport: str, said: bytes, text: str) -> None:
    with gateway(lambda line: line.write(said)) as there:
        assert ask(transport, there.url).text == text


@pytest.mark.parametrize("line", [b"Set-Cookie : a=b; path=/", b"Server nginx", b"X\xb7\xfe: x"])
def test_a_line_of_the_head_that_nobody_can_read_is_left_out(transport: str, line: bytes) -> None:
    """Httpx refuses such a head: there the outcome stays unknown."""
    head = b"HTTP/1.1 200 OK\r\n" + line + b"\r\nContent-Length: 2\r\n\r\nok"
    with gateway(good=2, answer=lambda _: head) as there:
        if transport == KEEPING:
            assert ask(transport, there.url, before=1).text == "ok"
            assert there.connections == 2
        else:
            with pytest.raises(OutcomeUnknown, match="a head with a line that cannot be read"):
                ask(transport, there.url)


def test_lengths_that_differ_are_unknown_and_named(transport: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\nok"
    fault = r"Unreadable \(a head with lengths that differ\)"
    with (
        gateway(lambda line: line.write(head)) as there,
        pytest.raises(OutcomeUnknown, match=fault),
    ):
        ask(transport, there.url)


@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        ("gzip", gzip.compress(b"ok", mtime=0)),
        ("deflate", zlib.compress(b"ok")),
        ("deflate", zlib.compress(b"ok", wbits=-15)),
        ("identity", b"ok"),
        ("UTF-8", b"ok"),
        ("gbk, none", b"ok"),
        ("utf-8, gzip", gzip.compress(b"ok", mtime=0)),
    ],
)
def test_a_coding_that_nobody_asked_for_is_undone(
    transport: str, coding: str, coded: bytes
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(coded)}\r\n\r\n"
    with gateway(lambda line: line.write(head.encode() + coded)) as there:
        answer = ask(transport, there.url)
        assert answer.text == "ok"
        assert b"Accept-Encoding" not in there.taken[0]


@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        ("gzip", gzip.compress(b"0" * (answer_bounds.STATUS.max_bytes + 1), mtime=0)),
        ("gzip", gzip.compress(b"ok", mtime=0)[:-4]),
        ("gzip", b"ok"),
        ("br", b"\x8b\x00\x80ok\x03"),
    ],
    ids=["bomb", "cut", "plain", "unknown"],
)
def test_a_coding_that_cannot_be_undone_is_unknown(
    transport: str, coding: str, coded: bytes
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(coded)}\r\n\r\n"
    with (
        gateway(lambda line: line.write(head.encode() + coded)) as there,
        pytest.raises(OutcomeUnknown),
    ):
        ask(transport, there.url)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br"])
def test_a_coding_that_cannot_be_undone_is_named(transport: str, coding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 1\r\n\r\nx"
    with (
        gateway(lambda line: line.write(head.encode())) as there,
        pytest.raises(OutcomeUnknown, match=rf"Unreadable \(content coding {coding}\) after"),
    ):
        ask(transport, there.url)


def test_a_word_that_is_no_coding_is_logged_once(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_coding, "_warned_words", set())
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: UTF-8\r\nContent-Length: 2\r\n\r\nok"
    with gateway(good=3, answer=lambda _: head) as there, capture_logs() as logs:
        ask(transport, there.url, before=2)
    assert [(entry["event"], entry["coding"]) for entry in logs] == [
        ("answer.coding_ignored", "utf-8")
    ]


def test_a_connection_is_kept_for_the_next_request(transport: str) -> None:
    with gateway(good=5) as there:
        ask(transport, there.url, before=4)
        assert (there.connections, len(there.taken)) == (connections_of(transport, 5), 5)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_a_connection_that_the_server_gives_up_is_not_used_again(
    transport: str, said: bytes
) -> None:
    with gateway(good=2, answer=lambda _: said) as there:
        ask(transport, there.url, before=1)
        assert there.connections == 2


@pytest.mark.parametrize("ending", [dropping_gateway.close, dropping_gateway.reset])
def test_a_kept_connection_that_was_closed_is_replaced(transport: str, ending: Failure) -> None:
    """Also when the event loop has not yet heard of it: the kernel is asked."""
    gone = threading.Event()

    def leave(line: Line) -> None:
        line.write(dropping_gateway.OK)
        ending(line)
        line.socket.close()
        gone.set()

    with gateway(leave) as there:

        async def work(wire: GatewayClient) -> httpx.Response:
            await wire.call(asked(there.url), PATIENT)
            # Not awaited: the loop stands still meanwhile.
            assert gone.wait(5)
            return await wire.call(asked(there.url), PATIENT)

        assert run(transport, work).text == "ok"
        assert (there.connections, len(there.taken)) == (2, 2)


def test_what_comes_unasked_on_a_kept_connection_is_nobodys_answer(transport: str) -> None:
    stale = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale"
    told = threading.Event()

    def speak(line: Line) -> None:
        line.write(dropping_gateway.OK)
        if len(line.gateway.taken) == 1:
            told.wait(5)
            line.write(stale)
            told.clear()
            line.gateway.closing.wait(20)

    with gateway(speak) as there:

        async def work(wire: GatewayClient) -> httpx.Response:
            await wire.call(asked(there.url), PATIENT)
            told.set()
            await until(lambda: not told.is_set())
            return await wire.call(asked(there.url), PATIENT)

        assert run(transport, work).text == "ok"
        assert (there.connections, len(there.taken)) == (2, 2)


def test_two_calls_at_once_never_share_a_connection(transport: str) -> None:
    def echo(request: bytes) -> bytes:
        body = request.partition(b"\r\n\r\n")[2]
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    with gateway(good=200, answer=echo) as there:

        async def work(wire: GatewayClient) -> httpx.Response:
            for wave in range(4):
                bodies = [b"%d" % (wave * 50 + nth) for nth in range(50)]
                calls = [wire.call(asked(there.url, body=one), PATIENT) for one in bodies]
                answers = await asyncio.gather(*calls)
                assert [one.content for one in answers] == bodies
            return answers[0]

        run(transport, work)
        assert there.pipelined == 0
        assert there.connections <= (100 if transport == KEEPING else 200)
        assert len(there.taken) == 200


def test_a_call_that_is_given_up_leaves_no_connection_behind(transport: str) -> None:
    def wait_then_close(line: Line) -> None:
        if len(line.gateway.taken) > 1:
            line.write(dropping_gateway.OK)
        elif line.request() is None:
            left.set()

    left = threading.Event()
    with gateway(wait_then_close) as there:

        async def work(wire: GatewayClient) -> httpx.Response:
            call = asyncio.create_task(wire.call(asked(there.url), PATIENT))
            await until(lambda: bool(there.taken))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await asyncio.to_thread(left.wait, PATIENT)
            return await wire.call(asked(there.url), PATIENT)

        assert run(transport, work).text == "ok"
        assert there.connections == 2


def test_no_call_waits_for_another_and_none_holds_what_the_next_one_needs(transport: str) -> None:
    """200 calls are under way at once; when all are given up together, the next one is served."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\nx")
        under_way.release()
        await reader.read()
        writer.close()

    async def give_up_many(wire: GatewayClient, url: str) -> None:
        calls = [asyncio.create_task(wire.call(asked(url), 3 * PATIENT)) for _ in range(200)]
        async with asyncio.timeout(PATIENT):
            for _ in calls:
                await under_way.acquire()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def work(wire: GatewayClient) -> httpx.Response:
        server = await asyncio.start_server(hold, "127.0.0.1", 0, backlog=500)
        async with server:
            for _ in range(2):
                await give_up_many(wire, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            return await wire.call(asked(there.url), PATIENT)

    under_way = asyncio.Semaphore(0)
    with gateway(good=1) as there:
        assert run(transport, work).text == "ok"


def test_what_comes_behind_an_answer_is_nobodys_answer(transport: str) -> None:
    """Neither with the answer, nor after it: the next call is answered by its own."""
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    with gateway(good=4, answer=lambda _: dropping_gateway.OK + forged) as there:
        assert ask(transport, there.url, before=3).text == "ok"
        assert len(there.taken) == 4


@pytest.mark.parametrize("form", ["length", "chunks", "close", "gzip"])
@pytest.mark.parametrize("more", [0, 1, 10_000_000])
def test_a_body_is_read_up_to_its_bound_and_no_further(
    transport: str, form: str, more: int
) -> None:
    """A longer one is unknown, or its start where that is kept; a body of the bound is whole."""
    bound = AnswerBound(100_000)
    body = b"0123456789" * 10_000 + b"x" * more
    written = {
        "length": b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        "chunks": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        "close": b"\r\n" + body,
        "gzip": b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(body, mtime=0),
    }[form]

    def call(chosen: AnswerBound) -> httpx.Response:
        with gateway(lambda line: line.write(b"HTTP/1.1 200 OK\r\n" + written)) as there:
            return run(transport, lambda wire: wire.call(asked(there.url), PATIENT, chosen))

    if more:
        with pytest.raises(OutcomeUnknown, match="TooLong"):
            call(bound)
    else:
        assert call(bound).content == body
    start = call(bound._replace(keeps_start=True))
    assert start.content == body[: bound.max_bytes]
    assert (CUT_HEADER in start.headers) is (more > 0)


def test_closing_ends_what_is_under_way(transport: str) -> None:
    """What had begun is unknown, not lost."""
    with gateway(dropping_gateway.silence) as there:

        async def work(wire: GatewayClient) -> httpx.Response:
            call = asyncio.create_task(wire.call(asked(there.url), PATIENT))
            await until(lambda: bool(there.taken))
            await wire.close()
            return await call

        with pytest.raises(OutcomeUnknown):
            run(transport, work)


def test_ipv6(transport: str) -> None:
    try:
        there = dropping_gateway.Gateway(good=1, host="::1")
    except OSError:
        pytest.skip("there is no IPv6 here")
    with contextlib.closing(there):
        assert ask(transport, there.url).text == "ok"
        assert b"Host: [::1]:%d\r\n" % there.port in there.taken[0]


AUTHORITY = trustme.CA()


def certified(certificate: trustme.LeafCert) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    return made


def trusting(authority: trustme.CA = AUTHORITY) -> ssl.SSLContext:
    made = ssl.create_default_context()
    authority.configure_trust(made)
    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls(transport: str, host: str, newest: ssl.TLSVersion) -> None:
    server = certified(AUTHORITY.issue_cert(host))
    server.maximum_version = newest
    names = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    with gateway(good=3, trust=server) as there:
        url = there.url.replace("127.0.0.1", host)
        assert ask(transport, url, before=2, trust=trusting()).text == "ok"
        opened = connections_of(transport, 3)
        assert (there.connections, len(there.taken)) == (opened, 3)
    assert names == [host if host == "localhost" else None] * opened


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    "failure",
    [one for one in dropping_gateway.FAILURES if one is not dropping_gateway.too_long],
    ids=lambda one: one.__name__,
)
def test_taken_then_dropped_under_tls(transport: str, failure: Failure, *, kept: bool) -> None:
    server = certified(AUTHORITY.issue_cert("127.0.0.1"))
    with gateway(failure, good=1 if kept else 0, trust=server) as there:
        before = 1 if kept else 0
        with pytest.raises(OutcomeUnknown):
            ask(transport, there.url, before=before, seconds=SHORT, trust=trusting())
        assert len(there.taken) == (2 if kept else 1)
        assert there.connections == connections_of(transport, 2 if kept else 1)


#: httpx leaves a socket to the garbage collector when a handshake fails in its middle.
leaky = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("certificate", "trust"),
    [
        (lambda: AUTHORITY.issue_cert("127.0.0.1"), None),
        (lambda: trustme.CA().issue_cert("127.0.0.1"), trusting),
        (lambda: AUTHORITY.issue_cert("other.example"), trusting),
        (lambda: AUTHORITY.issue_cert("127.0.0.1", not_after=long_ago()), trusting),
    ],
    ids=["not certifi's", "another authority's", "another host's", "expired"],
)
def test_a_server_that_cannot_be_trusted_sees_nothing_of_the_request(
    transport: str,
    certificate: Callable[[], trustme.LeafCert],
    trust: Callable[[], ssl.SSLContext] | None,
) -> None:
    with gateway(good=1, trust=certified(certificate())) as there:
        with pytest.raises(NotSent):
            ask(transport, there.url, trust=trust() if trust else None)
        assert (there.bytes_seen, there.taken) == (0, [])


@leaky
def test_a_handshake_without_end_is_not_sent(transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(NotSent, match="TimeoutError"):
            ask(transport, url, seconds=0.3)
    gc.collect()


@leaky
def test_plain_words_where_tls_was_meant_are_not_sent(transport: str) -> None:
    with gateway(good=1) as there:
        with pytest.raises(NotSent):
            ask(transport, there.url.replace("http:", "https:"), trust=trusting(), seconds=SHORT)
        assert there.taken == []
        # What was left of the connection is closed now: the gateway waits for its end.
        gc.collect()
