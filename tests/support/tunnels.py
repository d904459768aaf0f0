"""HTTP proxies on sockets of their own: one that opens tunnels, and those that do not.

Each is what a `dropping_gateway.Gateway` does with the connection on which CONNECT came.
"""

import contextlib
import select
import socket
from collections.abc import Callable, Iterator

from tests.support.dropping_gateway import Failure, Gateway, Line, gateway
from worker.gateways.egress import Egress, parse_proxy

STANDS = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n"


def egress_by(proxy: Gateway, login: str = "", **more: object) -> Egress:
    """Return the way out through a proxy."""
    url = f"http://{login and login + '@'}127.0.0.1:{proxy.port}"
    return Egress(parse_proxy(url), **more)  # type: ignore[arg-type]


@contextlib.contextmanager
def proxy(behave: Failure | None = None, **words: object) -> Iterator[Gateway]:
    """Run a proxy for a while; it opens tunnels unless it behaves otherwise."""
    with gateway(behave or tunnel, **words) as made:
        yield made


def tunnel(line: Line, most: Callable[[], bool] = lambda: False) -> None:
    """Open the tunnel that was asked for, and carry bytes until `most`, or until a side closes."""
    host, _, port = line.gateway.taken[-1].split()[1].decode().rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), 5) as far:
        line.write(STANDS)
        other = {line.socket: far, far: line.socket}
        while not (line.gateway.closing.is_set() or most()):
            for end in select.select(list(other), [], [], 0.01)[0]:
                data = b""
                with contextlib.suppress(OSError):
                    data = end.recv(65536)
                if not data:
                    return
                with contextlib.suppress(OSError):
                    other[end].sendall(data)


def refusing(status: int) -> Failure:
    """Return a proxy that refuses to open a tunnel."""
    return lambda line: line.write(
        b"HTTP/1.1 %d No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 3\r\n\r\nno\n"
        % status
    )


def speak_before(line: Line) -> None:
    """Open a tunnel in which something stands already."""
    line.write(STANDS + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    line.gateway.closing.wait(20)


def garbage(line: Line) -> None:
    """Write what is no HTTP, and hold the line."""
    line.write(b"SSH-2.0-OpenSSH_9.6 Debian\r\n")
    line.gateway.closing.wait(20)


def huge_head(line: Line) -> None:
    """Write a head without end."""
    line.write(b"HTTP/1.1 200 OK\r\n")
    while not line.gateway.closing.wait(0):
        try:
            line.socket.sendall(b"X-More: 0123456789\r\n" * 1000)
        except OSError:
            return
