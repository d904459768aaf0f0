"""Serves the application until TERM: one process, one port, no line in the log for a call.

uvicorn's access log would hold paths, and the path of a push holds its token.
"""

import asyncio
import signal
import socket
import tempfile

import structlog
import uvicorn

from producer.web import app
from producer.web.connections import Connections
from producer.web.http_connection import HttpConnection
from producer.web.limited_server import MAX_ACCEPTED_AT_ONCE, LimitedServer
from producer.web.listener import address
from producer.web.open_files import connection_capacity
from worker.config.settings import Settings
from worker.runtime import gc_tuning, metrics

log = structlog.get_logger()

#: For so many seconds after TERM the calls under way may go on.
SHUTDOWN_SECONDS = 15


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve on a socket until TERM or Ctrl-C, then finish the calls under way."""
    # Uploads are spooled to disk, and /tmp may be memory.
    settings.state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(settings.state_folder)
    # uvicorn handles the signals and raises them once more when it has finished; ignore these.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    server = make_server(settings)
    gc_tuning.tune()
    metrics_server = metrics.start(settings)
    log.info("web.listening", at=address(listener))
    asyncio.run(server.serve([listener]))
    if metrics_server is not None:
        metrics_server.close()
    log.info("web.stopped")


def make_server(settings: Settings) -> LimitedServer:
    """Return a server of the application; it connects to nothing before it is started."""
    config = uvicorn.Config(
        app.create(settings),
        http=HttpConnection,
        log_config=None,
        # Its warnings tell of what strangers sent.
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
    connections = Connections(connection_capacity(), settings.top.web.body_timeout)
    return LimitedServer(config, connections)
