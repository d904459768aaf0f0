"""Defines transports: the values that they take and return, and what they promise.

A transport sends a request at most once, follows nothing, repeats nothing, and sets
`RequestTrace.write_began` before the first byte of the request can leave this machine. Deadlines
are set by `worker.gateways.transport.client`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import httpx

from worker.gateways.egress import Egress


class RawResponse(NamedTuple):
    """An answer as it came over the wire: the whole body, still in its content coding."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    #: Whether the body is only the start of what the server wrote.
    is_cut: bool = False


@dataclass(slots=True)
class RequestTrace:
    """A note on one request while it is under way; the transport keeps it up to date."""

    #: Whether a byte of the request may have left: False proves that none did.
    write_began: bool = False
    #: What had come of an answer's body when its call failed, however it did.
    start: RawResponse | None = None


class ConnectionBroken(Exception):
    """There is no whole answer: it was cut off, is not HTTP/1.1, or is too long.

    `detail` says more, in words of ours: nothing that came over the wire. `start` is what can be
    read of the answer all the same, marked as cut.
    """

    #: The word for the failure in error texts.
    label: ClassVar[str] = "Broken"

    def __init__(self, detail: str = "", start: RawResponse | None = None) -> None:
        self.detail = detail
        self.start = start
        super().__init__(detail)


class ServerClosed(ConnectionBroken):
    """The server closed the connection before the answer was whole."""

    label = "Disconnected"


class UnreadableAnswer(ConnectionBroken):
    """The server wrote something that is no HTTP/1.1 answer, or an answer without a request."""

    label = "Unreadable"


class AnswerTooLong(ConnectionBroken):
    """The answer's head is longer than the transport takes, or its body than the call does."""

    label = "TooLong"


class Transport(Protocol):
    """Carries requests from one event loop, each once. `close` it when the loop ends."""

    async def exchange(
        self, request: httpx.Request, trace: RequestTrace, max_bytes: int, egress: Egress
    ) -> RawResponse:
        """Send a request and return the whole answer, or raise; a cancelled call leaves nothing.

        Raises `AnswerTooLong` as soon as the body has more than `max_bytes`. What came of a body
        is in `trace.start` then, whatever is raised.
        """

    async def close(self) -> None:
        """Close all connections."""
