"""Listening until TERM: one process, one port, no line in the log for a call.

uvicorn's access log would hold paths, and the path of a push holds its token.
"""

import asyncio
import errno
import socket
import tempfile

import structlog
import uvicorn

from producer.web import app
from worker.errors import XinshiError
from worker.settings import Settings

log = structlog.get_logger()

#: How long calls that are under way may take after TERM, in seconds.
GRACE = 15
#: Connections that wait to be taken.
BACKLOG = 2048


class Taken(XinshiError):
    """Somebody else listens there already, or we may not."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound; raises `Taken` saying which port and what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise Taken(_why(host, port, error)) from None
    return bound


def _why(host: str, port: int, error: OSError) -> str:
    advice = "choose another (web.port, --web-port)"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken; {advice}"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by this user; {advice}"
    return f"cannot listen on {host}, port {port}: {error.strerror}; see web.host and web.port"


def serve(settings: Settings, bound: socket.socket) -> None:
    """Serve on a socket until TERM or Ctrl-C; what is under way is finished."""
    # Uploads are spooled to disk, and /tmp may be memory.
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(settings.folder)
    config = uvicorn.Config(
        app.create(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        # X-Forwarded-For is believed where `web.trusted_proxies` says so, by `producer.web.peers`.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=30,
        ws="none",
        lifespan="on",
    )
    host, port = bound.getsockname()[:2]
    log.info("web.listening", host=host, port=port)
    asyncio.run(uvicorn.Server(config).serve([bound]))
    log.info("web.stopped")
