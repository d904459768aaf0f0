"""What all files of recipients are read as: rows of cells, each with the line that it begins at."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from worker.domain import invisible, number_marks, number_names
from worker.domain.errors import Problem, Refused

#: As many as a spreadsheet has.
MAX_COLUMNS = 16_384
#: So many blank rows may stand above and among the first rows.
MAX_BLANK_ROWS = 1000
#: No telephone number has fewer; a sum below a column of numbers mostly has.
MIN_DIGITS = 10


class CellReader(Protocol):
    """Yields the cells of one row after another, as a `csv.reader` does; blank rows are empty."""

    @property
    def line_num(self) -> int:
        """The last line that was read."""

    def __iter__(self) -> Iterator[list[str]]:
        """Return itself."""

    def __next__(self) -> list[str]:
        """Return the cells of the next row."""


class Record(NamedTuple):
    """The cells of a row, with the first and the last of its lines."""

    first_line: int
    last_line: int
    cells: Sequence[str]


def first_records(reader: CellReader, count: int) -> list[Record]:
    """Return rows of a reader up to the `count`th that holds something, blank ones among them."""
    records: list[Record] = []
    filled_count = 0
    for cells in islice(reader, MAX_BLANK_ROWS + count):
        first_line = records[-1].last_line + 1 if records else 1
        records.append(Record(first_line, reader.line_num, without_empty_end(cells)))
        filled_count += bool(records[-1].cells)
        if filled_count == count:
            break
    return records


def without_empty_end(cells: Sequence[str]) -> list[str]:
    """Return cells without empty ones at their end; raises `Refused` when there are too many."""
    stripped = [invisible.strip(cell) for cell in cells]
    while stripped and not stripped[-1]:
        stripped.pop()
    if len(stripped) > MAX_COLUMNS:
        reason = f"the file has {len(stripped):,} columns; {MAX_COLUMNS:,} are the most"
        raise Refused([Problem("recipients", reason)])
    return stripped


def holds_number(cells: Sequence[str]) -> bool:
    """Tell whether one of some cells is, as a whole, a number or what a spreadsheet made of it."""
    return any(map(is_number, cells))


def is_number(cell: str) -> bool:
    """Tell whether a cell is meant as a number, even if a digit of it is missing."""
    if not MIN_DIGITS <= len(cell) <= 64:
        return bool(number_marks.is_shortened(cell))
    try:
        digits = number_marks.bare(cell).removeprefix("+")
    except ValueError:
        return True
    return (
        digits.isascii()
        and digits.isdigit()
        and MIN_DIGITS <= len(digits) <= 15
        and digits[0] in "018"
    )


def names_number(cell: str) -> bool:
    """Tell whether a cell is the header of numbers."""
    return len(cell) <= 200 and number_names.names_number(cell)
