"""Speaks HTTP: uvicorn's protocol, with limits for what a client may send before it is answered.

The size of a head, of a chunk's extensions and of trailers is limited, and the number of requests
that wait for those before them.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from producer.web.problems import HttpProblem

#: The most bytes of a request that come in a row and are no body: a head, or trailers.
MAX_HEAD_BYTES = 64 * 1024
#: Requests that may wait for those before them on the same connection.
MAX_PIPELINED_REQUESTS = 16


class LimitedHttp(HttpToolsProtocol):
    """uvicorn's protocol with limits."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        #: Bytes since a head, a part of a body, or a request was complete.
        self._head_bytes = 0

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
                self.refuse(HttpProblem(431, "head-too-large", advice))
                break

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; uvicorn calls this when `feed_data` or a callback raises."""
        self.refuse(HttpProblem(400, "no-http", "this is no HTTP request that is taken here"))

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

    def on_message_complete(self) -> None:
        """End a request."""
        self._head_bytes = 0
        super().on_message_complete()

    @property
    def is_under_way(self) -> bool:
        """Whether a request, or the last one of several, is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def refuse(self, problem: HttpProblem) -> None:
        """Answer by a problem, and close.

        Where an earlier request is not answered yet, its client would take the problem for its
        answer: it gets its own answer, and then the connection is closed without another word.
        """
        cycle = self.cycle
        if self.is_under_way and (self.pipeline or cycle.response_started or not cycle.more_body):
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        self.transport.write(_raw_answer(problem))
        self.transport.close()


def _raw_answer(problem: HttpProblem) -> bytes:
    response, status = problem.response(), HTTPStatus(problem.status_code)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join([*lines, b"connection: close", b"", bytes(response.body)])
