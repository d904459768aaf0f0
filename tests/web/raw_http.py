"""A client of bytes: it sends what no library would, and reads what comes back."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


@contextmanager
def connected(url: str, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """Lend a connection to the host and port of a URL."""
    parts = urlsplit(url)
    with socket.socket() as connection:
        connection.settimeout(20)
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect((parts.hostname or "", parts.port or 80))
        yield connection


def send_until_closed(connection: socket.socket, piece: bytes, max_bytes: int) -> int:
    """Send a piece again and again until the other side closes; return how many bytes went."""
    sent = 0
    try:
        while sent < max_bytes:
            connection.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side closes."""
    received = bytearray()
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionError:
        pass
    return bytes(received)


def answers(received: bytes) -> list[Answer]:
    """Take apart the answers that stand one after the other; each has a length."""
    listed = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        length = int(headers["content-length"])
        listed.append(Answer(int(status_line.split(" ")[1]), headers, received[:length]))
        received = received[length:]
    return listed
