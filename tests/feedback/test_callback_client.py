"""POSTs to applications reach public addresses, and those that the configuration names."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import pytest

from worker.feedback.callback_client import CallbackClient, PostResult

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@contextmanager
def receiver(status: int, **headers: str) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Lend a server that answers `status` to every POST, and what it was sent."""
    seen: list[tuple[str, bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.headers["host"], body))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"localhost:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def posted(url: str, *, allowed: bool = True) -> PostResult:
    async def post() -> PostResult:
        door = CallbackClient(LOOPBACK if allowed else (), 8)
        try:
            return await door.post(url, b"{}", {"content-type": "application/json"}, 5.0)
        finally:
            await door.close()

    return asyncio.run(post())


def test_a_post_keeps_the_name_of_its_host() -> None:
    with receiver(204) as (host, seen):
        assert posted(f"http://{host}/x?y=1") == PostResult(204)
    assert seen == [(host, b"{}")]


def test_a_private_address_is_never_connected_to_unless_it_is_allowed() -> None:
    with receiver(204) as (host, seen):
        assert posted(f"http://{host}/", allowed=False) == PostResult(None, "private address")
    assert not seen


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with receiver(204) as (other, reached), receiver(302, location=f"http://{other}/") as (host, _):
        assert posted(f"http://{host}/").status == 302
    assert not reached


def test_the_pause_that_a_receiver_asks_for_is_read() -> None:
    with receiver(429, retry_after="7") as (host, _):
        assert posted(f"http://{host}/") == PostResult(429, retry_after=7.0)


def test_nobody_there_is_an_answer_without_a_status() -> None:
    with receiver(204) as (host, _):
        pass
    said = posted(f"http://{host}/secret")
    assert said.status is None
    assert "secret" not in said.problem


def test_a_connection_is_kept_for_its_name_alone() -> None:
    """Two names may lead to one address, and only one of them is who answered there."""
    peers: list[int] = []
    answering: list[asyncio.Task[None] | None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                peers.append(writer.get_extra_info("peername")[1])
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async def post() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = CallbackClient(LOOPBACK, 8)
        for host in ("127.0.0.1", "127.0.0.1", "localhost"):
            assert (await client.post(f"http://{host}:{port}/", b"{}", {}, 5)).status == 204
        await client.close()
        await asyncio.gather(*filter(None, answering))
        server.close()

    asyncio.run(post())
    assert peers[0] == peers[1] != peers[2]


@contextmanager
def silent_receiver() -> Iterator[str]:
    """Lend the host of a receiver to which anybody may connect, and that says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_calls_that_are_given_up_leave_nothing_that_another_waits_for() -> None:
    async def post(silent: str, good: str) -> PostResult:
        client = CallbackClient(LOOPBACK, 200)
        for _ in range(2):
            given_up = [client.post(f"http://{silent}/", b"{}", {}, 0.5) for _ in range(200)]
            assert {answer.status for answer in await asyncio.gather(*given_up)} == {None}
        answer = await client.post(f"http://{good}/", b"{}", {}, 5.0)
        await client.close()
        return answer

    with silent_receiver() as silent, receiver(204) as (good, _):
        assert asyncio.run(post(silent, good)) == PostResult(204)


def test_a_name_server_that_is_silent_holds_up_no_other_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look-up cannot be ended: whoever waits for it has a thread of its own."""
    look_up, answered = socket.getaddrinfo, threading.Event()

    def stand_in(host: str, *args: Any, **kwargs: Any) -> Any:
        if host == "silent.example":
            answered.wait()
            raise socket.gaierror
        return look_up("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", stand_in)

    async def post(good: str) -> PostResult:
        client = CallbackClient(LOOPBACK, 41)
        hanging = [
            asyncio.create_task(client.post("https://silent.example/", b"{}", {}, 0.05))
            for _ in range(40)
        ]
        try:
            return await client.post(f"http://{good}/", b"{}", {}, 5.0)
        finally:
            answered.set()
            assert {answer.status for answer in await asyncio.gather(*hanging)} == {None}
            await client.close()

    with receiver(204) as (host, _):
        assert asyncio.run(post(host.replace("localhost", "app.example"))) == PostResult(204)


def test_a_post_lasts_as_long_as_its_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else more of them could begin than there are threads."""
    answered = threading.Event()

    def stand_in(*_args: Any, **_kwargs: Any) -> Any:
        answered.wait()
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", stand_in)

    async def post() -> None:
        client = CallbackClient(LOOPBACK, 1)
        hanging = asyncio.create_task(client.post("https://silent.example/", b"{}", {}, 0.01))
        await asyncio.wait([hanging], timeout=0.2)
        assert not hanging.done()
        answered.set()
        assert (await hanging).problem == "TimeoutError"
        await client.close()

    asyncio.run(post())


def test_plain_http_goes_to_no_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: public)
    answer = posted("http://app.example/")
    assert answer == PostResult(None, "plain HTTP outside of callback_networks")


def test_an_answer_counts_by_its_status_however_long_its_body_is() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        writer.close()

    async def post() -> PostResult:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = CallbackClient(LOOPBACK, 8)
        try:
            return await client.post(f"http://127.0.0.1:{port}/", b"{}", {}, 5)
        finally:
            await client.close()
            server.close()

    assert asyncio.run(post()).status == 200


@pytest.mark.parametrize(
    "url",
    ["http://a..b/", f"http://{'a' * 64}.example/", "http://xn--/", "", "http://[::1/", "x:y"],
)
def test_a_host_that_is_no_name_is_a_failure_like_others(url: str) -> None:
    answer = posted(url)
    assert answer.status is None
    assert answer.problem
