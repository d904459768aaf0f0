"""Carries requests over one connection to a server, one at a time, each with its whole answer."""

import asyncio
import contextlib
import select
from typing import cast

from worker.gateways.transport.protocol import (
    ConnectionBroken,
    RawResponse,
    RequestTrace,
    ServerClosed,
)
from worker.gateways.transport.tolerant_parser import TolerantParser


class ServerConnection(asyncio.Protocol):
    """A connection that an event loop opens, and that is closed at its first fault.

    It carries another request only after a whole answer with nothing behind it.
    """

    def __init__(self) -> None:
        #: The loop's clock at its last complete answer.
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._parser: TolerantParser | None = None
        self._pending_answer: asyncio.Future[RawResponse] | None = None
        self._poll = select.poll()

    async def exchange(self, request: bytes, max_bytes: int, trace: RequestTrace) -> RawResponse:
        """Write a request, return its answer; close the connection if that fails or is cancelled.

        Raises `ConnectionBroken` or the system's own error. `trace.start` has what came then, and
        also where more came than the answer.
        """
        parser = self._parser = TolerantParser(max_bytes)
        self._pending_answer = self._loop.create_future()
        try:
            self._transport.write(request)
            answer = await self._pending_answer
        except BaseException:
            trace.start = parser.start()
            self.close()
            raise
        else:
            if parser.has_surplus:
                trace.start = parser.start()
            return answer
        finally:
            self._parser = self._pending_answer = None

    def is_open(self) -> bool:
        """Tell whether it is open, as far as the event loop knows."""
        return not (self.closed.done() or self._transport.is_closing())

    def is_reusable(self) -> bool:
        """Tell whether it is open, and the server has written nothing, by the kernel."""
        return self.is_open() and not self._poll.poll(0)

    def close(self) -> None:
        """Close it at once; what is not yet written is dropped."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and watch its socket; the event loop calls this and what follows."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Parse bytes of the answer; bytes that no request asked for close the connection."""
        parser = self._parser
        if parser is None or self._pending_answer is None or self._pending_answer.done():
            self.close()
            return
        try:
            if parser.feed(data):
                self._finish(parser)
        except ConnectionBroken as error:
            self._fail(error)

    def eof_received(self) -> None:
        """End an answer that ends with the stream; fail the request if the answer is not whole."""
        if self._parser is None or self._pending_answer is None or self._pending_answer.done():
            return
        try:
            self._parser.end_of_stream()
            self._finish(self._parser)
        except ConnectionBroken as error:
            self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        """Mark the connection closed, and fail the request that waits for an answer."""
        self.closed.set_result(None)
        self._fail(error or ServerClosed())

    def _finish(self, parser: TolerantParser) -> None:
        if self._pending_answer is not None:
            self._pending_answer.set_result(parser.response())
        self.idle_since = self._loop.time()
        # What is left of a request that was answered early would stand before the next one.
        if not parser.reusable or self._transport.get_write_buffer_size():
            self.close()

    def _fail(self, error: Exception) -> None:
        with contextlib.suppress(asyncio.InvalidStateError):
            if self._pending_answer is not None:
                self._pending_answer.set_exception(error)
        self.close()
