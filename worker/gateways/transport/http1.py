"""HTTP/1.1 without a network: a request as bytes, and bytes as an answer (RFC 9112)."""

import httptools
import httpx

from worker.gateways.transport.protocol import (
    Disconnected,
    RawResponse,
    TooLong,
    Unreadable,
)

#: The longest head of an answer, in bytes; trailers and the heads of 1xx answers count too.
LONGEST_HEAD = 64 * 1024


def written(request: httpx.Request) -> bytes:
    """Return a request as it travels. Raises `httpx.LocalProtocolError` when it cannot be said.

    Its body has to be in memory, and its headers to say its length, as httpx does.
    """
    lines = [b"%s: %s" % pair for pair in request.headers.raw]
    target = b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)
    head = b"\r\n".join([target, *lines, b"", b""])
    ends = len(lines) + 2
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        msg = "a header holds a line end"
        raise httpx.LocalProtocolError(msg)
    return head + request.content


class ResponseParser:
    """Reads one answer, however it is cut into pieces. `longest` is all that it takes, in bytes.

    `keep` says, once it is complete, whether its connection may carry another request: not when
    the server says that it closes it, nor when anything came after the answer.
    """

    __slots__ = (
        "_ambiguous",
        "_body",
        "_head",
        "_headers",
        "_in_body",
        "_longest",
        "_parser",
        "_received",
        "_status",
        "_until_closed",
        "complete",
        "keep",
    )

    def __init__(self, longest: int) -> None:
        self.complete = False
        self.keep = False
        self._longest = longest
        self._received = 0
        self._head = 0
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._in_body = False
        self._until_closed = False
        self._ambiguous = False
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        # Old servers end lines by LF alone, and give a length beside chunks. Nothing stands
        # between them and us that could read the same bytes in another way.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def feed(self, data: bytes) -> bool:
        """Read on; True when the answer is complete. Raises `Unreadable` or `TooLong`."""
        parser = self._parser
        if parser is None:
            self.keep = False
            return True
        self._received += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise Unreadable from error
            self.keep = False
        head = self._head if self._in_body else max(self._head, self._received)
        if head > LONGEST_HEAD or self._received > self._longest + LONGEST_HEAD:
            raise TooLong
        if self.complete:
            # The two know each other: let go, so that neither waits for a collector.
            self._parser = None
        return self.complete

    def end(self) -> None:
        """Take note that nothing more comes. Raises `Disconnected` if the answer is not whole."""
        self._parser = None
        if not self.complete and not (self._in_body and self._until_closed):
            raise Disconnected
        self.complete = True

    def answer(self) -> RawResponse:
        """Return the answer, once it is complete."""
        return RawResponse(self._status, self._headers, b"".join(self._body))

    # httptools calls these.

    def on_message_begin(self) -> None:
        """Another answer begins where one was complete: nobody asked for it."""
        if self.complete:
            self.keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a line of the head; one after the body is counted and left out."""
        self._head += len(name) + len(value) + 4
        if not self._in_body and self._head <= LONGEST_HEAD:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Learn how the body will end."""
        parser = self._parser
        if self.complete or parser is None:
            return
        self._status = parser.get_status_code()
        if self._status < 200:
            return
        self._in_body = True
        named = {name.lower(): value for name, value in self._headers}
        coded = named.get(b"transfer-encoding", b"").strip().lower()
        if coded not in {b"", b"identity", b"chunked"}:
            raise Unreadable
        self._ambiguous = coded == b"chunked" and b"content-length" in named
        self._until_closed = coded != b"chunked" and b"content-length" not in named

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        if not self.complete:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Go on after an answer that only announces another (1xx); else it is complete."""
        parser = self._parser
        if self.complete or parser is None:
            return
        if self._status < 200:
            self._headers.clear()
            return
        self.complete = True
        self.keep = parser.should_keep_alive() and not self._ambiguous
