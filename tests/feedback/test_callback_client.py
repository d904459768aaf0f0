"""POSTs to applications reach public addresses, and those that the configuration names."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network

import pytest

from worker.domain import urls
from worker.domain.addresses import is_reachable
from worker.feedback.callback_client import CallbackClient, PostResult

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_only_public_addresses_are_reachable(address: str, *, public: bool) -> None:
    assert is_reachable(ip_address(address), ()) is public


def test_a_network_that_is_named_is_reachable_however_it_is_written() -> None:
    ours = (ip_network("10.1.0.0/16"),)
    assert is_reachable(ip_address("10.1.2.3"), ours)
    assert is_reachable(ip_address("::ffff:10.1.2.3"), ours)
    assert not is_reachable(ip_address("10.2.0.1"), ours)


@pytest.mark.parametrize(
    "url",
    ["", "app", "ftp://a.example", "https://", "https://me:pw@a.example/x", "http://a.example/#x"],
)
def test_a_url_that_cannot_be_told_is_refused(url: str) -> None:
    assert urls.problem(url)


def test_an_ordinary_url_is_fine() -> None:
    assert urls.problem("https://app.example.com:8443/xinshi?of=shop") is None


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
