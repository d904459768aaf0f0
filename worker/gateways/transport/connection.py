"""Carries requests over one connection to a server, one at a time, each with its whole answer."""

import asyncio
import contextlib
import select
import socket
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
        #: The socket, where its kernel can be asked to acknowledge at once.
        self._tcp_socket: socket.socket | None = None

    async def exchange(self, request: bytes, max_bytes: int, trace: RequestTrace) -> RawResponse:
        """Write a request, return its answer; close the connection if that fails or is cancelled.

        Raises `ConnectionBroken` or the system's own error. `trace.start` has what came then, and
        also where more came than the answer.
        """
        parser = self._parser = TolerantParser(max_bytes)
        self._pending_answer = self._loop.create_future()
        try:
            self._transport.write(request)
            self._acknowledge_at_once()
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

    def _acknowledge_at_once(self) -> None:
        """Ask the kernel to acknowledge what comes next at once, where it can be asked (Linux).

        A server that writes head and body apart, with Nagle's algorithm on, sends the body when the
        head has been acknowledged: a kernel that waits for something to send delays that by 40 ms.
        The kernel forgets it after a while, so it is asked for each answer.
        """
        if self._tcp_socket is not None:
            with contextlib.suppress(OSError):
                self._tcp_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

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
        own_socket = transport.get_extra_info("socket")
        self._poll.register(own_socket.fileno(), select.POLLIN)
        is_tcp = own_socket.family in {socket.AF_INET, socket.AF_INET6}
        if is_tcp and hasattr(socket, "TCP_QUICKACK"):
            self._tcp_socket = own_socket

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
