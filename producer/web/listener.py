"""The socket of the web process: bound before anything heavy is imported, or refused in words."""

import errno
import socket

from worker.domain.errors import XinshiError

#: Connections that wait to be taken.
BACKLOG = 2048


class PortTaken(XinshiError):
    """Somebody else listens there already, or we may not."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises `Taken` saying which port and what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise PortTaken(_why(host, port, error)) from None
    return bound


def address(bound: socket.socket) -> str:
    """Return where a socket listens, as a URL."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why(host: str, port: int, error: OSError) -> str:
    advice = "choose another by web.port or on the command line"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken; {advice}"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by this user; {advice}"
    return f"cannot listen on {host}, port {port}: {error.strerror}; see web.host and web.port"
