"""Parse XML of a workbook as a stream: in bounded memory, without entities, whatever it unpacks to.

Names of elements come without their prefix, so that both kinds of workbooks (transitional, strict)
are read alike.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import IO, NoReturn
from xml.parsers import expat
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812 - it is a class

from worker.domain.errors import Problem, Refused

_BLOCK_BYTES = 1 << 18
#: The most that the parts of a workbook unpack to; a million rows of ten columns are some 600 MB.
MAX_UNPACKED_BYTES = 1 << 31
#: The most that a part may be larger than it is packed, beyond 16 MiB. XML of numbers packs to a
#: tenth; a bomb, to a thousandth.
MAX_RATIO = 200
_SMALL_BYTES = 1 << 24
#: What the parser keeps in memory: of one element's attributes, and of elements within each other.
MAX_TAG_BYTES, MAX_DEPTH = 1 << 22, 100
_DAMAGED = "the workbook is damaged; open it in a spreadsheet and save it again"

Start = Callable[[str, Mapping[str, str]], None]
End = Callable[[str], None]
Characters = Callable[[str], None]


def parse(
    part: IO[bytes], packed_bytes: int, start: Start, end: End, characters: Characters
) -> Iterator[None]:
    """Parse a part; yield after each block of it.

    Raises `Refused` when the part is damaged, is no XML, or unpacks to too much.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    elements = _Elements(start, end)
    parser.StartElementHandler, parser.EndElementHandler = elements.start, elements.end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    total_bytes = 0
    for block in unpacked(part, packed_bytes):
        total_bytes += len(block)
        try:
            parser.Parse(block, not block)
        except expat.ExpatError:
            refuse(_DAMAGED)
        if total_bytes - parser.CurrentByteIndex > MAX_TAG_BYTES:
            refuse(_DAMAGED)
        yield


def unpacked(part: IO[bytes], packed_bytes: int) -> Iterator[bytes]:
    """Yield the bytes of a part, the last block empty; raises `Refused` as `parse` does."""
    limit = min(MAX_UNPACKED_BYTES, max(_SMALL_BYTES, packed_bytes * MAX_RATIO))
    total_bytes, block = 0, b" "
    while block:
        try:
            block = part.read(_BLOCK_BYTES)
        except (BadZipFile, ZlibError, EOFError):
            refuse(_DAMAGED)
        total_bytes += len(block)
        if total_bytes > limit:
            refuse("the workbook unpacks to more than a list can be; save the list alone, as CSV")
        yield block


class _Elements:
    """Hands on elements that are not nested too deep, by their names without a prefix."""

    def __init__(self, start: Start, end: End) -> None:
        self._start, self._end = start, end
        self._depth = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            refuse(_DAMAGED)
        self._start(_local(name), attributes)

    def end(self, name: str) -> None:
        self._depth -= 1
        self._end(_local(name))


def refuse(reason: str) -> NoReturn:
    """Raise `Refused` for a workbook."""
    raise Refused([Problem("recipients", reason)]) from None


def _local(name: str) -> str:
    return name.rpartition(":")[2] if ":" in name else name


def _refuse_doctype(*_declaration: object) -> NoReturn:
    refuse("the workbook holds a DTD, which none has that a spreadsheet wrote")
