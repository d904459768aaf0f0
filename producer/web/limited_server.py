"""Runs uvicorn's server with limits for its connections; says little when files run out."""

import asyncio
import errno
import socket
from typing import Any

import structlog
import uvicorn

from producer.web.connections import Connections
from producer.web.event_counter import EventCounter
from producer.web.listener import BACKLOG

log = structlog.get_logger()

#: Connections that are accepted in one turn of the event loop, before any of them is counted:
#: `backlog` in uvicorn's configuration.
MAX_ACCEPTED_AT_ONCE = 8
#: The system has no file, or no memory, for another connection.
_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class LimitedServer(uvicorn.Server):
    """uvicorn's server with limits."""

    server_state: Connections

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self.server_state = connections
        self._failed_accepts = EventCounter()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        asyncio.get_running_loop().set_exception_handler(self._handle_loop_error)
        await super().startup(sockets)
        # asyncio accepts as many in one turn as its backlog; as many as before may wait for it.
        for listener in sockets or ():
            listener.listen(BACKLOG)

    async def on_tick(self, counter: int) -> bool:
        """Close overdue connections, ten times a second; tell whether to end."""
        self.server_state.close_overdue()
        return await super().on_tick(counter)

    def _handle_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error of the event loop, but one of accepting only now and then.

        asyncio accepts again after a second.
        """
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in _OUT_OF_RESOURCES:
            loop.default_exception_handler(context)
        elif times := self._failed_accepts.add():
            log.warning("web.accept_failed", times=times, why=errno.errorcode[error.errno])
