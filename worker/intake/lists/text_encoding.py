"""Find the encoding of a text file by reading all of it once; never guess between two.

A file that could be read as two texts is refused: a wrong text would be sent.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from worker.domain.errors import Problem, Refused
from worker.intake.lists import gb18030
from worker.intake.lists.options import ListEncoding

_BLOCK_BYTES = 1 << 20
#: No line of a list is as long as this: a block of lines is in memory.
MAX_LINE_CHARACTERS = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
#: A whole word, between bytes of ASCII, that is Chinese in UTF-8.
_UTF_8_WORD = re.compile(
    rb"(?<![\x80-\xff])(?:[\xe3-\xe9][\x80-\xbf]{2}|\xef[\xbc\xbd][\x80-\xbf])+(?![\x80-\xff])"
)
_LINE_END = re.compile(rb"\r\n?|\n")
_WIDE = re.compile("[\u0800-\U0010ffff]")
#: In how many lines it is looked for whether a list was damaged before.
_LINES_LOOKED_AT = 500
_ADVICE = "save it as CSV UTF-8, or say its encoding"


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """How a file is decoded, and how many lines it has; it has at most as many rows."""

    codec: str
    line_count: int
    #: Whether it holds characters that `gb18030.modern` has to translate.
    old_private_use: bool = False


@dataclass(slots=True)
class _Counted:
    """What was seen of a text while it was decoded."""

    line_ends: int = 0
    ends_in_line: bool = False
    wide: bool = False
    not_ascii: bool = False
    private_use: bool = False


def detect(file: BinaryIO, encoding: ListEncoding | None = None) -> TextEncoding:
    """Return the encoding of a file, the given one if there is; it is at its beginning then.

    Raises `Refused` with the line of what cannot be read, and where the encoding is in doubt.
    """
    file.seek(0)
    head = file.read(4096)
    codec = _given_codec(head, ListEncoding(encoding)) if encoding else _marked_codec(head)
    try:
        if codec:
            text_encoding = _require(file, codec, strict=encoding is None)
        else:
            text_encoding = _detect_unmarked(file)
        if encoding is None and text_encoding.codec == "utf-8":
            _refuse_damaged_before(file)
        return text_encoding
    finally:
        file.seek(0)


def _given_codec(head: bytes, encoding: ListEncoding) -> str:
    if encoding is ListEncoding.UTF_16 and not head.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    ):
        return _unmarked_utf_16(head) or "utf-16-le"
    return "gb18030" if encoding is ListEncoding.GBK else encoding.value


def _marked_codec(head: bytes) -> str | None:
    """Return the encoding that a byte order mark names, or that NULs between letters tell."""
    codec = next((codec for mark, codec in _MARKS if head.startswith(mark)), None)
    return codec or (_unmarked_utf_16(head) if b"\0" in head else None)


def _unmarked_utf_16(head: bytes) -> str | None:
    """Return which UTF-16 a file without a mark is in, by the places of its NULs."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) < 2 or min(even, odd) * 10 > max(even, odd):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _detect_unmarked(file: BinaryIO) -> TextEncoding:
    counted = _Counted()
    try:
        _read(file, "utf-8", counted)
    except UnicodeDecodeError as error:
        return _detect_gb18030(file, counted, error)
    if counted.not_ascii and _may_be_gb18030(file, wide=counted.wide):
        _refuse(f"the file can be read as UTF-8 and as GBK; {_ADVICE}")
    return TextEncoding("utf-8", counted.line_ends + counted.ends_in_line)


def _detect_gb18030(
    file: BinaryIO, counted: _Counted, utf_8_error: UnicodeDecodeError
) -> TextEncoding:
    """Return GB18030 for a file that is no UTF-8, unless this is what it was meant to be."""
    utf_8_line = _line_of(file, utf_8_error.start)
    if "end of data" in utf_8_error.reason and counted.wide:
        _refuse(f"the file ends in the middle of a character, in line {utf_8_line}; it is cut off")
    if counted.wide or _has_utf_8_words(file):
        _refuse(
            f"line {utf_8_line} is no UTF-8 and other lines are: it is damaged, or two files were"
            f" joined; mend it, or say its encoding"
        )
    encoding = _require(file, "gb18030", strict=True)
    if reason := gb18030.doubt(_head_beyond_ascii(file)):
        _refuse(f"the file may be in another encoding than GBK: {reason}; {_ADVICE}")
    return encoding


def _require(file: BinaryIO, codec: str, *, strict: bool) -> TextEncoding:
    """Decode a whole file; with `strict`, refuse private-use characters that GB18030 makes."""
    counted = _Counted()
    try:
        _read(file, codec, counted, refuse_private_use=strict and codec == "gb18030")
    except UnicodeDecodeError as error:
        line = _line_of(file, error.start)
        if "incomplete" in error.reason or "end of data" in error.reason or "trunc" in error.reason:
            _refuse(f"the file ends in the middle of a character, in line {line}; it is cut off")
        name = "neither UTF-8 nor GBK" if strict and codec == "gb18030" else f"no {codec}"
        _refuse(f"the file is {name} text: see line {line}; {_ADVICE}")
    line_count = counted.line_ends + counted.ends_in_line
    return TextEncoding(codec, line_count, counted.private_use)


