"""The shared strings of a workbook, on the disk: a million names take no memory."""

import re
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import IO

from worker.intake.lists import xml_stream

#: Strings are written together until they have so many characters, and cached so many times.
_CHUNK_CHARACTERS = 1 << 16
_CACHED_CHUNKS = 32
#: No cell holds more.
MAX_STRING_LENGTH = 32_767
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
#: XML holds no NUL, so that it may stand between strings.
_BETWEEN = "\0"


class SharedStrings:
    """Keeps strings in the order of their positions; `close` removes the file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        #: The position of the first string of each chunk, and where the chunk begins in the file.
        self._firsts, self._offsets = array("Q"), array("Q", [0])
        self._chunk: list[str] = []
        self._characters = self._count = 0
        self._cached_chunk = lru_cache(_CACHED_CHUNKS)(self._read_chunk)

    def close(self) -> None:
        """Remove what is on the disk."""
        self._file.close()

    def load(self, part: IO[bytes], packed_bytes: int) -> None:
        """Read the part of a workbook that holds its strings."""
        collector = _StringCollector(self.add)
        for _ in xml_stream.parse(
            part, packed_bytes, collector.start, collector.end, collector.characters
        ):
            pass
        self._write_chunk()

    def add(self, string: str) -> None:
        """Add a string at the next position."""
        self._chunk.append(string)
        self._characters += len(string) + 1
        self._count += 1
        if self._characters >= _CHUNK_CHARACTERS:
            self._write_chunk()

    def get(self, position: int) -> str:
        """Return the string of a position; raises `Refused` when there is none."""
        if not 0 <= position < self._count:
            xml_stream.refuse("the workbook is damaged: a cell has no text")
        chunk = bisect_right(self._firsts, position) - 1
        return self._cached_chunk(chunk)[position - self._firsts[chunk]]

    def _write_chunk(self) -> None:
        if not self._chunk:
            return
        self._firsts.append(self._count - len(self._chunk))
        self._file.write(_BETWEEN.join(self._chunk).encode("utf-8", "surrogatepass"))
        self._offsets.append(self._file.tell())
        self._chunk, self._characters = [], 0

    def _read_chunk(self, chunk: int) -> list[str]:
        self._file.seek(self._offsets[chunk])
        data = self._file.read(self._offsets[chunk + 1] - self._offsets[chunk])
        return data.decode("utf-8", "surrogatepass").split(_BETWEEN)


class TextCollector:
    """Collects the text of an element: of its runs, without readings above its characters."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._in_text = self._in_phonetic = False

    def start(self, name: str) -> None:
        """Note an element that begins."""
        self._in_phonetic = self._in_phonetic or name == "rPh"
        self._in_text = name == "t" and not self._in_phonetic

    def end(self, name: str) -> None:
        """Note an element that ends."""
        self._in_text = False
        self._in_phonetic = self._in_phonetic and name != "rPh"

    def add(self, text: str) -> None:
        """Add characters, if they are of the text; raises `Refused` when it is too long."""
        if self._in_text:
            self._pieces.append(text)
            self._length += len(text)
            if self._length > 8 * MAX_STRING_LENGTH:
                xml_stream.refuse("the workbook holds a cell longer than any spreadsheet allows")

    def take(self) -> str:
        """Return the text, and begin another."""
        text, self._pieces, self._length = "".join(self._pieces), [], 0
        return unescape(text)


class _StringCollector:
    """Hands on each string of a part."""

    def __init__(self, add: Callable[[str], None]) -> None:
        self._add = add
        self._text = TextCollector()

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._text.start(name)

    def characters(self, text: str) -> None:
        self._text.add(text)

    def end(self, name: str) -> None:
        self._text.end(name)
        if name == "si":
            self._add(self._text.take())


def unescape(text: str) -> str:
    """Return a text with the characters that workbooks write as `_x000D_`."""
    if "_x" not in text:
        return text
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).replace("\r\n", "\n")
