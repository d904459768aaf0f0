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
from producer.web.listener import address
from worker.config.settings import Settings
from worker.runtime import gc_tuning

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
    server = uvicorn.Server(uvicorn_config(settings))
    gc_tuning.tune()
    log.info("web.listening", at=address(listener))
    asyncio.run(server.serve([listener]))
    log.info("web.stopped")


def uvicorn_config(settings: Settings) -> uvicorn.Config:
    """Return the settings with which uvicorn serves the application."""
    return uvicorn.Config(
        app.create(settings),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # X-Forwarded-For is believed where `web.trusted_proxies` says so, by `producer.web.peers`.
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=30,
        ws="none",
        lifespan="on",
    )
