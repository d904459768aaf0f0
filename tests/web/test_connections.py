"""Connections of strangers: what says nothing, never ends or is never read costs little."""

import json
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.web.http_limits import MAX_HEAD_BYTES, MAX_PIPELINED_REQUESTS
from producer.web.open_files import connection_capacity
from tests.support.stage import TEXT, Stage, eventually, mobiles, section
from tests.support.web_process import Live, live
from tests.web.conftest import Served, make_key
from tests.web.raw_http import answers, connected, read_all, send_until_closed

ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
MEGABYTE = 1024 * 1024


@contextmanager
def process(stage: Stage, max_files: int | None = None) -> Iterator[Live]:
    with live(stage, {"v1": section(stage.sandbox, "v1")}, max_files=max_files) as web:
        yield web


def post(key: str, number: str) -> bytes:
    body = json.dumps({"to": number, "text": TEXT}).encode()
    lines = [
        *("POST /v1/messages HTTP/1.1", "Host: x", f"Authorization: Bearer {key}"),
        *("Content-Type: application/json", f"Content-Length: {len(body)}", "", ""),
    ]
    return "\r\n".join(lines).encode() + body


def test_three_hundred_silent_connections_keep_nobody_out_and_fill_no_log(stage: Stage) -> None:
    """The process may open 256 files; whoever is closed comes again, as an attacker would."""
    key = make_key(stage, rate=10_000)
    with process(stage, max_files=256) as web, ExitStack() as silent:
        for nth in range(300):
            connection = silent.enter_context(connected(web.url))
            connection.sendall(b"GET / HTTP/1.1\r\n" if nth % 2 else b"")
        for nth in range(20):
            for _ in range(15):
                silent.enter_context(connected(web.url))
            with httpx.Client(base_url=web.url, trust_env=False, timeout=10) as honest:
                # While all connections are younger than the time of grace, one more is told to come
                # again.
                eventually(lambda: honest.get("/healthz").status_code == 200, within=2)
                answer = honest.post(
                    "/v1/messages",
                    json={"to": f"138{nth:08d}", "text": TEXT},
                    headers={"Authorization": f"Bearer {key}"},
                )
                assert answer.status_code == 202
        assert web.log.read_text("utf-8").count("\n") < 100


