"""Listening until TERM: one process, one port, no line in the log for a call.

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

#: How long calls that are under way may take after TERM, in seconds.
GRACE = 15


def serve(settings: Settings, bound: socket.socket) -> None:
    """Serve on a socket until TERM or Ctrl-C; what is under way is finished."""
    # Uploads are spooled to disk, and /tmp may be memory.
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(settings.folder)
    # uvicorn takes the signals, and hands them on when it has finished: that is the end, no fault.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    server = uvicorn.Server(configured(settings))
    gc_tuning.settle()
    log.info("web.listening", at=address(bound))
    asyncio.run(server.serve([bound]))
    log.info("web.stopped")


def configured(settings: Settings) -> uvicorn.Config:
    """Return how the application is served."""
    return uvicorn.Config(
        app.create(settings),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # X-Forwarded-For is believed where `web.trusted_proxies` says so, by `producer.web.peers`.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=30,
        ws="none",
        lifespan="on",
    )
