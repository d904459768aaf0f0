"""One connection to a server: one request at a time, each with its whole answer."""

import asyncio
import contextlib
import select
from typing import cast

from worker.gateways.transport.http1 import ResponseParser
from worker.gateways.transport.protocol import Broken, Disconnected, RawResponse


class ServerConnection(asyncio.Protocol):
    """A connection that is opened by an event loop, and ends with its first fault.

    It carries another request only after a whole answer with nothing behind it.
    """

    def __init__(self, longest: int) -> None:
        #: When its last answer was complete, on the loop's clock.
        self.since = 0.0
        self._longest = longest
        self._loop = asyncio.get_running_loop()
        #: Done when it is closed.
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._reader: ResponseParser | None = None
        self._waiting: asyncio.Future[RawResponse] | None = None
        self._poll = select.poll()

    async def exchange(self, request: bytes) -> RawResponse:
        """Write a request and return its answer. Whatever else happens closes the connection.

        Raises `Broken`, or what the system says. It may be cancelled at any time.
        """
        self._reader = ResponseParser(self._longest)
        self._waiting = self._loop.create_future()
        try:
            self._transport.write(request)
            return await self._waiting
        except BaseException:
            self.close()
            raise
        finally:
            self._reader = self._waiting = None

    def open(self) -> bool:
        """Whether it is open, as far as the event loop knows."""
        return not (self.gone.done() or self._transport.is_closing())

    def unspoilt(self) -> bool:
        """Whether it is open, and the server has written nothing to it, as the kernel knows."""
        return self.open() and not self._poll.poll(0)

    def close(self) -> None:
        """Close it at once; what is not yet written is dropped."""
        self._transport.abort()

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Read on; what comes when nothing was asked ends the connection."""
        reader = self._reader
        if reader is None or self._waiting is None or self._waiting.done():
            self.close()
            return
        try:
            if reader.feed(data):
                self._finish(reader)
        except Broken as error:
            self._fail(error)

    def eof_received(self) -> None:
        """Nothing more comes: some answers end so."""
        if self._reader is None or self._waiting is None or self._waiting.done():
            return
        try:
            self._reader.end()
            self._finish(self._reader)
        except Broken as error:
            self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.gone.set_result(None)
        self._fail(error or Disconnected())

    def _finish(self, reader: ResponseParser) -> None:
        if self._waiting is not None:
            self._waiting.set_result(reader.answer())
        self.since = self._loop.time()
        # An answer that came before the whole request was written says nothing of the next.
        if not reader.keep or self._transport.get_write_buffer_size():
            self.close()

    def _fail(self, error: Exception) -> None:
        with contextlib.suppress(asyncio.InvalidStateError):
            if self._waiting is not None:
                self._waiting.set_exception(error)
        self.close()