def test_when_no_file_is_left_the_log_says_so_once_and_calls_are_taken_again_after(
    stage: Stage,
) -> None:
    with process(stage) as web, ExitStack() as stack:
        assert httpx.get(f"{web.url}/healthz", trust_env=False).status_code == 200
        soft, hard = resource.prlimit(web.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(web.process.pid, resource.RLIMIT_NOFILE, (3, hard))
        for _ in range(100):
            stack.enter_context(connected(web.url))
        eventually(lambda: web.said("web.accept_failed"))
        resource.prlimit(web.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert httpx.get(f"{web.url}/healthz", timeout=10, trust_env=False).status_code == 200
        assert web.log.read_text("utf-8").count("web.accept_failed") < 5
        assert web.log.read_text("utf-8").count("\n") < 20


@pytest.mark.parametrize("web", [{"body_timeout": "0.5s"}])
@pytest.mark.parametrize(
    "said",
    [
        *(b"", b"GET", b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"\r\n\r\n"),
        *(ASK, ASK + b"GET", b"POST /v1/nothing HTTP/1.1\r\nContent-Length: 9\r\n\r\n"),
    ],
)
def test_a_client_that_does_not_go_on_is_closed(served: Served, said: bytes) -> None:
    with connected(served.url) as connection:
        connection.sendall(said)
        received = read_all(connection)
        assert received.startswith(b"HTTP/1.1") or b"\r\nHost" not in said or ASK not in said


@pytest.mark.parametrize("web", [{"body_timeout": "0.5s"}])
def test_an_endless_body_after_its_answer_ends_too(served: Served) -> None:
    with connected(served.url) as connection:
        connection.sendall(b"POST /v1/nothing HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        eventually(lambda: send_until_closed(connection, b"1\r\nx\r\n", 1) == 0)


@pytest.mark.parametrize("web", [{"body_timeout": "0.5s"}])
def test_a_client_that_never_reads_its_answers_is_closed(served: Served) -> None:
    numbers = mobiles(30_000)
    sale = served.stage.producer.enqueue_campaign("Sale", numbers, TEXT, sender="shop", start=False)
    ask = f"GET /v1/campaigns/{sale.id}/export HTTP/1.1\r\nAuthorization: Bearer {served.key()}"
    with connected(served.url, receive_buffer=4096) as connection:
        connection.sendall(ask.encode() + b"\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        eventually(lambda: not served.server.server_state.connections)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"", b"\r\n" * 500),
        (b"GET /", b"a" * 1000),
        (b"GET / HTTP/1.1\r\na: ", b"b" * 1000),
        (b"GET / HTTP/1.1\r\n", b"a" * 1000),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 200),
        (b"POST /sign-in HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 1000),
        (b"POST /sign-in HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 200),
    ],
    ids=["blank lines", "address", "value", "name", "headers", "extension", "trailers"],
)
def test_what_never_ends_is_cut_off_and_costs_no_memory(
    stage: Stage, begin: bytes, piece: bytes
) -> None:
    with process(stage) as web:
        httpx.get(f"{web.url}/healthz", trust_env=False)
        before = web.peak()
        with connected(web.url) as connection:
            connection.sendall(begin)
            # What was taken beyond the limit lies in the buffers of both sides' systems.
            assert send_until_closed(connection, piece * 100, 190 * MEGABYTE) < 16 * MEGABYTE
        assert web.peak() - before < 20 * MEGABYTE
        assert httpx.get(f"{web.url}/healthz", trust_env=False).status_code == 200
        assert web.log.read_text("utf-8").count("\n") < 5


def test_a_head_has_sixty_four_kilobytes(served: Served) -> None:
    begin, end = b"GET /healthz HTTP/1.1\r\nConnection: close\r\nX: ", b"\r\n\r\n"
    free = MAX_HEAD_BYTES - len(begin) - len(end)
    for size, status in [(free, 200), (free + 1, 431)]:
        with connected(served.url) as connection:
            connection.sendall(begin + b"x" * size + end)
            (answer,) = answers(read_all(connection))
        assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert json.loads(answer.body)["type"] == "urn:xinshi:problem:head-too-large"


def test_what_is_no_http_is_answered_by_a_problem(served: Served) -> None:
    with connected(served.url) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
        (answer,) = answers(read_all(connection))
    assert answer.status == 400
    assert json.loads(answer.body)["status"] == 400


@pytest.mark.parametrize("rest", [b"nonsense\r\n\r\n", b"GET /" + b"a" * 2 * MAX_HEAD_BYTES])
def test_what_is_refused_is_never_taken_for_the_answer_to_the_request_before(
    served: Served, rest: bytes
) -> None:
    with connected(served.url) as connection:
        connection.sendall(post(served.key(), "13800138000") + rest)
        (answer,) = answers(read_all(connection))
    assert answer.status == 202
    (message_id,) = json.loads(answer.body)["ids"]
    assert served.stage.message(message_id).to == "13800138000"


def test_few_requests_wait_for_the_first_one_and_no_more_are_read(served: Served) -> None:
    with connected(served.url) as connection:
        connection.sendall(ASK * 5000)
        statuses = [answer.status for answer in answers(read_all(connection))]
    assert statuses == [200] * (MAX_PIPELINED_REQUESTS + 1)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(1, 900), max_size=12), padding=st.integers(0, MAX_HEAD_BYTES))
def test_requests_are_read_alike_however_they_are_cut(
    served: Served, cuts: list[int], padding: int
) -> None:
    chunked = (
        b"POST /sign-in HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        b"4;why=x\r\nkey=\r\n5\r\nwrong\r\n0\r\nTrailer: x\r\n\r\n"
    )
    padded = f"POST /v1/nothing HTTP/1.1\r\nContent-Length: {padding}\r\n\r\n".encode()
    stream = ASK + chunked + ASK + padded + b"x" * padding + LAST
    with connected(served.url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for size in cuts:
            connection.sendall(stream[:size])
            stream = stream[size:]
        connection.sendall(stream)
        listed = answers(read_all(connection))
    assert [answer.status for answer in listed] == [200, 403, 200, 404, 200]


@pytest.mark.parametrize(
    ("files", "capacity"), [(20, 1), (256, 64), (1024, 448), (8192, 2000), (-1, 2000)]
)
def test_connections_never_need_more_files_than_there_are(
    monkeypatch: pytest.MonkeyPatch, files: int, capacity: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert connection_capacity() == capacity
