"""Read the rows of a workbook's sheet one after another, as a `csv.reader` does."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from worker.intake.lists import cell_formats, xml_stream
from worker.intake.lists.cell_formats import Writer
from worker.intake.lists.cells import MAX_COLUMNS
from worker.intake.lists.shared_strings import SharedStrings, TextCollector

#: As many as a spreadsheet has.
MAX_ROWS = 1_048_576
_BOOLEANS = {"1": "TRUE", "0": "FALSE"}
#: No cell holds more.
_MAX_VALUE_LENGTH = 32_767
_SIMPLE_TEXTS = frozenset({"str", "e", "d"})


class SheetReader:
    """Yields the cells of each row; rows that the sheet leaves out are empty."""

    def __init__(
        self,
        part: IO[bytes],
        packed_bytes: int,
        strings: SharedStrings,
        writers: Sequence[Writer],
    ) -> None:
        self._cells = _CellCollector(strings, writers)
        self._blocks = xml_stream.parse(
            part, packed_bytes, self._cells.start, self._cells.end, self._cells.characters
        )
        #: The number of the row that was read last.
        self.line_num = 0

    def __iter__(self) -> Iterator[list[str]]:
        """Return itself."""
        return self

    def __next__(self) -> list[str]:
        """Return the cells of the next row, which has none if the sheet leaves it out."""
        rows = self._cells.rows
        while not rows:
            next(self._blocks)
        self.line_num += 1
        if rows[0][0] > self.line_num:
            return []
        return rows.popleft()[1]


class _CellCollector:
    """Collects rows of cells from the elements of a sheet."""

    def __init__(self, strings: SharedStrings, writers: Sequence[Writer]) -> None:
        #: The rows that were read and not taken yet, with their numbers.
        self.rows: deque[tuple[int, list[str]]] = deque()
        self._strings = strings
        self._writers = writers
        self._row_number = 0
        self._row: list[str] = []
        self._text = TextCollector()
        self._kind, self._style = "n", 0
        self._value = ""
        self._in_value = self._in_inline = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Note an element that begins."""
        if name == "c":
            self._begin_cell(attributes)
        elif name == "v":
            self._in_value = True
        elif name == "row":
            self._begin_row(attributes.get("r"))
        elif name == "is" or self._in_inline:
            self._in_inline = True
            self._text.start(name)

    def characters(self, text: str) -> None:
        """Note characters of a value."""
        if self._in_value:
            self._value += text
            if len(self._value) > _MAX_VALUE_LENGTH:
                xml_stream.refuse("the workbook holds a cell longer than any spreadsheet allows")
        elif self._in_inline:
            self._text.add(text)

    def end(self, name: str) -> None:
        """Note an element that ends."""
        if name == "v":
            self._in_value = False
        elif name == "c":
            self._row[-1] = self._read_value()
        elif name == "row":
            self.rows.append((self._row_number, self._row))
        elif self._in_inline:
            self._text.end(name)
            self._in_inline = name != "is"

    def _begin_row(self, number: str | None) -> None:
        row_number = _integer(number) or self._row_number + 1
        if not self._row_number < row_number <= MAX_ROWS:
            xml_stream.refuse("the workbook is damaged: its rows are not in order")
        self._row_number, self._row = row_number, []

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        column = _column(attributes.get("r")) or len(self._row) + 1
        if not len(self._row) < column <= MAX_COLUMNS:
            xml_stream.refuse("the workbook is damaged: its cells are not in order")
        self._row += [""] * (column - len(self._row))
        self._kind = attributes.get("t", "n")
        self._style = _integer(attributes.get("s")) or 0
        self._value = ""

    def _read_value(self) -> str:
        """Return the text of the cell that ends: a formula's is the value that it had."""
        if self._kind == "inlineStr":
            return self._text.take()
        value = self._value
        if not value or self._kind in _SIMPLE_TEXTS:
            return value.removesuffix("T00:00:00") if self._kind == "d" else value
        if self._kind == "s":
            return self._strings.get(-1 if (position := _integer(value)) is None else position)
        if self._kind == "b":
            return _BOOLEANS.get(value, value)
        return self._writer()(value)

    def _writer(self) -> Writer:
        is_known = self._style < len(self._writers)
        return self._writers[self._style] if is_known else cell_formats.plain


def _integer(text: str | None) -> int | None:
    """Return the number of a row, a style or a string; None for what is none."""
    is_number = text and len(text) < 12 and text.isascii() and text.isdigit()
    return int(text or "") if is_number else None


def _column(reference: str | None) -> int | None:
    """Return the number of a cell's column, from 1 on, by its reference: 28 for `AB7`."""
    number = 0
    for character in (reference or "")[:4]:
        if not "A" <= character <= "Z":
            break
        number = number * 26 + ord(character) - 64
    return number or None
