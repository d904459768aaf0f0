"""Opens the listening socket, before anything heavy is imported, or says why it cannot."""

import errno
import socket

from worker.domain.errors import XinshiError

#: Connections that the kernel keeps waiting to be accepted.
BACKLOG = 2048


class PortTaken(XinshiError):
    """The port cannot be listened on: it is in use, or not allowed to this user."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises `PortTaken` saying which port and what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By the protocol asyncio knows that small answers must not wait for each other (TCP_NODELAY).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortTaken(_reason(host, port, error)) from None
    return listener


def address(listener: socket.socket) -> str:
    """Return where a socket listens, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _reason(host: str, port: int, error: OSError) -> str:
    advice = "choose another by web.port or on the command line"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken; {advice}"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by this user; {advice}"
    return f"cannot listen on {host}, port {port}: {error.strerror}; see web.host and web.port"
