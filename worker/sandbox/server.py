"""HTTP/1.1 for the sandbox: one connection, its requests one after the other.

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
from typing import TYPE_CHECKING

import httptools

from worker.sandbox.exchange import Answer, Request

if TYPE_CHECKING:
    from worker.sandbox.engine import Engine

#: The largest request that is read; 20,000 numbers are 240 kB.
LARGEST = 64 * 1024 * 1024
#: Requests that a client may pipeline before reading from it pauses.
PIPELINE = 64

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def written(answer: Answer) -> bytes:
    """Write an answer as HTTP, framed by its length."""
    head = _head(answer.status, answer.kind, len(answer.body), answer.headers)
    return head + answer.body


@lru_cache(maxsize=1024)
def _head(status: int, kind: str, length: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_PHRASES.get(status, '-')}",
        f"Content-Type: {kind}",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Connection(asyncio.Protocol):
    """One client's connection, and the place where an answer, or something worse, is written."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._url = b""
        self._body: list[bytes] = []
        self._size = 0
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._keep = True
        self._busy = False
        self._timers: set[asyncio.TimerHandle] = set()
        self._flowing = asyncio.Event()
        self._stream: asyncio.Task[None] | None = None
        #: Nothing more is to be written; and, later, the socket is gone.
        self.closed = False
        self._lost = False
        #: Requests answered on this connection so far.
        self.served = 0

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - create_server gives these
        self._transport = transport
        self._flowing.set()
        self._engine.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop whatever still wants to write."""
        self.closed = self._lost = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._waiting.clear()
        if self._stream is not None:
            self._stream.cancel()
        self._engine.disconnected(self)

    def data_received(self, data: bytes) -> None:
        """Parse; complete requests are dispatched from within."""
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
            self.send(Answer("-", b"not HTTP", status=400))
            self.close()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._flowing.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._flowing.set()

    # httptools calls these.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url = b""
        self._body = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Collect the request's target, which may come in pieces."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Answer the one header that wants an answer of its own."""
        if len(name) == 6 and name.lower() == b"expect" and value.lower() == b"100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Collect the body; give up on one that is beyond all reason."""
        self._size += len(body)
        if self._size > LARGEST:
            self.send(Answer("-", b"too large", status=413))
            self.close()
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Dispatch the request, or let it wait for the one before."""
        if self.closed:
            return
        path, _, query = self._url.partition(b"?")
        request = Request(
            self._parser.get_method().decode("latin-1"),
            path.decode("latin-1"),
            query,
            b"".join(self._body),
            self._engine.clock(),
        )
        keep = self._parser.should_keep_alive()
        if self._busy:
            self._waiting.append((request, keep))
            if len(self._waiting) == PIPELINE:
                self._transport.pause_reading()
        else:
            self._begin(request, keep)

    def _begin(self, request: Request, keep: bool) -> None:  # noqa: FBT001 - only here
        self._busy = True
        self._keep = keep
        self._engine.handle(request, self)

    # The engine and the misbehaviours call these.

    def send(self, answer: Answer) -> None:
        """Write an answer, and be ready for the next request."""
        self.write(written(answer))
        self.finish()

    def write(self, data: bytes) -> None:
        """Write raw bytes of an answer."""
        if not self.closed:
            self._transport.write(data)

    def finish(self) -> None:
        """The answer is complete: close, or begin the request that waits."""
        self._busy = False
        self.served += 1
        if self.closed:
            return
        if not self._keep:
            self.close()
        elif self._waiting:
            if len(self._waiting) == PIPELINE:
                self._transport.resume_reading()
            self.soon(self._next)

    def _next(self) -> None:
        if self._waiting and not self._busy:
            self._begin(*self._waiting.popleft())

    def close(self) -> None:
        """Close in order (FIN), after what was written."""
        if not self.closed:
            self.closed = True
            self._transport.close()

    def reset(self) -> None:
        """Close at once with RST, whatever was not written yet."""
        self.closed = True
        if self._lost:
            return
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def soon(self, then: Callable[[], None]) -> None:
        """Call `then` in the loop's next turn."""
        asyncio.get_running_loop().call_soon(then)

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Call `then` after a while, unless the connection is gone by then."""

        def ring() -> None:
            self._timers.discard(timer)
            if not self.closed:
                then()

        timer = asyncio.get_running_loop().call_later(seconds, ring)
        self._timers.add(timer)

    def stream(self, pieces: Iterable[bytes]) -> None:
        """Write many pieces, as fast as the client reads, and finish."""
        self._stream = asyncio.get_running_loop().create_task(self._write_all(pieces))

    async def _write_all(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            await self._flowing.wait()
            self.write(piece)
            await asyncio.sleep(0)
        self.finish()
