"""Open the parts of a workbook, which is a zip archive, within bounds."""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, LargeZipFile, ZipFile

from worker.intake.lists import xml_stream

#: The list of an archive's parts is read at once: no workbook has one that is larger than this.
_MAX_READ_BYTES = 1 << 20
_PACKINGS = frozenset({ZIP_STORED, ZIP_DEFLATED})
_OTHER_KINDS = {
    "mimetype": "an OpenDocument file; save it as .xlsx or as CSV UTF-8",
    "xl/workbook.bin": "a binary workbook (.xlsb); save it as .xlsx",
    "word/document.xml": "a Word document; copy its table into a spreadsheet, save that as .xlsx",
    "Index/Document.iwa": "a Numbers sheet; export it as .xlsx",
}


class ZipParts:
    """The parts of a zip archive, by their names."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self._infos = {info.filename.lstrip("/"): info for info in archive.infolist()}
        for name, kind in _OTHER_KINDS.items():
            if name in self._infos:
                xml_stream.refuse(f"the file is {kind}")

    def __contains__(self, name: object) -> bool:
        return name in self._infos

    def packed_bytes(self, name: str) -> int:
        """Return how large a part is in the archive."""
        return self._infos[name].compress_size

    def open(self, name: str) -> IO[bytes]:
        """Open a part; raises `Refused` when it cannot be read."""
        info = self._infos[name]
        if info.compress_type not in _PACKINGS:
            xml_stream.refuse("the workbook is packed as no spreadsheet does; save it again")
        try:
            return self._archive.open(info)
        except (BadZipFile, NotImplementedError, RuntimeError):
            xml_stream.refuse("the workbook is damaged or locked; save it again without a password")


@contextmanager
def open_parts(file: BinaryIO) -> Iterator[ZipParts]:
    """Lend the parts of an archive; raises `Refused` when it is damaged, or is no workbook."""
    try:
        archive = ZipFile(_BoundedFile(file))
    except (BadZipFile, LargeZipFile, NotImplementedError, struct.error, ValueError):
        xml_stream.refuse("the file is a damaged workbook, or cut off; save it again")
    with archive:
        yield ZipParts(archive)


class _BoundedFile(io.RawIOBase):
    """A file of which little is read at once, whatever an archive says of its own size."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = _MAX_READ_BYTES + 1
        if size > _MAX_READ_BYTES + 1:
            xml_stream.refuse("the workbook has more parts than a spreadsheet writes")
        return self._file.read(size)
