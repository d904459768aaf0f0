"""Knows the open connections of a web process: how many there may be, and which one gives way.

A connection waits for its client (to send a request, or to read an answer), or its client waits for
us. Only connections that wait for their client are closed here: those that wait for too long, and,
when there are too many, the one that has waited longest. So whoever opens connections and says
nothing closes his own.
"""

from collections import OrderedDict
from time import monotonic

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from producer.web.event_counter import EventCounter

log = structlog.get_logger()

#: A connection that has waited for fewer seconds never gives way to another one.
GRACE_SECONDS = 0.1


class Connections(ServerState):
    """The connections of one server. Only the event loop's thread may use it.

    `patience` is for how many seconds a connection may wait for its client. The bodies of requests
    have limits of their own (`body_limits`).
    """

    def __init__(self, capacity: int, patience: float) -> None:
        super().__init__()
        self._capacity = capacity
        self._patience = patience
        #: Those that wait for their clients, with the time since when; the longest wait is first.
        self._waiting: OrderedDict[HttpToolsProtocol, float] = OrderedDict()
        self._overflows = EventCounter()

    def begin_wait(self, connection: HttpToolsProtocol) -> None:
        """Note that from now on a connection waits for its client."""
        self._waiting[connection] = monotonic()
        self._waiting.move_to_end(connection)

    def end_wait(self, connection: HttpToolsProtocol) -> None:
        """Note that a connection does not wait for its client, or is lost."""
        self._waiting.pop(connection, None)

    def make_room(self) -> bool:
        """Close the connection that has waited longest if there are too many; False if none may go.

        The new connection is counted already, and does not wait yet.
        """
        if len(self.connections) <= self._capacity:
            return True
        if times := self._overflows.add():
            log.warning("web.full", times=times, connections=self._capacity)
        connection, since = next(iter(self._waiting.items()), (None, 0.0))
        if connection is None or monotonic() - since < GRACE_SECONDS:
            return False
        self._close(connection)
        return True

    def close_overdue(self) -> None:
        """Close the connections that have waited for too long."""
        started_before = monotonic() - self._patience
        overdue = []
        for connection, since in self._waiting.items():
            if since > started_before:
                break
            if not _is_receiving_body(connection):
                overdue.append(connection)
        for connection in overdue:
            self._close(connection)

    def _close(self, connection: HttpToolsProtocol) -> None:
        self.end_wait(connection)
        # Several may have to go before the first of them is lost.
        self.connections.discard(connection)
        connection.transport.abort()


def _is_receiving_body(connection: HttpToolsProtocol) -> bool:
    cycle = connection.cycle
    if cycle is None or cycle.response_complete or connection.flow.write_paused:
        return False
    return cycle.more_body
