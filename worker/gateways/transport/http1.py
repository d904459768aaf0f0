"""Writes HTTP/1.1 requests to bytes and parses answers from bytes, without a network (RFC 9112)."""

import httptools
import httpx

from worker.gateways.transport.protocol import (
    AnswerTooLong,
    RawResponse,
    ServerClosed,
    UnreadableAnswer,
)

#: The longest head of an answer; trailers and the heads of 1xx answers count too.
MAX_HEAD_BYTES = 64 * 1024


def encode_request(request: httpx.Request) -> bytes:
    """Return a request as bytes. Raises `httpx.LocalProtocolError` when HTTP cannot carry it.

    Its body has to be in memory, and its headers have to state its length, as httpx makes them.
    """
    lines = [b"%s: %s" % pair for pair in request.headers.raw]
    target = b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)
    head = b"\r\n".join([target, *lines, b"", b""])
    line_count = len(lines) + 2
    if head.count(b"\n") != line_count or head.count(b"\r") != line_count or b"\0" in head:
        msg = "a header holds a line end"
        raise httpx.LocalProtocolError(msg)
    return head + request.content


class ResponseParser:
    """Parses one answer, however it is cut into pieces. Its body has at most `max_bytes`.

    Once the answer is `complete`, `reusable` tells whether its connection may carry another
    request: not when the server says that it closes it, nor when anything came after the answer.
    """

    __slots__ = (
        "_ambiguous",
        "_body",
        "_body_bytes",
        "_head_bytes",
        "_headers",
        "_max_bytes",
        "_parser",
        "_received_bytes",
        "_status",
        "_until_closed",
        "complete",
        "has_surplus",
        "in_body",
        "reusable",
    )

    def __init__(self, max_bytes: int) -> None:
        self.complete = False
        self.reusable = False
        #: Whether anything but line ends came behind the whole answer, as it came.
        self.has_surplus = False
        self._max_bytes = max_bytes
        self._received_bytes = 0
        self._head_bytes = 0
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        #: Whether the head of the answer has been read.
        self.in_body = False
        self._until_closed = False
        self._ambiguous = False
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        # Old servers end lines by LF alone, and give a length beside chunks. No proxy stands
        # between them and us that could read the same bytes in another way.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def feed(self, data: bytes) -> bool:
        """Parse more bytes; True when the answer is complete.

        Raises `UnreadableAnswer` or `AnswerTooLong`.
        """
        parser = self._parser
        if parser is None:
            self.reusable = False
            return True
        self._received_bytes += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise UnreadableAnswer from error
            self.reusable = False
            self.has_surplus = True
        head = self._head_bytes if self.in_body else max(self._head_bytes, self._received_bytes)
        if head > MAX_HEAD_BYTES:
            raise AnswerTooLong
        if (
            self._body_bytes > self._max_bytes
            or self._received_bytes > self._max_bytes + MAX_HEAD_BYTES
        ):
            raise AnswerTooLong
        if self.complete:
            # The two refer to each other: without this, both would wait for the garbage collector.
            self._parser = None
        return self.complete

    def end_of_stream(self) -> None:
        """Note that nothing more comes. Raises `ServerClosed` if the answer is not whole."""
        self._parser = None
        if not self.complete and not (self.in_body and self._until_closed):
            raise ServerClosed
        self.complete = True

    def response(self) -> RawResponse:
        """Return the answer, once it is complete."""
        return RawResponse(self._status, self._headers, b"".join(self._body))

    def start(self) -> RawResponse | None:
        """Return what has come of the body, marked as cut; None before the head is whole."""
        if not self.in_body:
            return None
        body = b"".join(self._body)[: self._max_bytes]
        return RawResponse(self._status, self._headers, body, is_cut=True)

    # httptools calls these.

    def on_message_begin(self) -> None:
        """Note that another answer begins after the complete one, without a request."""
        if self.complete:
            self.reusable = False
            self.has_surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a line of the head; a line after the body is only counted."""
        self._head_bytes += len(name) + len(value) + 4
        if not self.in_body and self._head_bytes <= MAX_HEAD_BYTES:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the status, and find out how the body will end."""
        parser = self._parser
        if self.complete or parser is None:
            return
        self._status = parser.get_status_code()
        if self._status < 200:
            return
        self.in_body = True
        headers = {name.lower(): value for name, value in self._headers}
        coding = headers.get(b"transfer-encoding", b"").strip().lower()
        if coding not in {b"", b"identity", b"chunked"}:
            raise UnreadableAnswer
        self._ambiguous = coding == b"chunked" and b"content-length" in headers
        self._until_closed = coding != b"chunked" and b"content-length" not in headers

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        if not self.complete:
            self._body.append(body)
            self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """Go on after an answer that only announces another (1xx); else mark it complete."""
        parser = self._parser
        if self.complete or parser is None:
            return
        if self._status < 200:
            self._headers.clear()
            return
        self.complete = True
        self.reusable = parser.should_keep_alive() and not self._ambiguous
