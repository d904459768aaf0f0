"""A gateway on a socket of its own that takes whole requests, and then fails as it is told."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

#: What becomes of a connection after its request was taken; it is closed afterwards.
Failure = Callable[["Line"], None]


class Line:
    """One connection of a `Gateway`, seen from the server."""

    def __init__(self, gateway: "Gateway", raw: socket.socket) -> None:
        self.gateway = gateway
        self.socket = raw
        self.rest = b""

    def request(self) -> bytes | None:
        """Read one whole request; None when the client closed the connection before."""
        while b"\r\n\r\n" not in self.rest:
            if not self._read():
                return None
        head, _, _ = self.rest.partition(b"\r\n\r\n")
        lengths = [
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ]
        size = len(head) + 4 + sum(lengths)
        while len(self.rest) < size:
            if not self._read():
                return None
        whole, self.rest = self.rest[:size], self.rest[size:]
        return whole

    def _read(self) -> bool:
        try:
            more = self.socket.recv(65536)
        except OSError:
            more = b""
        self.rest += more
        self.gateway.bytes_seen += len(more)
        return bool(more)

    def write(self, data: bytes) -> None:
        """Write, whether or not anybody listens."""
        with contextlib.suppress(OSError):
            self.socket.sendall(data)

    def reset(self) -> None:
        """Let the connection end by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Gateway:
    """Answers `good` requests with 200, and then does `fail`. It keeps what it took."""

    def __init__(
        self,
        fail: Failure = lambda _: None,
        good: int = 0,
        *,
        trust: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        answer: Callable[[bytes], bytes] = lambda _: OK,
    ) -> None:
        self.taken: list[bytes] = []
        self.connections = 0
        self.bytes_seen = 0
        #: Requests that came while another one on the same connection was not yet answered.
        self.pipelined = 0
        #: Set when the gateway closes; a failure that lasts waits for it.
        self.closing = threading.Event()
        self._fail, self._good, self._trust, self._answer = fail, good, trust, answer
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.create_server((host, 0), family=family)
        self.port = self._server.getsockname()[1]
        named = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if trust else 'http'}://{named}:{self.port}/submit?a=%E4%BF%A1"
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self._server.accept()
                self.connections += 1
                self._start(lambda raw=raw: self._serve(raw))

    def _serve(self, raw: socket.socket) -> None:
        with contextlib.closing(raw):
            raw.settimeout(20)
            if self._trust is not None:
                try:
                    raw = self._trust.wrap_socket(raw, server_side=True)
                except OSError:
                    return
            with contextlib.closing(raw):
                line = Line(self, raw)
                while (request := line.request()) is not None:
                    self.pipelined += bool(line.rest)
                    self.taken.append(request)
                    if len(self.taken) > self._good:
                        self._fail(line)
                        return
                    line.write(self._answer(request))

    def close(self) -> None:
        """Close, and wait until every connection is gone."""
        self.closing.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def gateway(fail: Failure = lambda _: None, good: int = 0, **words: object) -> Iterator[Gateway]:
    """Run a gateway for a while."""
    made = Gateway(fail, good, **words)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


def close(_: Line) -> None:
    """Close without a byte."""


def reset(line: Line) -> None:
    """RST without a byte."""
    line.reset()


def half_a_head(line: Line) -> None:
    """Close in the middle of the head."""
    line.write(b"HTTP/1.1 200 OK\r\nConte")


def half_a_body(line: Line) -> None:
    """Close in the middle of a body whose length was told."""
    line.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1")


def half_a_chunk(line: Line) -> None:
    """Close in the middle of a chunk."""
    line.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n1")


def no_last_chunk(line: Line) -> None:
    """Close after a whole chunk that is not the last."""
    line.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n")


def reset_in_the_body(line: Line) -> None:
    """RST in the middle of a body."""
    half_a_body(line)
    line.reset()


def silence(line: Line) -> None:
    """Say nothing for ever."""
    line.gateway.closing.wait(20)


def trickle(line: Line) -> None:
    """Write a byte of a long body now and then."""
    line.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    while not line.gateway.closing.wait(0.05):
        line.write(b"1")


def trickle_of_the_head(line: Line) -> None:
    """Write a byte of the head now and then."""
    line.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not line.gateway.closing.wait(0.05):
        line.write(b"1")


def garbage(line: Line) -> None:
    """Write what is no HTTP."""
    line.write(b"\x00\xff\xfe 0 0 0 \r\n\r\n" * 10)
    line.gateway.closing.wait(20)


def announcing_for_ever(line: Line) -> None:
    """Write 1xx answers without end, and never another."""
    while not line.gateway.closing.wait(0):
        try:
            line.socket.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)
        except OSError:
            return


def flood_of_headers(line: Line) -> None:
    """Write a head without end."""
    line.write(b"HTTP/1.1 200 OK\r\n")
    while not line.gateway.closing.wait(0):
        try:
            line.socket.sendall(b"X-More: 0123456789\r\n" * 1000)
        except OSError:
            return


def too_long(line: Line) -> None:
    """Write a body of 100 MB."""
    line.write(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
    with contextlib.suppress(OSError):
        for _ in range(100):
            line.socket.sendall(b"0" * 1048576)


FAILURES: tuple[Failure, ...] = (
    close,
    reset,
    half_a_head,
    half_a_body,
    half_a_chunk,
    no_last_chunk,
    reset_in_the_body,
    silence,
    trickle,
    trickle_of_the_head,
    garbage,
    announcing_for_ever,
    flood_of_headers,
    too_long,
)
