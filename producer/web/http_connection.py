"""Speaks HTTP on one connection: uvicorn's protocol, with limits for what strangers may send.

The size of a head, of a chunk's extensions and of trailers is limited, and the number of requests
that come before the first one is answered. Each turn of the client is reported to `Connections`.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from producer.web.connections import Connections
from producer.web.problems import HttpProblem

#: The most bytes of a request that come in a row and are no body: a head, or trailers.
MAX_HEAD_BYTES = 64 * 1024
#: Requests that may wait for those before them on the same connection.
MAX_PIPELINED_REQUESTS = 16


class HttpConnection(HttpToolsProtocol):
    """One connection; uvicorn makes it."""

    server_state: Connections

    def __init__(
        self,
        config: Config,
        server_state: Connections,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        #: Bytes since the last head, part of a body or request was complete.
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection, or refuse it when all others are at work."""
        super().connection_made(transport)
        if self.server_state.make_room():
            self.server_state.begin_wait(self)
        else:
            self._refuse(HttpProblem(503, "too-many", "too many connections; come again"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self.server_state.end_wait(self)

    def data_received(self, data: bytes) -> None:
        """Parse what came; answer 431 once a head is too large."""
        unread = memoryview(data)
        while unread and not self.transport.is_closing():
            part = unread[: MAX_HEAD_BYTES - self._head_bytes]
            unread = unread[len(part) :]
            self._head_bytes += len(part)
            super().data_received(part)  # type: ignore[arg-type]
            if self._head_bytes >= MAX_HEAD_BYTES:
                advice = f"a head, or a request's trailers, may have {MAX_HEAD_BYTES} bytes"
                self._refuse(HttpProblem(431, "head-too-large", advice))
                break

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or more requests than may wait."""
        self._refuse(HttpProblem(400, "no-http", "this is no HTTP request that is taken here"))

    def on_message_begin(self) -> None:
        """Begin a head; the client has its patience for it from now on."""
        super().on_message_begin()
        if not self._is_under_way():
            self.server_state.begin_wait(self)

    def on_headers_complete(self) -> None:
        """Begin to serve a request, or let it wait for those before it."""
        self._head_bytes = 0
        if len(self.pipeline) >= MAX_PIPELINED_REQUESTS:
            msg = "too many requests wait for the first one"
            raise ValueError(msg)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._head_bytes = 0
        super().on_body(body)
        if self._is_under_way():
            self.server_state.begin_wait(self)

    def on_message_complete(self) -> None:
        """End a request; now its client waits for us."""
        self._head_bytes = 0
        super().on_message_complete()
        if self._is_under_way():
            self.server_state.end_wait(self)

    def on_response_complete(self) -> None:
        """End an answer, and wait for the next request unless it is there."""
        super().on_response_complete()
        if not self._is_under_way():
            self.server_state.begin_wait(self)

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self.server_state.begin_wait(self)

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        if self._is_under_way() and not self.cycle.more_body:
            self.server_state.end_wait(self)

    def _is_under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, problem: HttpProblem) -> None:
        """Answer by a problem, and close.

        Where an earlier request is not answered yet, its client would take the problem for its
        answer: it gets its own answer, and then the connection is closed without another word.
        """
        cycle = self.cycle
        if self._is_under_way() and (
            self.pipeline or cycle.response_started or not cycle.more_body
        ):
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        self.transport.write(_raw_answer(problem))
        self.transport.close()


def _raw_answer(problem: HttpProblem) -> bytes:
    response = problem.response()
    status = HTTPStatus(problem.status_code)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join([*lines, b"connection: close", b"", bytes(response.body)])
