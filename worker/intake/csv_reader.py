"""Recipients from a CSV file, as spreadsheets write it: the numbers, and what a text names.

UTF-8, with a mark at its beginning or not, or GBK; commas, semicolons or tabs. The file is read as
a stream: a million rows take no more memory than one. Nothing is skipped in silence: a row that
cannot be understood is handed on with its problem.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from worker.config import problems
from worker.domain import msisdn, placeholders
from worker.domain.errors import Problem, Refused
from worker.intake.campaign_loader import Plain, Row

if TYPE_CHECKING:
    from _csv import Reader

#: What the column of the numbers may be called, in any case.
NUMBER_COLUMNS = frozenset(
    {"msisdn", "mobile", "phone", "手机号", "号码", "手机", "手机号码", "电话"}
)
_WHERE = "recipients"
_BLOCK = 1 << 20
#: Characters of lines that are read at once where a line is a number: some 50,000 of them.
_LINES = 600_000
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: A first line by which a spreadsheet is told what parts the cells.
_SAID = re.compile(r"sep=([,;\t])", re.IGNORECASE)
_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
_SHORTENED = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")
_FRACTION = re.compile(r"(\d{11,13})\.0+")


@dataclass(frozen=True, slots=True)
class Recipients:
    """A file whose header was understood; its rows are read as they are taken.

    Lines of numbers alone come many at a time.
    """

    rows: Iterator[Row | Plain]
    #: The columns by their headers; empty where the file has no header.
    columns: tuple[str, ...]
    encoding: str
    #: How many lines the file has: rows are at most as many.
    lines: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which cell of a row is what."""

    width: int
    number: int
    #: The cells of the variables that the text names.
    variables: Mapping[str, int]

    @property
    def bare(self) -> bool:
        """Whether a line is a number, and nothing else."""
        return self.width == 1 and not self.variables


@contextmanager
def reading(file: BinaryIO, text: str) -> Iterator[Recipients]:
    """Lend a file's recipients, for a text with `{name}` where a column's value belongs.

    `file` can be wound back, and stays the caller's. Raises `Refused` when it is no CSV text, when
    the column of the numbers is missing or ambiguous, and when the text names what is no column.
    """
    encoding, lines = _encoding(file)
    stream = io.TextIOWrapper(file, encoding, newline="")
    try:
        yield _understood(stream, text, lines)
    finally:
        stream.detach()


def _understood(stream: io.TextIOWrapper, text: str, lines: int) -> Recipients:
    reader = csv.reader(stream, delimiter=_delimiter(stream), strict=True)
    line, first = _first(reader)
    layout, header = _layout(first, text)
    found: Iterator[Row | Plain] = (
        _lines(stream, reader, layout) if layout.bare else _rows(reader, layout)
    )
    if not header:
        found = chain([_row(line, first, layout)], found)
    row = next(found, None)
    if row is None:
        _refuse("the file has a header and no rows")
    columns = tuple(map(str.strip, first)) if header else ()
    return Recipients(chain([row], found), columns, stream.encoding, lines)


def _refuse(what: str) -> NoReturn:
    raise Refused([Problem(_WHERE, what)]) from None


# --- which characters, which delimiter -----------------------------------------------------------


def _encoding(file: BinaryIO) -> tuple[str, int]:
    """Find out how the file is written by reading it once, and count its lines."""
    file.seek(0)
    head = file.read(4)
    if head.startswith(_WORKBOOKS):
        _refuse("the file is an Excel workbook; save it as CSV UTF-8 and give that")
    names = ["utf-16"] if head.startswith(_UTF16) else ["utf-8-sig", "gb18030"]
    for name in names:
        lines = _decodes(file, name)
        if lines is not None:
            file.seek(0)
            return name, lines
    _refuse("the file is neither UTF-8 nor GBK text; save it as CSV UTF-8")


