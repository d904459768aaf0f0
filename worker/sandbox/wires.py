"""What goes wrong on the wire: each of these writes something else than the answer.

They are used under two names: `take_then_…`, after the gateway did what it was asked to, and
`not_taken_…`, instead of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from worker.sandbox import hostile
from worker.sandbox.exchange import Answer
from worker.sandbox.server import Connection, written


class Case(NamedTuple):
    """Where to write, what an honest gateway would write, and the rule's arguments."""

    line: Connection
    answer: Answer
    args: Mapping[str, Any]


Wire = Callable[[Case], None]


def _close(case: Case) -> None:
    """Close without a byte."""
    case.line.close()


def _reset(case: Case) -> None:
    """RST without a byte."""
    case.line.reset()


def _half_header(case: Case) -> None:
    """Close in the middle of the header."""
    case.line.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Le")
    case.line.close()


def _half_body(case: Case) -> None:
    """Promise a longer body than comes, and close."""
    case.line.write(written(case.answer)[: -max(1, len(case.answer.body) // 2)])
    case.line.close()


def _status(status: int) -> Wire:
    """Answer as a proxy does whose server failed."""

    def wire(case: Case) -> None:
        body = f"<html><body><h1>{status}</h1></body></html>".encode()
        case.line.send(Answer("-", body, "text/html", status))

    return wire


def _hang(case: Case) -> None:
    """Say nothing, for ever or for `seconds`, then close."""
    if "seconds" in case.args:
        case.line.later(float(case.args["seconds"]), case.line.close)


def _trickle(case: Case) -> None:
    """Write the right answer, one byte for each `interval`."""
    rest = iter(written(case.answer))
    interval = float(case.args.get("interval", 0.5))

    def step() -> None:
        byte = next(rest, None)
        if byte is None:
            case.line.finish()
        else:
            case.line.write(bytes((byte,)))
            case.line.later(interval, step)

    step()


def _garbage(case: Case) -> None:
    """200 with a body that means nothing, or with `body`."""
    body = (
        str(case.args["body"]).encode()
        if "body" in case.args
        else b"\xff\xfe<<<%&\x00 not an answer"
    )
    case.line.send(Answer("-", body, case.answer.kind))


def _empty(case: Case) -> None:
    """200 without a body."""
    case.line.send(Answer("-", b"", case.answer.kind))


def _wrong_charset(case: Case) -> None:
    """The right answer in a charset that nobody announced."""
    charset = "gbk" if "gbk" in case.answer.kind.lower() else "utf-8"
    text = case.answer.body.decode(charset, "replace")
    case.line.send(
        Answer("-", text.encode(str(case.args.get("charset", "utf-16"))), case.answer.kind)
    )


def _huge(case: Case) -> None:
    """A body of `megabytes`."""
    size = int(case.args.get("megabytes", 100))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size << 20}\r\n\r\n"

    def pieces() -> Iterator[bytes]:
        yield head.encode()
        for _ in range(size * 16):
            yield b"1" * 65536

    case.line.stream(pieces())


def _redirect(case: Case) -> None:
    """302 to `location`."""
    to = str(case.args.get("location", "/elsewhere"))
    case.line.send(Answer("-", b"", case.answer.kind, 302, (("Location", to),)))


def _hostile(case: Case) -> None:
    """200 with a body that is meant to hurt whoever parses it."""
    kind, body = hostile.BODIES[str(case.args.get("kind", "deep_xml"))]
    case.line.send(Answer("-", body(), kind))


def _chunked(case: Case) -> None:
    """The right answer, in chunks of one byte: nothing is wrong with it."""
    head = f"HTTP/1.1 {case.answer.status} OK\r\nContent-Type: {case.answer.kind}\r\n"
    case.line.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    for byte in case.answer.body:
        case.line.write(b"1\r\n%b\r\n" % bytes((byte,)))
    case.line.write(b"0\r\n\r\n")
    case.line.finish()


def _unframed(case: Case) -> None:
    """The right answer, ended by the connection's end as in HTTP/1.0."""
    case.line.write(
        f"HTTP/1.0 200 OK\r\nContent-Type: {case.answer.kind}\r\n\r\n".encode() + case.answer.body
    )
    case.line.close()


def _twice(case: Case) -> None:
    """The answer, and once more: a second one that nobody asked for."""
    case.line.write(written(case.answer))
    case.line.send(case.answer)


#: By name.
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


def named(what: str) -> Wire | None:
    """Find the wire of a rule's `what`, if it has one."""
    return WIRES.get(what.removeprefix("take_then_").removeprefix("not_taken_"))
