"""Serves HTTP/1.1 for the sandbox: each connection, its requests one after the other.

Requests that a client pipelines are answered in their order: the next one begins when the last
byte of the one before was written.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

import httptools

from worker.sandbox.exchange import SandboxAnswer, SandboxRequest

#: The largest body of a request that is read; 20,000 numbers are 240 kB.
MAX_BODY_BYTES = 64 * 1024 * 1024
#: Requests that a client may pipeline before reading from it pauses.
MAX_PIPELINED = 64

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class RequestHandler(Protocol):
    """Answers the requests of all connections, and knows which connections are open."""

    def clock(self) -> float:
        """Return the time, in seconds since 1970."""

    def connected(self, connection: "ClientConnection") -> None:
        """Note a new connection."""

    def disconnected(self, connection: "ClientConnection") -> None:
        """Forget a connection that is gone."""

    def handle(self, request: SandboxRequest, connection: "ClientConnection") -> None:
        """Answer a request, now, later or never, by the connection's methods."""


def format_answer(answer: SandboxAnswer) -> bytes:
    """Return an answer as HTTP, framed by its length."""
    head = _format_head(answer.status, answer.content_type, len(answer.body), answer.headers)
    return head + answer.body


@lru_cache(maxsize=1024)
def _format_head(
    status: int, content_type: str, length: int, headers: tuple[tuple[str, str], ...]
) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_PHRASES.get(status, '-')}",
        f"Content-Type: {content_type}",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class ClientConnection(asyncio.Protocol):
    """A client's connection: reads its requests, and writes answers and misbehaviours."""

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._body_size = 0
        self._pipelined: deque[tuple[SandboxRequest, bool]] = deque()
        self._keep_alive = True
        self._is_answering = False
        self._timers: set[asyncio.TimerHandle] = set()
        self._writable = asyncio.Event()
        self._stream_task: asyncio.Task[None] | None = None
        #: True once nothing more is to be written; `_lost` is true once the socket is gone.
        self.closed = False
        self._lost = False
        #: How many requests were answered on this connection so far.
        self.served = 0

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and tell the handler."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - create_server gives these
        self._transport = transport
        self._writable.set()
        self._handler.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop everything that still wants to write, and tell the handler."""
        self.closed = self._lost = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._pipelined.clear()
        if self._stream_task is not None:
            self._stream_task.cancel()
        self._handler.disconnected(self)

    def data_received(self, data: bytes) -> None:
        """Parse bytes; the parser's calls dispatch complete requests."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # An offer to speak something else is not taken up; the request itself was dispatched.
            self._parser = httptools.HttpRequestParser(self)
        except httptools.HttpParserError as error:
            cause = error.__context__
            if cause is not None:
                self.close()
                raise cause from None
            self.send(SandboxAnswer("-", b"not HTTP", status=400))
            self.close()

    def pause_writing(self) -> None:
        """Stop the stream while the client reads too slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on with the stream after the client has caught up."""
        self._writable.set()

    # httptools calls these.

    def on_message_begin(self) -> None:
        """Begin a request with empty parts."""
        self._url = b""
        self._headers = []
        self._body = []
        self._body_size = 0

    def on_url(self, url: bytes) -> None:
        """Collect the request's target, which may come in pieces."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header for the sides, and answer `Expect: 100-continue`."""
        self._headers.append((name, value))
        if len(name) == 6 and name.lower() == b"expect" and value.lower() == b"100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Collect the body; refuse one that is longer than `MAX_BODY_BYTES`."""
        self._body_size += len(body)
        if self._body_size > MAX_BODY_BYTES:
            self.send(SandboxAnswer("-", b"too large", status=413))
            self.close()
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Dispatch the request, or let it wait for the one before."""
        if self.closed:
            return
        path, _, query = self._url.partition(b"?")
        request = SandboxRequest(
            self._parser.get_method().decode("latin-1"),
            path.decode("latin-1"),
            query,
            b"".join(self._body),
            self._handler.clock(),
            {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in self._headers
            },
        )
        keep_alive = self._parser.should_keep_alive()
        if self._is_answering:
            self._pipelined.append((request, keep_alive))
            if len(self._pipelined) == MAX_PIPELINED:
                self._transport.pause_reading()
        else:
            self._begin(request, keep_alive)

    def _begin(self, request: SandboxRequest, keep_alive: bool) -> None:  # noqa: FBT001 - only here
        self._is_answering = True
        self._keep_alive = keep_alive
        self._handler.handle(request, self)

    # The handler and the misbehaviours call these.

    def send(self, answer: SandboxAnswer) -> None:
        """Write an answer, and be ready for the next request."""
        self.write(format_answer(answer))
        self.finish()

    def write(self, data: bytes) -> None:
        """Write raw bytes of an answer."""
        if not self.closed:
            self._transport.write(data)

    def finish(self) -> None:
        """Note that the answer is complete: close, or begin the request that waits."""
        self._is_answering = False
        self.served += 1
        if self.closed:
            return
        if not self._keep_alive:
            self.close()
        elif self._pipelined:
            if len(self._pipelined) == MAX_PIPELINED:
                self._transport.resume_reading()
            self.soon(self._next)

    def _next(self) -> None:
        if self._pipelined and not self._is_answering:
            self._begin(*self._pipelined.popleft())

    def close(self) -> None:
        """Close in order (FIN), after what was written."""
        if not self.closed:
            self.closed = True
            self._transport.close()

    def reset(self) -> None:
        """Close at once with RST; what was not written yet is dropped."""
        self.closed = True
        if self._lost:
            return
        client_socket: socket.socket = self._transport.get_extra_info("socket")
        client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def soon(self, action: Callable[[], None]) -> None:
        """Call `action` in the loop's next turn."""
        asyncio.get_running_loop().call_soon(action)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` after so many seconds, unless the connection is closed by then."""

        def fire() -> None:
            self._timers.discard(timer)
            if not self.closed:
                action()

        timer = asyncio.get_running_loop().call_later(seconds, fire)
        self._timers.add(timer)

    def stream(self, pieces: Iterable[bytes]) -> None:
        """Write many pieces, as fast as the client reads, and finish."""
        self._stream_task = asyncio.get_running_loop().create_task(self._write_all(pieces))

    async def _write_all(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            await self._writable.wait()
            self.write(piece)
            await asyncio.sleep(0)
        self.finish()