def _decodes(file: BinaryIO, name: str) -> int | None:
    """Count the lines of a file in an encoding; None when it is not written in that."""
    decoder = codecs.getincrementaldecoder(name)()
    lines = 0
    file.seek(0)
    try:
        while block := file.read(_BLOCK):
            lines += decoder.decode(block).count("\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return lines + 1


def _delimiter(stream: io.TextIOWrapper) -> str:
    """Return what parts the cells of the first line that has any."""
    line = next(filter(str.strip, stream), "")
    stream.seek(0)
    if said := _SAID.fullmatch(line.strip()):
        return said[1]
    bare = re.sub(r'"[^"]*"', "", line)
    return max(",;\t", key=bare.count)


# --- the header ----------------------------------------------------------------------------------


def _first(reader: "Reader") -> tuple[int, list[str]]:
    """Return the first row that holds anything, and its line, without empty cells at its end."""
    try:
        for cells in reader:
            while cells and not cells[-1].strip():
                cells.pop()
            if cells and not _SAID.fullmatch(reader.dialect.delimiter.join([*cells, ""])):
                return reader.line_num, cells
    except csv.Error as error:
        _refuse(f"line {reader.line_num} is no CSV: {error}")
    _refuse("the file is empty")


def _layout(first: Sequence[str], text: str) -> tuple[_Layout, bool]:
    """Find the columns by the first row; the second value tells whether that is a header."""
    columns = [cell.strip() for cell in first]
    wanted = placeholders.names(text)
    named = [nth for nth, column in enumerate(columns) if column.casefold() in NUMBER_COLUMNS]
    if len(named) > 1:
        found = " and ".join(columns[nth] for nth in named)
        _refuse(f"{found} could both be the numbers; rename or remove one of these columns")
    header = bool(named) or not any(map(_like_number, columns))
    if not named and len(columns) > 1:
        _refuse(_no_numbers(columns, header=header))
    if wanted and not header:
        places = ", ".join(f"{{{name}}}" for name in sorted(wanted))
        _refuse(f"the text names {places} and the file has no header; write one above")
    variables = {name: _column(columns, name) for name in sorted(wanted)}
    return _Layout(len(columns), named[0] if named else 0, variables), header


def _no_numbers(columns: Sequence[str], *, header: bool) -> str:
    """Say that no column holds the numbers; what may be a recipient's data is not repeated."""
    call = "call the column of the numbers msisdn"
    if not header:
        return f"the first line is no header; write one above it and {call}"
    return f"no column holds the numbers; {call} (the headers are: {', '.join(columns)})"


def _column(columns: Sequence[str], name: str) -> int:
    if columns.count(name) == 1:
        return columns.index(name)
    if name in columns:
        _refuse(f"the text names {{{name}}} and more than one column is called that")
    near = problems.near(name, columns)
    _refuse(f"the text names {{{name}}} and no column is called that{near}")


def _like_number(cell: str) -> bool:
    """Tell whether a cell is meant as a number, even if it is a bad one."""
    return bool(_SHORTENED.fullmatch(cell)) or sum(map(str.isdigit, cell)) >= 5


# --- the rows ------------------------------------------------------------------------------------


def _lines(stream: io.TextIOWrapper, reader: "Reader", layout: _Layout) -> Iterator[Row | Plain]:
    """Yield the rows of an only column, many at a time where its lines are plain numbers."""
    line = reader.line_num + 1
    while some := stream.read(_LINES):
        some += stream.readline()
        if (numbers := msisdn.mobiles(some)) is not None:
            yield Plain(line, numbers)
            line += len(numbers)
            continue
        # A quote may go on behind these lines: the rest is read as any CSV.
        quoted = '"' in some
        lines = io.StringIO(some, newline="")
        its_own = csv.reader(chain(lines, stream) if quoted else lines, reader.dialect)
        yield from _rows(its_own, layout, line)
        line += its_own.line_num


def _rows(reader: "Reader", layout: _Layout, first: int = 0) -> Iterator[Row]:
    """Yield the rows that hold anything, each under the line that it begins at.

    `first` is the number of the reader's first line where it does not read from the top.
    """
    nth, width, bare = layout.number, layout.width, not layout.variables
    above = first - 1 if first else 0
    while True:
        line = above + reader.line_num + 1
        try:
            for cells in reader:
                # Most rows: nothing that a spreadsheet has put around the number.
                if bare and len(cells) == width and cells[nth].isdigit():
                    yield Row(line, cells[nth])
                elif any(map(str.strip, cells)):
                    yield _row(line, cells, layout)
                line = above + reader.line_num + 1
        except csv.Error:
            what = (
                f"its quotes are not closed, or not doubled, up to line {above + reader.line_num}"
            )
            yield Row(line, "", problem=what)
            continue
        return


def _row(line: int, cells: list[str], layout: _Layout) -> Row:
    if any(map(str.strip, cells[layout.width :])):
        what = f"has {len(cells)} cells and the first line {layout.width}; quote what holds commas"
        return Row(line, "", problem=what)
    number = _cell(cells, layout.number).removeprefix("'")
    if _SHORTENED.fullmatch(number):
        what = "a spreadsheet has shortened the number; format its column as text, export again"
        return Row(line, "", problem=what)
    variables = {name: _cell(cells, nth) for name, nth in layout.variables.items()}
    empty = next((name for name, value in variables.items() if not value), None)
    if empty is not None:
        return Row(line, "", problem=f"has no {empty}, which the text names")
    exact = _FRACTION.fullmatch(number)
    return Row(line, exact[1] if exact else number, variables or None)


def _cell(cells: Sequence[str], nth: int) -> str:
    """Return a cell without what spreadsheets put around it; "" where the row is too short."""
    cell = cells[nth].strip() if nth < len(cells) else ""
    formula = _FORMULA.fullmatch(cell)
    return formula[1].strip() if formula else cell
