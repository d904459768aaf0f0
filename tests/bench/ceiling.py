"""What the sandbox itself can take: a client that does nothing but write requests.

A benchmark's figure says something of Xinshi only while this is a good deal more.
"""

import hashlib
import socket
import time

from tests.bench.ground import SandboxProcess


def batches(sandbox: SandboxProcess, *, seconds: float = 2.0, size: int = 2000) -> float:
    """Return how many recipients per second c123's side takes by POST, on 8 connections."""
    listed = ",".join(f"138{nth:08d}" for nth in range(size))
    password = hashlib.md5(b"9999", usedforsecurity=False).hexdigest()
    body = f"uid=9999&pwd={password}&mobile={listed}&content=hello".encode("ascii")
    head = (
        "POST /c123/tx/ HTTP/1.1\r\nHost: sandbox\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode("ascii")
    found = _flood(sandbox.port, head + body, 8, seconds) * size
    sandbox.taken()
    return found


def _flood(port: int, request: bytes, connections: int, seconds: float) -> float:
    """Keep a request under way on each connection; returns requests per second."""
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    try:
        began, answered = time.perf_counter(), 0
        while time.perf_counter() < began + seconds:
            for line in lines:
                line.sendall(request)
            for line in lines:
                while not _ended(line):
                    pass
                answered += 1
        return answered / (time.perf_counter() - began)
    finally:
        for line in lines:
            line.close()


def _ended(line: socket.socket) -> bool:
    """Read one answer; the sandbox writes each with its length, in one piece here."""
    answer = line.recv(65536)
    if not answer.startswith(b"HTTP/1.1 200"):
        msg = f"the sandbox answered {answer[:60]!r}"
        raise RuntimeError(msg)
    return True
