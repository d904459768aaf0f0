"""Wires: the faults of the connection. Each writes something else than the gateway's answer.

A rule uses a wire under one of two names: `take_then_…` after the gateway did what the call asks,
`not_taken_…` instead of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from worker.sandbox import hostile
from worker.sandbox.exchange import SandboxAnswer
from worker.sandbox.server import ClientConnection, format_answer


class WireCase(NamedTuple):
    """The connection to write to, the answer of an honest gateway, and the rule's arguments."""

    connection: ClientConnection
    answer: SandboxAnswer
    args: Mapping[str, Any]


Wire = Callable[[WireCase], None]


def _close(case: WireCase) -> None:
    """Close without a byte."""
    case.connection.close()


def _reset(case: WireCase) -> None:
    """Reset (RST) without a byte."""
    case.connection.reset()


def _half_header(case: WireCase) -> None:
    """Close in the middle of the header."""
    case.connection.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Le")
    case.connection.close()


def _half_body(case: WireCase) -> None:
    """Promise a longer body than comes, and close."""
    case.connection.write(format_answer(case.answer)[: -max(1, len(case.answer.body) // 2)])
    case.connection.close()


def _status(status: int) -> Wire:
    """Return a wire that answers as a proxy does whose server failed."""

    def wire(case: WireCase) -> None:
        body = f"<html><body><h1>{status}</h1></body></html>".encode()
        case.connection.send(SandboxAnswer("-", body, "text/html", status))

    return wire


def _hang(case: WireCase) -> None:
    """Say nothing, for ever or for `seconds`, then close."""
    if "seconds" in case.args:
        case.connection.later(float(case.args["seconds"]), case.connection.close)


def _trickle(case: WireCase) -> None:
    """Write the right answer, one byte for each `interval`."""
    remaining = iter(format_answer(case.answer))
    interval = float(case.args.get("interval", 0.5))

    def step() -> None:
        byte = next(remaining, None)
        if byte is None:
            case.connection.finish()
        else:
            case.connection.write(bytes((byte,)))
            case.connection.later(interval, step)

    step()


def _garbage(case: WireCase) -> None:
    """Answer 200 with a body that means nothing, or with `body`."""
    body = (
        str(case.args["body"]).encode()
        if "body" in case.args
        else b"\xff\xfe<<<%&\x00 not an answer"
    )
    case.connection.send(SandboxAnswer("-", body, case.answer.content_type))


def _empty(case: WireCase) -> None:
    """Answer 200 without a body."""
    case.connection.send(SandboxAnswer("-", b"", case.answer.content_type))


def _wrong_charset(case: WireCase) -> None:
    """Write the right answer in a charset that nobody announced."""
    charset = "gbk" if "gbk" in case.answer.content_type.lower() else "utf-8"
    text = case.answer.body.decode(charset, "replace")
    body = text.encode(str(case.args.get("charset", "utf-16")))
    case.connection.send(SandboxAnswer("-", body, case.answer.content_type))


def _huge(case: WireCase) -> None:
    """Write a body of `megabytes`."""
    size = int(case.args.get("megabytes", 100))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size << 20}\r\n\r\n"

    def pieces() -> Iterator[bytes]:
        yield head.encode()
        for _ in range(size * 16):
            yield b"1" * 65536

    case.connection.stream(pieces())


def _redirect(case: WireCase) -> None:
    """Answer 302 to `location`."""
    location = str(case.args.get("location", "/elsewhere"))
    headers = (("Location", location),)
    case.connection.send(SandboxAnswer("-", b"", case.answer.content_type, 302, headers))


def _hostile(case: WireCase) -> None:
    """Answer 200 with a body that is meant to hurt the program that parses it."""
    kind, body = hostile.BODIES[str(case.args.get("kind", "deep_xml"))]
    case.connection.send(SandboxAnswer("-", body(), kind))


def _chunked(case: WireCase) -> None:
    """Write the right answer in chunks of one byte, which is valid HTTP."""
    head = f"HTTP/1.1 {case.answer.status} OK\r\nContent-Type: {case.answer.content_type}\r\n"
    case.connection.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    for byte in case.answer.body:
        case.connection.write(b"1\r\n%b\r\n" % bytes((byte,)))
    case.connection.write(b"0\r\n\r\n")
    case.connection.finish()


def _unframed(case: WireCase) -> None:
    """Write the right answer, ended by the connection's end as in HTTP/1.0."""
    head = f"HTTP/1.0 200 OK\r\nContent-Type: {case.answer.content_type}\r\n\r\n"
    case.connection.write(head.encode() + case.answer.body)
    case.connection.close()


def _twice(case: WireCase) -> None:
    """Write the answer twice: no request asked for the second."""
    case.connection.write(format_answer(case.answer))
    case.connection.send(case.answer)


#: The wires by name.
WIRES: Mapping[str, Wire] = {
    "close": _close,
    "reset": _reset,
    "half_header": _half_header,
    "half_body": _half_body,
    "408": _status(408),
    "500": _status(500),
    "502": _status(502),
    "503": _status(503),
    "504": _status(504),
    "hang": _hang,
    "trickle": _trickle,
    "garbage": _garbage,
    "empty": _empty,
    "wrong_charset": _wrong_charset,
    "huge": _huge,
    "redirect": _redirect,
    "hostile": _hostile,
    "chunked": _chunked,
    "unframed": _unframed,
    "twice": _twice,
}


def find_wire(what: str) -> Wire | None:
    """Return the wire of a rule's `what`; None when it names none."""
    return WIRES.get(what.removeprefix("take_then_").removeprefix("not_taken_"))
