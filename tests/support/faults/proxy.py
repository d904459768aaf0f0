"""A TCP proxy that fails on command: it refuses, cuts, falls silent, waits, or eats an answer."""

import asyncio
import contextlib
import socket
import struct
import threading
import weakref
from dataclasses import dataclass, field
from typing import Self

#: A reset instead of an orderly end.
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class _Line:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    #: Whether the transaction under way holds the words that the proxy listens for.
    marked: bool = False
    #: Whether the server's next answer never arrives.
    eats: bool = False


@dataclass
class Proxy:
    """Forwards connections to a port of this machine, for as long as the `with` block lasts."""

    target: int
    port: int = 0
    #: "pass", "refuse" (a reset for each new connection), or "silent" (half-open: taken, not
    #: forwarded, not closed).
    mode: str = "pass"
    #: How long each piece waits, in seconds.
    delay: float = 0.0
    #: How many connections were cut by an eaten answer.
    eaten: int = 0
    _words: bytes = b""
    _times: int = 0
    #: Whether the COMMIT is lost instead of its answer, and how the proxy behaves after it.
    _drops: bool = False
    _then: str = "pass"
    _lines: set[_Line] = field(default_factory=set)
    _waiting: list[asyncio.StreamWriter] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    #: Every connection that is open; it leaves by itself once it is closed.
    _open: weakref.WeakSet[asyncio.WriteTransport] = field(default_factory=weakref.WeakSet)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._accept, "127.0.0.1", self.port))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Reset every connection that there is."""
        self._do(self._cut())

    def silence(self) -> None:
        """Go half-open: whatever is sent from now on arrives nowhere, and nobody hears of it."""
        self.mode = "silent"

    def refuse(self) -> None:
        """Cut all, and let nobody in."""
        self.mode = "refuse"
        self.cut()

    def heal(self) -> None:
        """Forward again; what was half-open is cut."""
        self.mode, self.delay = "pass", 0.0
        self.cut()

    def eat_commit(self, words: bytes, times: int = 1, *, then_refuse: bool = False) -> None:
        """Let the answer to a COMMIT be lost with its connection, so many times.

        Only of transactions in which `words` were said. The server has committed by then; with
        `then_refuse` nobody is let in from then on.
        """
        self._words, self._times = words, times
        self._drops, self._then = False, "refuse" if then_refuse else self.mode

    def drop_commit(self, words: bytes) -> None:
        """Lose a COMMIT itself, with its connection: the server rolls back."""
        self.eat_commit(words)
        self._drops = True

    def _do(self, what: "asyncio._CoroutineLike[object]") -> "asyncio.Server":
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)  # type: ignore[arg-type,return-value]

    async def _close(self) -> None:
        # Who was let in just now would be left open by a server that is closed already.
        for listener in self._server.sockets:
            self._loop.remove_reader(listener.fileno())
        await _turns()
        self._server.close()
        await self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in self._open:
            _abort(transport)
        # And so is the end of the sockets.
        await _turns()

    async def _cut(self) -> None:
        for line in list(self._lines):
            _reset(line.client)
            _reset(line.server)
        for writer in self._waiting:
            _reset(writer)
        self._waiting.clear()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer.transport)
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "refuse":
            _reset(writer)
            return
        if self.mode == "silent":
            self._waiting.append(writer)
            return
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(writer)
            return
        line = _Line(writer, forth)
        self._open.add(forth.transport)
        self._lines.add(line)
        both = [
            asyncio.ensure_future(self._forward(line, reader, forth, to_server=True)),
            asyncio.ensure_future(self._forward(line, back, writer, to_server=False)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The suite is done with it: whoever closes it waits for this to end.
            pass
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            self._lines.discard(line)
            _reset(writer)
            _reset(forth)

    async def _forward(
        self,
        line: _Line,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        to_server: bool,
    ) -> None:
        while data := await reader.read(65536):
            while self.mode == "silent":  # noqa: ASYNC110 - it is set by another thread
                await asyncio.sleep(0.01)
            if self.delay:
                await asyncio.sleep(self.delay)
            if to_server:
                self._listen(line, data)
            if line.eats and to_server is self._drops:
                self.eaten += 1
                self.mode = self._then
                return
            writer.write(data)
            await writer.drain()

    def _listen(self, line: _Line, data: bytes) -> None:
        if not self._times:
            return
        line.marked = line.marked or self._words in data
        if b"COMMIT" in data:
            if line.marked:
                self._times -= 1
                line.eats = True
            line.marked = False
        elif b"ROLLBACK" in data:
            line.marked = False


async def _turns(count: int = 5) -> None:
    """Let the loop do what it has begun, however long that takes."""
    for _ in range(count):
        await asyncio.sleep(0)


def _reset(writer: asyncio.StreamWriter) -> None:
    _abort(writer.transport)


def _abort(transport: asyncio.WriteTransport) -> None:
    raw = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, ValueError):
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    with contextlib.suppress(Exception):
        transport.abort()
