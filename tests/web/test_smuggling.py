"""Requests that two servers may read as one or as two: here each is one, or none."""

import re
import socket
from contextlib import suppress

from tests.web.conftest import Served

_HEAD = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n"
_HIDDEN = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"

#: What may not be read as more than one request, by what is odd about it.
FORMS = {
    "a length and chunks": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + _HIDDEN,
    "two lengths": f"Content-Length: 0\r\nContent-Length: {len(_HIDDEN)}\r\n\r\n{_HIDDEN}",
    "two lengths in one": f"Content-Length: 0, {len(_HIDDEN)}\r\n\r\n{_HIDDEN}",
    "a length with a sign": f"Content-Length: +{len(_HIDDEN)}\r\n\r\n{_HIDDEN}",
    "a length below none": f"Content-Length: -1\r\n\r\n{_HIDDEN}",
    "a length in hexadecimal": f"Content-Length: 0x10\r\n\r\n{_HIDDEN}",
    "a length that overflows": f"Content-Length: {2**64}\r\n\r\n{_HIDDEN}",
    "chunks misspelt": f"Transfer-Encoding: xchunked\r\n\r\n{_HIDDEN}",
    "chunks and another": f"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{_HIDDEN}",
    "chunks twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n"
    + _HIDDEN,
    "a blank before the colon": f"Content-Length : {len(_HIDDEN)}\r\n\r\n{_HIDDEN}",
    "a folded line": f"X: 1\r\n Content-Length: {len(_HIDDEN)}\r\n\r\n{_HIDDEN}",
    "a chunk's length with a sign": "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + _HIDDEN,
    "a chunk's length that overflows": "Transfer-Encoding: chunked\r\n\r\n" + "f" * 17 + "\r\n",
    "NUL in a name": f"Content-Le\x00ngth: 1\r\n\r\n{_HIDDEN}",
    "a return alone": f"X: 1\rContent-Length: 0\r\n\r\n{_HIDDEN}",
}


_NO_REQUESTS = (
    *("CONNECT a.example:443 HTTP/1.1", "PRI * HTTP/2.0", "GET /openapi.json HTTP/9.9", "GET"),
    "\x16\x03",
)


def test_a_request_is_one_or_none(served: Served) -> None:
    well_formed = _answers(served, f"{_HEAD}Content-Length: 0\r\n\r\n{_HIDDEN}".encode())
    assert [b" 200" in status for status in well_formed] == [True, True]
    for name, form in FORMS.items():
        answers = _answers(served, (_HEAD + form).encode("latin-1"))
        assert sum(b" 200" in status for status in answers) <= 1, name


def test_what_is_no_request_of_ours_is_refused(served: Served) -> None:
    for first_line in _NO_REQUESTS:
        answers = _answers(served, f"{first_line}\r\nHost: x\r\n\r\n".encode("latin-1"))
        assert not [status for status in answers if b" 200" in status], first_line


def test_an_upgrade_to_http_2_is_left_alone(served: Served) -> None:
    head = "GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    head += "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    (answer, *more) = _answers(served, head.encode())
    assert b" 200" in answer
    assert not more


def _answers(served: Served, request: bytes) -> list[bytes]:
    """Send bytes; return the status lines of all answers until nothing comes any more."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    received = bytearray()
    with socket.create_connection((host, int(port)), 20) as line:
        line.sendall(request)
        with suppress(OSError):
            while piece := line.recv(65536):
                received.extend(piece)
                # What was answered at all is answered at once.
                line.settimeout(1.0)
    # A status line follows the body before it without a break.
    return re.findall(rb"HTTP/1\.\d \d{3}", bytes(received))
