"""Repairs heads of answers that browsers read and RFC 9112 does not, while the body's end is sure.

Old servers write a blank before a colon, the same length twice, lines without a colon, names in
GBK. Where a repair could be wrong about where the body ends or how it is coded, there is none.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NoReturn

from worker.gateways.transport.protocol import UnreadableAnswer

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] +([0-9]{3})(?: [^\0\r]*)?", re.IGNORECASE)
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS = re.compile(rb"[\0\r]")
#: What a line that decides about the body could hold, however it is damaged.
_DECIDES = re.compile(rb"length|encoding|chunked", re.IGNORECASE)


def could_begin(received: bytes) -> bool:
    """Tell whether an answer can begin so."""
    return received[:7].upper() == b"HTTP/1."[: len(received)]


def status(head: bytes) -> int:
    """Return the status of a head. Raises `UnreadableAnswer`."""
    line = _STATUS_LINE.fullmatch(head.partition(b"\n")[0].removesuffix(b"\r"))
    if line is None:
        _refuse("a status line that is none")
    return int(line[1])


def repair(head: bytes) -> bytes:
    """Return a head, given without the empty line that ends it, as RFC 9112 has it, and that line.

    Lines that nobody can read are left out. Raises `UnreadableAnswer`, which says why.
    """
    lines = [b"HTTP/1.1 %d" % status(head)]
    lengths: set[bytes] = set()
    codings: set[bytes] = set()
    for line in _unfold(head.split(b"\n")[1:]):
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t")
        if not colon or not _NAME.fullmatch(name) or _BREAKS.search(value):
            if _DECIDES.search(line):
                _refuse("a line about the body that cannot be read")
        elif name.lower() == b"content-length":
            lengths |= _words(value)
        elif name.lower() == b"transfer-encoding":
            codings |= _words(value) - {b"", b"identity"}
        else:
            lines.append(name + b": " + value.strip())
    if codings - {b"chunked"}:
        _refuse("a transfer coding")
    if len(lengths) > 1:
        _refuse("lengths that differ")
    if not all(length.isdigit() for length in lengths):
        _refuse("a length that is no number")
    lines += [b"Content-Length: " + length for length in lengths if not codings]
    lines += [b"Transfer-Encoding: " + coding for coding in codings]
    return b"\r\n".join([*lines, b"", b""])


def _unfold(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines without their ends; one that begins with a blank goes on with the line before."""
    whole: bytes | None = None
    for line in lines:
        text = line.removesuffix(b"\r")
        if whole is not None and text[:1] in {b" ", b"\t"}:
            whole += b" " + text.strip()
            continue
        if whole is not None:
            yield whole
        whole = text
    if whole is not None:
        yield whole


def _words(value: bytes) -> set[bytes]:
    return {word.strip().lower() for word in value.split(b",")}


def _refuse(what: str) -> NoReturn:
    detail = f"a head with {what}"
    raise UnreadableAnswer(detail)