def _read(
    file: BinaryIO, codec: str, counted: _Counted, *, refuse_private_use: bool = False
) -> None:
    """Decode a whole file and count its lines; a decoder's error says where in the file it is."""
    decoder = codecs.getincrementaldecoder(codec)()
    before = line_length = 0
    for block in _blocks_and_end(file):
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            readable = error.object[: error.start].decode(codec)
            counted.wide = counted.wide or bool(_WIDE.search(readable))
            error.start += before - pending
            raise
        before += len(block)
        line_length = _line_length(text, line_length)
        ends = text.count("\n") or text.count("\r")
        if not text.isascii():
            counted.not_ascii = True
            counted.wide = counted.wide or bool(_WIDE.search(text))
            if codec == "gb18030":
                _look_for_private_use(text, counted, refuse=refuse_private_use)
        counted.line_ends += ends
        if text:
            counted.ends_in_line = not text.endswith(("\n", "\r"))


def _look_for_private_use(text: str, counted: _Counted, *, refuse: bool) -> None:
    modern = gb18030.modern(text)
    counted.private_use = counted.private_use or modern != text
    place = gb18030.private_use(modern) if refuse else None
    if place is not None:
        line = counted.line_ends + len(_LINE_END.findall(modern[:place].encode())) + 1
        _refuse(
            f"line {line} holds U+{ord(modern[place]):04X} when it is read as GBK, a private-use"
            f" character: the file is damaged or in another encoding; {_ADVICE}"
        )


def _line_length(text: str, before: int) -> int:
    """Return how long the line is that goes on behind a text; refuses a line that is too long."""
    first = text.find("\n") if "\n" in text else text.find("\r")
    if before + (first if first >= 0 else len(text)) > MAX_LINE_CHARACTERS:
        _refuse(f"a line is longer than {MAX_LINE_CHARACTERS:,} characters; this is no list")
    return before + len(text) if first < 0 else len(text) - 1 - max(text.rfind("\n"), first)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(_BLOCK_BYTES):
        yield block


def _blocks_and_end(file: BinaryIO) -> Iterator[bytes]:
    yield from _blocks(file)
    yield b""


def _may_be_gb18030(file: BinaryIO, *, wide: bool) -> bool:
    """Tell whether a file that can be read as UTF-8 is likely to be meant as GBK.

    Chinese in UTF-8 is hardly ever GB2312 too; letters with accents always are characters of GBK.
    """
    decoder = codecs.getincrementaldecoder("gb2312" if wide else "gb18030")()
    try:
        for block in _blocks_and_end(file):
            decoder.decode(block, final=not block)
    except UnicodeDecodeError:
        return False
    return True


def _has_utf_8_words(file: BinaryIO) -> bool:
    """Tell whether a word that is Chinese in UTF-8 stands in a file, and is no GB2312."""
    return any(
        not _is_gb2312(word[0])
        for block in _blocks(file)
        if not block.isascii()
        for word in _UTF_8_WORD.finditer(block)
    )


def _is_gb2312(word: bytes) -> bool:
    try:
        word.decode("gb2312")
    except UnicodeDecodeError:
        return False
    return True


def _refuse_damaged_before(file: BinaryIO) -> None:
    """Refuse a file of UTF-8 that was read as GBK once, and saved.

    Its characters, as bytes of GBK, are Chinese in UTF-8. What was Chinese from the beginning
    hardly ever is: a third of the first lines that hold more than ASCII is beyond chance.
    """
    file.seek(0)
    lines = file.read(_BLOCK_BYTES).split(b"\n", _LINES_LOOKED_AT)[:_LINES_LOOKED_AT]
    wide_lines = [nth for nth, line in enumerate(lines, 1) if not line.isascii()]
    damaged = [nth for nth in wide_lines if _is_damaged(lines[nth - 1])]
    if damaged and len(damaged) * 3 >= len(wide_lines):
        _refuse(
            f"the text of line {damaged[0]} and others was damaged before: it is UTF-8 that was"
            f" read as GBK once; export it again"
        )


def _is_damaged(line: bytes) -> bool:
    try:
        return _WIDE.search(line.decode().encode("gbk").decode()) is not None
    except UnicodeError:
        return False


def _head_beyond_ascii(file: BinaryIO) -> bytes:
    """Return the first block that is not all ASCII."""
    return next((block for block in _blocks(file) if not block.isascii()), b"")


def _line_of(file: BinaryIO, offset: int) -> int:
    """Return the number of the line that a byte of a file stands in."""
    file.seek(0)
    lines = 1
    while offset > 0 and (block := file.read(min(offset, _BLOCK_BYTES))):
        lines += len(_LINE_END.findall(block))
        offset -= len(block)
    return lines


def _refuse(reason: str) -> NoReturn:
    raise Refused([Problem("recipients", reason)]) from None
