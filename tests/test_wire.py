"""The wire: what never left is told apart from what nobody knows, by one table."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from worker.errors import NotSent, OutcomeUnknown
from worker.wire import NEVER_LEFT, Wire

#: What httpx raises only for ways that the wire does not go: decoding, cookies, redirects.
ELSEWHERE = {"CookieConflict", "HTTPStatusError", "TooManyRedirects"}


def classes(root: type[BaseException]) -> set[type[BaseException]]:
    below = {one for sub in root.__subclasses__() for one in classes(sub)}
    return {root} | below


@pytest.mark.parametrize(
    "error",
    sorted(
        {
            one
            for root in (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)
            for one in classes(root)
            if one.__module__.startswith("httpx") and one.__name__ not in ELSEWHERE
        },
        key=lambda one: one.__name__,
    ),
)
@pytest.mark.parametrize("sent", [False, True])
def test_every_error_of_httpx_is_not_sent_or_unknown(
    error: type[Exception], *, sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised after the first byte is unknown, also what usually comes before it."""

    async def call() -> None:
        wire = Wire()

        async def fail(request: httpx.Request) -> httpx.Response:
            if sent:
                await request.extensions["trace"]("http11.send_request_headers.started", {})
            made = error.__new__(error)
            Exception.__init__(made, "said")
            raise made

        monkeypatch.setattr(wire._transport, "handle_async_request", fail)
        try:
            await wire.call(httpx.Request("GET", "http://127.0.0.1/?pwd=secret"), 1)
        finally:
            await wire.close()

    with pytest.raises(OutcomeUnknown if sent else NotSent) as raised:
        asyncio.run(call())
    assert "secret" not in str(raised.value)
    assert all(issubclass(one, Exception) for one in NEVER_LEFT)


@contextlib.contextmanager
def gateway(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """Listen, and let `answer` deal with each connection after its request was read."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line, _ = server.accept()
                    with line:
                        heard.append(line.recv(65536))
                        answer(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", heard
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def ask(url: str, method: str = "POST", seconds: float = 2.0) -> httpx.Response:
    async def call() -> httpx.Response:
        wire = Wire()
        try:
            return await wire.call(httpx.Request(method, url, content=b"x"), seconds)
        finally:
            await wire.close()

    return asyncio.run(call())


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "written", [b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"]
)
def test_taken_then_dropped_is_unknown_and_asked_once(method: str, written: bytes) -> None:
    with (
        gateway(lambda line: line.sendall(written)) as (url, heard),
        pytest.raises(OutcomeUnknown),
    ):
        ask(url, method)
    assert len(heard) == 1


def test_a_deadline_is_total_however_the_answer_trickles() -> None:
    stop = threading.Event()

    def trickle(line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
            while not stop.wait(0.05):
                line.sendall(b"1")

    with gateway(trickle) as (url, _):
        with pytest.raises(OutcomeUnknown, match=r"after 0\.[5-9] s"):
            ask(url, seconds=0.5)
        stop.set()


def test_nobody_there_is_not_sent_and_a_redirect_is_an_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(NotSent):
            ask(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    moved = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
    with gateway(lambda line: line.sendall(moved)) as (url, heard):
        assert ask(url).status_code == 302
    assert len(heard) == 1


def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    with pytest.raises(NotSent):
        ask("http://no-such-host.invalid/")
