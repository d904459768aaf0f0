"""Serves the application until TERM: one process, one port, no line in the log for a call.

uvicorn's access log would hold paths, and the path of a push holds its token.
"""

import asyncio
import errno
import signal
import socket
import tempfile
from typing import Any

import structlog
import uvicorn

from producer.web import app
from producer.web.connections import Connections, connection_capacity
from producer.web.http_connection import HttpConnection
from producer.web.listener import BACKLOG, address
from producer.web.sparse_log import SparseLog
from worker.config.settings import Settings
from worker.runtime import gc_tuning

log = structlog.get_logger()

#: For so many seconds after TERM the calls under way may go on.
SHUTDOWN_SECONDS = 15
#: Connections that are accepted in one turn of the event loop, before any of them is counted.
MAX_ACCEPTED_AT_ONCE = 8
#: The system has no file, or no memory, for another connection.
_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve on a socket until TERM or Ctrl-C, then finish the calls under way."""
    # Uploads are spooled to disk, and /tmp may be memory.
    settings.state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(settings.state_folder)
    # uvicorn handles the signals and raises them once more when it has finished; ignore these.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    server = Server(settings)
    gc_tuning.tune()
    log.info("web.listening", at=address(listener))
    asyncio.run(server.serve([listener]))
    log.info("web.stopped")


class Server(uvicorn.Server):
    """uvicorn's server, with limits for its connections."""

    server_state: Connections

    def __init__(self, settings: Settings) -> None:
        super().__init__(_uvicorn_config(settings))
        self.server_state = Connections(connection_capacity(), settings.top.web.body_timeout)
        self._accept_log = SparseLog("web.accept_failed")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        asyncio.get_running_loop().set_exception_handler(self._handle_loop_error)
        await super().startup(sockets)
        # asyncio accepts as many at once as may wait, and is told few; as many as before may wait.
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
        if isinstance(error, OSError) and error.errno in _OUT_OF_RESOURCES:
            self._accept_log.warn()
        else:
            loop.default_exception_handler(context)


def _uvicorn_config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app.create(settings),
        http=HttpConnection,
        log_config=None,
        # Warnings tell of what strangers sent.
        log_level="error",
        access_log=False,
        server_header=False,
        # X-Forwarded-For is believed where `web.trusted_proxies` says so, by `producer.web.peers`.
        proxy_headers=False,
        backlog=MAX_ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=30,
        ws="none",
        lifespan="on",
    )
