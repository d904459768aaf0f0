"""Tells `Connections` whether a connection waits for its client or the client for us."""

import asyncio

from producer.web.connections import Connections
from producer.web.http_limits import LimitedHttp
from producer.web.problems import HttpProblem


class HttpConnection(LimitedHttp):
    """One connection; uvicorn makes it."""

    server_state: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection, or refuse it when all others are at work."""
        super().connection_made(transport)
        if self.server_state.make_room():
            self.server_state.begin_wait(self)
        else:
            self.refuse(HttpProblem(503, "too-many", "too many connections; come again"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self.server_state.end_wait(self)

    def on_message_begin(self) -> None:
        """Begin a head; the time that the client has for it begins too."""
        super().on_message_begin()
        if not self.is_under_way:
            self.server_state.begin_wait(self)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, and wait for the next one."""
        super().on_body(body)
        if self.is_under_way:
            self.server_state.begin_wait(self)

    def on_message_complete(self) -> None:
        """End a request; now its client waits for us."""
        super().on_message_complete()
        if self.is_under_way:
            self.server_state.end_wait(self)

    def on_response_complete(self) -> None:
        """End an answer, and wait for the next request unless it is there."""
        super().on_response_complete()
        if not self.is_under_way:
            self.server_state.begin_wait(self)

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self.server_state.begin_wait(self)

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        if self.is_under_way and not self.cycle.more_body:
            self.server_state.end_wait(self)
